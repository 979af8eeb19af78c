use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::Measurement;

fn budget(values: usize) -> NonZeroUsize {
    NonZeroUsize::new(values).unwrap()
}

/// What goes out as the tag `t` of the measurement `m`.
fn out(cardinality: &Cardinality, value: &str, values: usize) -> String {
    let mut measurement = Measurement::new("db", "m").tag("t", value.to_owned());
    cardinality.cap(&mut measurement.0, TagSet::ALL, budget(values));
    measurement.get_tag("t").unwrap_or_default().to_owned()
}

#[test]
fn values_past_the_budget_become_other_and_those_before_go_on() {
    let cardinality = Cardinality::default();
    assert_eq!(out(&cardinality, "a", 2), "a");
    assert_eq!(out(&cardinality, "b", 2), "b");
    assert_eq!(out(&cardinality, "c", 2), "_other");
    assert_eq!(out(&cardinality, "a", 2), "a");
    assert_eq!(out(&cardinality, "b", 2), "b");
    assert_eq!(out(&cardinality, "c", 2), "_other");
}

#[test]
fn a_larger_budget_frees_and_a_smaller_one_changes_no_known_value() {
    let cardinality = Cardinality::default();
    out(&cardinality, "a", 1);
    assert_eq!(out(&cardinality, "b", 1), "_other");
    assert_eq!(out(&cardinality, "b", 2), "b");
    assert_eq!(out(&cardinality, "b", 1), "b");
    assert_eq!(out(&cardinality, "c", 1), "_other");
}

#[test]
fn each_database_policy_measurement_and_key_has_a_budget_of_its_own() {
    let cardinality = Cardinality::default();
    let week = Database::new("db").retention_policy("week");
    let tagged = |database: &Database, name: &'static str| {
        Measurement::new(database.clone(), name).tags([("t", "x"), ("u", "x")])
    };
    for database in [&"db".into(), &"other".into(), &week] {
        for name in ["m", "n"] {
            let mut first = tagged(database, name);
            assert_eq!(
                cardinality.cap(&mut first.0, TagSet::ALL, budget(1)),
                Capped::default()
            );
            let mut second = tagged(database, name).tag("u", "y");
            assert_eq!(
                cardinality
                    .cap(&mut second.0, TagSet::ALL, budget(1))
                    .values,
                1
            );
            assert_eq!(second.get_tag("t"), Some("x"));
        }
    }
}

#[test]
fn what_goes_out_as_one_value_is_one() {
    let cardinality = Cardinality::default();
    out(&cardinality, "a\n", 1);
    assert_eq!(out(&cardinality, "a\\n", 1), "a\\n");
    assert_eq!(
        out(&cardinality, "", 1),
        "",
        "left out, so it needs nothing"
    );
    assert_eq!(out(&cardinality, "\\", 1), "\\");
    let mut renamed = Measurement::new("db", "m\\").tag("t", "b");
    assert_eq!(
        cardinality
            .cap(&mut renamed.0, TagSet::ALL, budget(1))
            .values,
        1
    );
}

#[test]
fn other_itself_needs_no_budget() {
    let cardinality = Cardinality::default();
    assert_eq!(out(&cardinality, "_other", 1), "_other");
    assert_eq!(out(&cardinality, "a", 1), "a");
    assert_eq!(cardinality.take_exceeded(), []);
}

#[test]
fn the_end_of_a_budget_is_news_once() {
    let cardinality = Cardinality::default();
    let is_news = |value: &'static str, values| {
        let mut measurement = Measurement::new("db", "m").tag("t", value);
        cardinality
            .cap(&mut measurement.0, TagSet::ALL, budget(values))
            .is_news
    };
    assert!(!is_news("a", 1));
    assert!(is_news("b", 1));
    assert!(!is_news("b", 1));
    assert!(!is_news("c", 1));
    let exceeded = cardinality.take_exceeded();
    assert_eq!(exceeded.len(), 1);
    assert_eq!(
        exceeded[0].to_string(),
        "the tag \"t\" of the measurement \"m\" in the database \"db\" has used up its 1 values \
         (max_tag_values): a new one becomes _other"
    );
    assert!(cardinality.take_exceeded().is_empty());
    assert!(!is_news("b", 2));
    assert!(is_news("c", 2), "this budget is another one");
}

#[test]
fn made_up_keys_do_not_make_it_grow() {
    let mut values = Values::default();
    let mut admit = |key, value| values.admit(Tag { key, value }, budget(2));
    for key in 0..MAX_KEYS as u64 {
        assert!(matches!(admit(key, 1), Decision::Admitted));
    }
    let new_key = MAX_KEYS as u64;
    assert!(matches!(
        admit(new_key, 1),
        Decision::FirstRefused(Limit::All)
    ));
    assert!(matches!(admit(new_key, 1), Decision::Refused));
    assert!(matches!(admit(new_key + 1, 1), Decision::Refused));
    assert!(matches!(admit(0, 2), Decision::Admitted));
    assert_eq!(values.by_key.len(), MAX_KEYS);
}

#[test]
fn the_values_of_all_keys_together_are_bounded() {
    assert_eq!(max_values(budget(1)), 1_000_000);
    assert_eq!(max_values(budget(1_000_000)), 100_000_000);
    let mut values = Values {
        count: max_values(budget(7)) - 1,
        ..Values::default()
    };
    let mut admit = |value| values.admit(Tag { key: 1, value }, budget(7));
    assert!(matches!(admit(1), Decision::Admitted));
    assert!(matches!(admit(2), Decision::FirstRefused(Limit::All)));
    assert!(matches!(admit(3), Decision::Refused));
    assert!(matches!(admit(1), Decision::Admitted));
}

proptest! {
    #[test]
    fn no_more_than_the_budget_comes_out_of_a_key_and_known_values_are_never_changed(
        given in prop::collection::vec(
            (0..3_usize, prop::collection::btree_map("[ab]", "[a-z,= ]{0,2}", 0..3), 1..6_usize),
            0..200,
        ),
    ) {
        let cardinality = Cardinality::default();
        let mut known = BTreeMap::<_, Vec<String>>::new();
        let mut largest = 0;
        for (place, tags, values) in given {
            largest = largest.max(values);
            let (database, name) = [("db", "m"), ("db", "n"), ("other", "m")][place];
            let mut measurement = Measurement::new(database, name).tags(tags.clone());
            let capped = cardinality.cap(&mut measurement.0, TagSet::ALL, budget(values));
            let mut replaced = 0;
            for ((key, given), (_, out)) in tags.into_iter().zip(measurement.0.tags.iter()) {
                let known = known.entry((place, key)).or_default();
                if !given.is_empty() && !known.contains(&given) {
                    if known.len() < values {
                        known.push(given.clone());
                    } else {
                        prop_assert_eq!(out, OTHER);
                        replaced += 1;
                        continue;
                    }
                }
                prop_assert_eq!(&**out, given);
                prop_assert!(known.len() <= largest);
            }
            prop_assert_eq!(capped.values, replaced);
        }
    }
}

#[test]
fn each_refused_value_is_replaced_again_and_no_other_however_many_tags_there_are() {
    for tags in [1, 2, 40, 62, 63, 64, 65, 200] {
        let cardinality = Cardinality::default();
        let point = |value: &dyn Fn(usize) -> usize| {
            let tags = (0..tags).map(|at| (format!("t{at}"), value(at)));
            Measurement::new("db", "m").tags(tags)
        };
        cardinality.cap(&mut point(&|_| 0).0, TagSet::ALL, budget(1));
        // Every third tag has a value that there is no budget for.
        let odd = || point(&|at| usize::from(at % 3 == 0));
        let count = tags.div_ceil(3) as u64;
        let is_right = |point: &Measurement| {
            (0..tags).all(|at| {
                let expected = if at % 3 == 0 { OTHER } else { "0" };
                point.get_tag(&format!("t{at}")) == Some(expected)
            })
        };
        for round in 0..3 {
            let mut measurement = odd();
            let capped = cardinality.cap_again(&mut measurement.0, TagSet::ALL, budget(1));
            let capped = match capped {
                // The first time, the refusals are news.
                None => cardinality.cap(&mut measurement.0, TagSet::ALL, budget(1)),
                Some(capped) => capped,
            };
            assert_eq!((capped.values, capped.is_news), (count, round == 0));
            assert!(is_right(&measurement), "{tags} tags, {measurement:?}");
            let can_again = cardinality.cap_again(&mut odd().0, TagSet::ALL, budget(1));
            assert_eq!(can_again.is_some(), tags <= TagSet::TOLD_APART);
        }
    }
}
