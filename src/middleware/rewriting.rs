//! How inner middlewares rewrite paths before the router sees them. Pure.
//!
//! A request that gets a response tells its route. One that is dropped, panics or is refused with
//! an `Err` has only the path that it arrived with, which the router might see rewritten. So
//! rewrites are learned from requests with a response. `NormalizePath` is assumed until requests
//! show otherwise.

use std::borrow::Cow;

/// Maximum number of rules; the latest are kept.
const MAX_RULES: usize = 16;
/// Maximum length of a prefix, in bytes.
const MAX_LEN: usize = 256;

/// Rewrites of one service.
#[derive(Debug, Default)]
pub(super) struct Rewriting {
    /// Replaced prefixes and their replacements, the latest last.
    rules: Vec<(Box<str>, Box<str>)>,
    /// For each of the `NORMALIZATIONS`.
    evidence: [Evidence; NORMALIZATIONS.len()],
}

/// What requests with a response say of a normalization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Evidence {
    #[default]
    None,
    /// A path was changed this way.
    For,
    /// A path that would have changed was unchanged.
    Against,
}

/// The effect of actix-web's `NormalizePath` with one `TrailingSlash`.
struct Normalization {
    apply: fn(&str) -> String,
    /// Whether this path stays unchanged.
    keeps: fn(&str) -> bool,
}

const NORMALIZATIONS: [Normalization; 3] = [
    Normalization {
        apply: merged,
        keeps: is_merged,
    },
    Normalization {
        apply: trimmed,
        keeps: |path| is_merged(path) && (path == "/" || !path.ends_with('/')),
    },
    Normalization {
        apply: with_slash,
        keeps: |path| is_merged(path) && path.ends_with('/'),
    },
];

impl Rewriting {
    /// Learns from a request that arrived with the path `before`, of which the router saw `after`.
    pub(super) fn learn(&mut self, before: &str, after: &str) {
        let normalizations = NORMALIZATIONS.iter().zip(&mut self.evidence);
        if before == after {
            for (normalization, evidence) in normalizations {
                if *evidence != Evidence::Against && !(normalization.keeps)(before) {
                    *evidence = Evidence::Against;
                }
            }
            return;
        }
        let mut is_normalized = false;
        for (normalization, evidence) in normalizations {
            if (normalization.apply)(before) == after {
                *evidence = Evidence::For;
                is_normalized = true;
            }
        }
        if !is_normalized {
            self.learn_prefix(before, after);
        }
    }

    fn learn_prefix(&mut self, before: &str, after: &str) {
        let shared = shared_segments(before, after);
        let from = &before[..before.len() - shared];
        let to = &after[..after.len() - shared];
        if from.len().max(to.len()) > MAX_LEN {
            return;
        }
        self.rules.retain(|(known, _)| **known != *from);
        if self.rules.len() == MAX_RULES {
            self.rules.remove(0);
        }
        self.rules.push((from.into(), to.into()));
    }

    /// The paths that the router may see instead of `path`, the likeliest first.
    pub(super) fn candidates<'a>(&self, path: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        let normalized = move |wanted| {
            let normalizations = NORMALIZATIONS.iter().zip(&self.evidence);
            let normalizations = normalizations.filter(move |(_, evidence)| **evidence == wanted);
            normalizations.map(move |(normalization, _)| Cow::Owned((normalization.apply)(path)))
        };
        let rules = self.rules.iter().rev();
        let replaced = rules.filter_map(move |(from, to)| {
            let rest = path.strip_prefix(&**from)?;
            let is_whole = rest.is_empty() || rest.starts_with('/');
            is_whole.then(|| Cow::Owned([to, rest].concat()))
        });
        let as_it_came = std::iter::once(Cow::Borrowed(path));
        let known = normalized(Evidence::For).chain(as_it_came);
        known.chain(normalized(Evidence::None)).chain(replaced)
    }
}

/// Length of the common suffix of both paths, starting at a `/`.
fn shared_segments(one: &str, other: &str) -> usize {
    let bytes = one.bytes().rev().zip(other.bytes().rev());
    let same = bytes.take_while(|(one, other)| one == other).count();
    // In bytes, as characters may share some.
    let end = &one.as_bytes()[one.len() - same..];
    let slash = end.iter().position(|byte| *byte == b'/');
    slash.map_or(0, |at| same - at)
}

fn is_merged(path: &str) -> bool {
    !path.contains("//")
}

fn merged(path: &str) -> String {
    let mut merged = String::with_capacity(path.len() + 1);
    for char in path.chars() {
        if char != '/' || !merged.ends_with('/') {
            merged.push(char);
        }
    }
    merged
}

fn trimmed(path: &str) -> String {
    match merged(path.trim_end_matches('/')) {
        root if root.is_empty() => "/".to_owned(),
        trimmed => trimmed,
    }
}

fn with_slash(path: &str) -> String {
    let mut path = merged(path);
    if !path.ends_with('/') {
        path.push('/');
    }
    path
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App, HttpRequest,
        middleware::{NormalizePath, TrailingSlash},
        test::{TestRequest, call_and_read_body, init_service},
        web,
    };

    use super::*;

    fn candidates<'a>(learned: &[(&str, &str)], path: &'a str) -> Vec<Cow<'a, str>> {
        let mut rewriting = Rewriting::default();
        for (before, after) in learned {
            rewriting.learn(before, after);
        }
        rewriting.candidates(path).collect()
    }

    #[actix_web::test]
    async fn a_path_is_normalized_as_actix_web_does() {
        let styles = [
            TrailingSlash::MergeOnly,
            TrailingSlash::Trim,
            TrailingSlash::Always,
        ];
        for (style, normalization) in styles.into_iter().zip(NORMALIZATIONS) {
            let path = async |request: HttpRequest| request.path().to_owned();
            let app = App::new()
                .default_service(web::to(path))
                .wrap(NormalizePath::new(style));
            let app = init_service(app).await;
            for path in ["/", "//", "///", "/a", "/a/", "/a//", "//a/b", "/a///b//c/"] {
                let request = TestRequest::with_uri(path).to_request();
                let seen = call_and_read_body(&app, request).await;
                assert_eq!((normalization.apply)(path).as_bytes(), seen, "{path}");
                assert_eq!((normalization.keeps)(path), seen == path, "{path}");
            }
        }
    }

    #[test]
    fn normalized_paths_are_expected_until_one_came_back_as_it_was() {
        assert_eq!(candidates(&[], "//a/"), ["//a/", "/a/", "/a", "/a/"]);
        // The slashes were merged, and one may be appended, but none is trimmed.
        let slash = ("/b/", "/b/");
        assert_eq!(candidates(&[slash], "//a/"), ["//a/", "/a/", "/a/"]);
        assert_eq!(candidates(&[("/b", "/b")], "//a/"), ["//a/", "/a/", "/a"]);
        let nothing = [("//b", "//b"), slash, ("/", "/")];
        assert_eq!(candidates(&nothing, "//a/"), ["//a/"]);
    }

    #[test]
    fn a_kind_that_was_seen_goes_before_the_path_as_it_came() {
        let trims = ("/b/", "/b");
        assert_eq!(candidates(&[trims], "/a/")[..2], ["/a", "/a/"]);
        let not_any_more = [trims, ("/b/", "/b/")];
        assert!(!candidates(&not_any_more, "/a/").contains(&Cow::Borrowed("/a")));
    }

    #[test]
    fn a_prefix_that_was_replaced_is_replaced_again_the_last_one_seen_first() {
        let last = |learned: &[_], path| candidates(learned, path).pop().unwrap().into_owned();
        let stripped = [("/v1/users/7", "/users/7")];
        assert_eq!(last(&stripped, "/v1/posts/1"), "/posts/1");
        assert_eq!(last(&stripped, "/v12/posts"), "/v12/posts/"); // only normalized
        assert_eq!(last(&[("/old", "/new")], "/old"), "/new");
        assert_eq!(last(&[("/a", "/b/a")], "/c"), "/b/c");
        assert_eq!(last(&[("/x1/a", "/y1/a")], "/x1/b"), "/y1/b");
        let both = [("/x/a", "/y/a"), ("/x/a", "/z/a")];
        assert_eq!(last(&both, "/x/1"), "/z/1");
        // The bytes of `é` and `ĩ` end alike.
        assert_eq!(last(&[("/é", "/ĩ")], "/é/1"), "/ĩ/1");
    }

    #[test]
    fn rules_are_few_and_short() {
        let mut rewriting = Rewriting::default();
        for at in 0..100 {
            rewriting.learn(&format!("/{at}"), "/x");
        }
        rewriting.learn(&"/x".repeat(MAX_LEN), "/y");
        assert_eq!(rewriting.rules.len(), MAX_RULES);
        assert_eq!(&*rewriting.rules[MAX_RULES - 1].0, "/99");
        let longest = "/x".repeat(MAX_LEN / 2);
        rewriting.learn(&longest, "/y");
        assert_eq!(&*rewriting.rules[MAX_RULES - 1].0, longest);
    }
}
