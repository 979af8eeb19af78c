//! What Grafana needs of a dashboard, and does not say when it is missing.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::files::{DASHBOARDS, list, query_of, read, text};

/// Units of Grafana (`@grafana/data`, valueFormats).
const UNITS: [&str; 7] = ["Bps", "bytes", "cps", "percentunit", "reqps", "s", "short"];
/// Width of the grid in columns.
const COLUMNS: u64 = 24;
/// Variables that Grafana has itself.
const BUILT_IN: [&str; 6] = [
    "timeFilter",
    "__interval",
    "__interval_ms",
    "__range",
    "__rate_interval",
    "__from",
];
/// Functions of its data source for SQL.
const MACROS: [&str; 2] = ["__dateBin", "__timeFilter"];

/// The names behind `$` and `${`.
fn variables(query: &str) -> BTreeSet<String> {
    let names = query.split('$').skip(1).map(|rest| {
        let rest = rest.trim_start_matches('{');
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        rest.chars()
            .take_while(|c| is_of_name(*c))
            .collect::<String>()
    });
    // A `$` that ends a regular expression is none.
    names.filter(|name| !name.is_empty()).collect()
}

fn assert_is_of_the_variable(datasource: &Value, what: &str) {
    assert_eq!(datasource["uid"], "${ds}", "{what}");
    let known = ["influxdb", "prometheus"];
    assert!(known.contains(&text(&datasource["type"])), "{what}");
}

#[test]
fn panels_have_ids_of_their_own_and_share_no_cell_of_the_grid() {
    let mut uids = BTreeSet::new();
    for name in DASHBOARDS {
        let dashboard = read(name);
        assert!(dashboard["id"].is_null(), "{name}: an id is of one Grafana");
        let uid = text(&dashboard["uid"]).to_owned();
        assert!((1..=40).contains(&uid.len()) && uids.insert(uid), "{name}");
        let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
        for panel in list(&dashboard["panels"]) {
            let what = format!("{name}: {}", panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{what}");
            let [x, y, w, h] = ["x", "y", "w", "h"]
                .map(|key| panel["gridPos"][key].as_u64().expect("a place on the grid"));
            assert!(w > 0 && h > 0 && x + w <= COLUMNS, "{what}");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(cells.insert(cell), "{what} covers another panel");
            }
        }
    }
}

#[test]
fn panels_and_targets_use_the_data_source_that_is_chosen_and_known_units() {
    for name in DASHBOARDS {
        let dashboard = read(name);
        for panel in list(&dashboard["panels"]) {
            let what = format!("{name}: {}", panel["title"]);
            if panel["type"] == "row" {
                continue;
            }
            assert!(
                ["timeseries", "table"].contains(&text(&panel["type"])),
                "{what}"
            );
            assert!(!text(&panel["description"]).is_empty(), "{what}");
            assert_is_of_the_variable(&panel["datasource"], &what);
            let defaults = &panel["fieldConfig"]["defaults"];
            let overrides = list(&panel["fieldConfig"]["overrides"]).iter();
            let units = overrides.flat_map(|it| list(&it["properties"]));
            let units = units.map(|it| &it["value"]).chain([&defaults["unit"]]);
            units.for_each(|unit| assert!(UNITS.contains(&text(unit)), "{what}: {unit}"));
            let mut refs = BTreeSet::new();
            let targets = list(&panel["targets"]);
            assert!(!targets.is_empty(), "{what}");
            for target in targets {
                assert_is_of_the_variable(&target["datasource"], &what);
                assert!(refs.insert(text(&target["refId"])), "{what}");
            }
        }
    }
}

#[test]
fn queries_use_variables_that_there_are_and_each_variable_is_used() {
    for name in DASHBOARDS {
        let dashboard = read(name);
        let there: BTreeSet<String> = list(&dashboard["templating"]["list"])
            .iter()
            .map(|variable| text(&variable["name"]).to_owned())
            .collect();
        let mut used = BTreeSet::from(["ds".to_owned()]);
        for panel in list(&dashboard["panels"]) {
            for target in list(&panel["targets"]) {
                used.extend(variables(query_of(target)));
            }
        }
        used.retain(|name| !BUILT_IN.contains(&&**name) && !MACROS.contains(&&**name));
        assert_eq!(used, there, "{name}");
    }
}

#[test]
fn the_dashboards_show_the_same_panels() {
    let titles = |name: &str| {
        let dashboard = read(name);
        let panels = list(&dashboard["panels"]).iter();
        let shown = panels.map(|panel| {
            let key = |key: &str| panel[key].to_string();
            [
                key("title"),
                key("description"),
                key("gridPos"),
                key("type"),
            ]
        });
        shown.collect::<Vec<_>>()
    };
    assert!(titles(DASHBOARDS[0]).len() >= 16);
    for name in &DASHBOARDS[1..] {
        assert_eq!(titles(name), titles(DASHBOARDS[0]), "{name}");
    }
}

#[test]
fn the_dashboard_in_sql_says_that_no_test_runs_it() {
    let dashboard = read(crate::files::SQL);
    assert!(text(&dashboard["description"]).contains("NOT RUN"));
}
