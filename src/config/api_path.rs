//! Base URLs that were copied with the path of an API.

use percent_encoding::percent_decode_str;
use url::Url;

/// Paths that the library appends itself, or that belong to an API it uses; longer ones first. A
/// reverse proxy's prefix, like `/influx`, may precede each.
const API_PATHS: [&[&str]; 17] = [
    &["api", "v1", "write"],
    &["api", "v2", "write"],
    &["api", "v2", "query"],
    &["api", "v2", "buckets"],
    &["api", "v2", "orgs"],
    &["api", "v2", "ping"],
    &["api", "v2", "health"],
    &["api", "v3", "write_lp"],
    &["api", "v3", "query_sql"],
    &["api", "v3", "query_influxql"],
    &["api", "v3", "ping"],
    &["api", "v2"],
    &["api", "v3"],
    &["write"],
    &["query"],
    &["ping"],
    &["health"],
];

/// The intended base URL, if this one ends in an API's path.
pub(super) fn base_of(url: &Url) -> Option<String> {
    let all: Vec<&str> = url.path_segments()?.collect();
    // Extra slashes, between segments or at the end, are ignored.
    let named: Vec<(usize, String)> = all
        .iter()
        .enumerate()
        .filter(|(_, segment)| !segment.is_empty())
        .map(|(at, segment)| {
            let text = percent_decode_str(segment).decode_utf8_lossy();
            (at, text.to_ascii_lowercase())
        })
        .collect();
    let ends = |path: &&&[&str]| {
        let Some(from) = named.len().checked_sub(path.len()) else {
            return false;
        };
        let tail = named[from..].iter().map(|(_, segment)| segment.as_str());
        tail.eq(path.iter().copied())
    };
    let path = API_PATHS.iter().find(ends)?;
    let (first, _) = named[named.len() - path.len()];
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    base.set_path(&all[..first].join("/"));
    Some(base.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_api_is_taken_off_whatever_stands_before_and_behind_it() {
        for (url, base) in [
            ("http://h/write", "http://h"),
            ("http://h:8086/write/", "http://h:8086"),
            ("http://h/WRITE?db=x&p=hunter2", "http://h"),
            ("http://h/api/v2", "http://h"),
            ("http://h/api/v2/", "http://h"),
            ("http://h/Api/V2/Write", "http://h"),
            ("http://h//api//v2//write//", "http://h"),
            ("http://h/api/v2/write?org=o&bucket=b#x", "http://h"),
            ("http://h/api/v3", "http://h"),
            ("http://h/api/v3/write_lp", "http://h"),
            ("http://h/api%2fv2", "http://h/api%2fv2"),
            ("http://h/%77rite", "http://h"),
            ("http://h/query", "http://h"),
            ("http://h/ping", "http://h"),
            ("http://h/health/", "http://h"),
            ("http://h/influx/api/v2/write", "http://h/influx"),
            ("http://h/influx/write", "http://h/influx"),
            ("http://h/v1/influxdb/write", "http://h/v1/influxdb"),
            ("http://h/api/v1/write", "http://h"),
            ("http://h/influx", "http://h/influx"),
            ("http://h", "http://h"),
            ("http://h/api", "http://h/api"),
            ("http://h/api/v2/influx", "http://h/api/v2/influx"),
            ("http://h/rewrite", "http://h/rewrite"),
            ("http://h/write/influx", "http://h/write/influx"),
        ] {
            let parsed = Url::parse(url).unwrap();
            let expected = (base != url && url != "http://h").then(|| base.to_owned());
            assert_eq!(base_of(&parsed), expected, "{url}");
        }
    }
}
