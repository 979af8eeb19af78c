use proptest::prelude::*;

use super::{
    super::{BaseTag, Precision},
    cache::{MAX_BYTES, MAX_COUNT, MAX_LEN},
    *,
};
use crate::{Database, Measurement, point::measurement::Key};

fn encoder() -> Encoder {
    let base_tags = [("b", "base"), ("host", "web 1"), ("region", "eu")];
    Encoder::new(base_tags, Precision::Nanoseconds, false)
}

/// The series part by the rules, tag by tag.
fn expected(encoder: &Encoder, point: &Contents) -> String {
    let mut line = LineBuffer::default();
    line.push_replaced(&point.name, Part::Name);
    let mut start = 0;
    let base = encoder.base_tags.iter().map(|BaseTag { key, end }| {
        let text = &encoder.base_text.line()[start..*end];
        start = *end;
        (key.clone(), text.to_vec())
    });
    let own = point.tags.iter().map(|(key, value)| {
        let mut text = LineBuffer::default();
        fields::push_key(&mut text, b',', key);
        let before = text.line_len();
        text.push_replaced(value, Part::Key);
        match key.is_empty() || text.line_len() == before {
            true => (key.clone(), Vec::new()),
            false => (key.clone(), text.into_bytes()),
        }
    });
    // Later ones replace earlier ones.
    let tags: std::collections::BTreeMap<Key, Vec<u8>> = base.chain(own).collect();
    tags.values().for_each(|text| line.push_all(text));
    String::from_utf8(line.into_bytes()).unwrap()
}

fn push(
    cache: &mut SchemaCache,
    encoder: &Encoder,
    measurement: &Measurement,
) -> (String, Option<u64>) {
    let mut line = LineBuffer::default();
    let series = cache.push(&measurement.0, encoder, &mut line).unwrap();
    (String::from_utf8(line.into_bytes()).unwrap(), series)
}

/// Pushes it until its schema is kept. Returns the hash of the series.
fn learnt(cache: &mut SchemaCache, measurement: &Measurement) -> u64 {
    for _ in 0..2 {
        push(cache, &encoder(), measurement);
    }
    push(cache, &encoder(), measurement).1.expect("it is kept")
}

fn text() -> impl Strategy<Value = String> {
    let long = "[a-z]{1,3}".prop_map(|text| text.repeat(30));
    prop_oneof![4 => "[a-z]{0,9}", 2 => "[a-z ,=\\\\\n\"]{0,20}", 1 => "\\PC{0,40}", 1 => long]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-c]|host|region|zone",
        2 => "availability_zone_[a-c]{0,2}|abcdefgh[ij]?",
        1 => "[a-c ,=\\\\]{0,4}",
        1 => "[a-c]{60,70}",
    ]
}

proptest! {
    #[test]
    fn series_parts_of_kept_schemas_are_those_of_new_ones_in_any_order(
        points in prop::collection::vec(
            (prop::sample::select(vec!["m", "a name", "other"]), prop::collection::vec((key(), text()), 0..12)),
            1..8,
        ),
    ) {
        let (encoder, mut cache) = (encoder(), SchemaCache::default());
        for round in 0..4 {
            for (name, tags) in &points {
                let measurement = Measurement::new("db", *name).tags(tags.iter().cloned());
                let (part, series) = push(&mut cache, &encoder, &measurement);
                prop_assert_eq!(&part, &expected(&encoder, &measurement.0));
                let is_long = part.len() > MAX_LEN;
                prop_assert!(series.is_some() || round < 2 || is_long);
            }
        }
    }
}

#[test]
fn a_schema_is_kept_the_second_time_and_its_series_are_told_apart_by_all_that_they_say() {
    let mut cache = SchemaCache::default();
    let long = "x".repeat(40);
    let tags = |values: [&str; 2]| {
        let tags = ["a", "z"].into_iter().zip(values.map(str::to_owned));
        Measurement::new("db", "m").tags(tags)
    };
    let mut all = vec![
        tags(["1", "2"]),
        tags(["2", "1"]),
        tags(["1", ""]),
        tags(["", "1"]),
        tags(["12", ""]),
        tags(["1", "a"]),
        tags(["1", "aa"]),
        tags(["12345678", "1"]),
        tags(["1234567812345678", "1"]),
        tags(["12345678123456781234567812345678", "1"]),
        tags(["1", "x y"]),
        tags(["1", &long]),
        Measurement::new("db", "n").tag("a", "1").tag("z", "2"),
        Measurement::new("db", "m").tag("a", "1").tag("y", "2"),
        Measurement::new("other", "m").tag("a", "1").tag("z", "2"),
        Measurement::new("db", "m").tag("a", "1"),
        Measurement::new("db", "m"),
    ];
    let policy = Database::new("db").retention_policy("week");
    all.push(Measurement::new(policy, "m").tag("a", "1").tag("z", "2"));
    let hashes: Vec<u64> = all.iter().map(|one| learnt(&mut cache, one)).collect();
    let again: Vec<u64> = all.iter().map(|one| learnt(&mut cache, one)).collect();
    assert_eq!(hashes, again, "the same series, the same hash");
    let different: std::collections::HashSet<_> = hashes.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn hardly_a_schema_that_came_once_is_kept_and_none_that_is_long() {
    let (encoder, mut cache) = (encoder(), SchemaCache::default());
    for number in 0..1_000 {
        let once = Measurement::new("db", "m").tag(format!("key_{number}"), 1);
        push(&mut cache, &encoder, &once);
    }
    // Those whose bit another had before.
    let by_chance = cache.count();
    assert!(by_chance < 20, "{by_chance}");
    let long = "k".repeat(MAX_LEN);
    let backslashes = "\\".repeat(2 * MAX_LEN);
    for _ in 0..5 {
        let many = (0..100).map(|number| (format!("key_{number}"), 1));
        for measurement in [
            Measurement::new("db", "m").tag(long.clone(), 1),
            Measurement::new("db", long.clone()),
            Measurement::new("db", format!("m{backslashes}x")),
            Measurement::new("db", "m").tags(many),
        ] {
            let (part, series) = push(&mut cache, &encoder, &measurement);
            assert_eq!((part, series), (expected(&encoder, &measurement.0), None));
        }
    }
    assert_eq!(cache.count(), by_chance);
}

#[test]
fn no_more_schemas_are_kept_than_there_is_room_for() {
    let mut cache = SchemaCache::default();
    for (tags, most) in [(1, MAX_COUNT), (30, MAX_COUNT / 2)] {
        let mut largest = (0, 0);
        for number in 0..3 * MAX_COUNT {
            let tags = (0..tags).map(|tag| (format!("some_key_{number}_{tag}"), 1));
            learnt(&mut cache, &Measurement::new("db", "m").tags(tags));
            largest = largest.max((cache.count(), cache.bytes()));
            assert!(cache.bytes() <= MAX_BYTES);
        }
        assert!((most / 4..=most).contains(&largest.0), "{largest:?}");
        cache.forget();
    }
}

#[test]
fn the_size_of_a_schema_is_that_of_its_texts_and_a_little_more() {
    for (name, key) in [(1, 1), (500, 1), (1, 400), (300, 300)] {
        let mut cache = SchemaCache::default();
        let texts = ["n".repeat(name), "k".repeat(key), "l".repeat(key)];
        let [named, key, other] = texts.clone();
        learnt(
            &mut cache,
            &Measurement::new("db", named).tags([(key, 1), (other, 1)]),
        );
        let texts: usize = texts.iter().map(String::len).sum();
        // As they are, and as they are written.
        assert!(
            (2 * texts..2 * texts + 4_000).contains(&cache.bytes()),
            "{}",
            cache.bytes()
        );
    }
}

#[test]
fn after_an_update_other_base_tags_are_written() {
    let mut cache = SchemaCache::default();
    let measurement = Measurement::new("db", "m").tag("a", 1);
    learnt(&mut cache, &measurement);
    cache.forget();
    let other = Encoder::new([("z", "new")], Precision::Nanoseconds, false);
    for _ in 0..4 {
        assert_eq!(push(&mut cache, &other, &measurement).0, "m,a=1,z=new");
    }
}

#[test]
fn a_measurement_without_a_database_is_refused_with_a_schema_and_without() {
    let (encoder, mut cache) = (encoder(), SchemaCache::default());
    learnt(&mut cache, &Measurement::new("db", "m").tag("a", 1));
    for tags in [1, 2] {
        let tags = ["a", "b"].into_iter().take(tags).map(|key| (key, 1));
        let nowhere = Measurement::new("", "m").tags(tags);
        let refused = cache.push(&nowhere.0, &encoder, &mut LineBuffer::default());
        let kind = NameKind::Database;
        assert!(
            matches!(refused, Err(RecordError::InvalidName { kind: of, .. }) if of == kind),
            "{refused:?}"
        );
    }
}
