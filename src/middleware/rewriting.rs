//! What middlewares between this one and the router make of a request's path. Pure.
//!
//! A request that comes back tells its route. One that doesn't, because it was dropped, panicked or
//! was refused with an `Err`, is known by the path that it came with, which need not be the one
//! that the router was to see: so what the others make of paths is learned from the requests that
//! do come back. `NormalizePath` is expected from the start, until requests show otherwise.

use std::borrow::Cow;

/// So many rules are kept, the ones that were seen last.
const MAX_RULES: usize = 16;
/// Longer ones are not kept, in bytes.
const MAX_LEN: usize = 256;

/// What is known of one service.
#[derive(Debug, Default)]
pub(super) struct Rewriting {
    /// Prefixes that were replaced, and what by; the last one seen is the last.
    rules: Vec<(Box<str>, Box<str>)>,
    /// Of each of the `KINDS`.
    evidence: [Evidence; KINDS.len()],
}

/// What requests that came back say of a kind of normalization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Evidence {
    #[default]
    None,
    /// A path was changed just so.
    For,
    /// A path that it would have changed came back as it was.
    Against,
}

/// What actix-web's `NormalizePath` does with one `TrailingSlash`.
struct Kind {
    apply: fn(&str) -> String,
    /// Would this path stay as it is?
    leaves: fn(&str) -> bool,
}

const KINDS: [Kind; 3] = [
    Kind {
        apply: merged,
        leaves: is_merged,
    },
    Kind {
        apply: trimmed,
        leaves: |path| is_merged(path) && (path == "/" || !path.ends_with('/')),
    },
    Kind {
        apply: with_slash,
        leaves: |path| is_merged(path) && path.ends_with('/'),
    },
];

impl Rewriting {
    /// A request came with the path `before`, and the router saw `after`.
    pub(super) fn learn(&mut self, before: &str, after: &str) {
        let kinds = KINDS.iter().zip(&mut self.evidence);
        if before == after {
            for (kind, evidence) in kinds {
                if *evidence != Evidence::Against && !(kind.leaves)(before) {
                    *evidence = Evidence::Against;
                }
            }
            return;
        }
        let mut is_normalized = false;
        for (kind, evidence) in kinds {
            if (kind.apply)(before) == after {
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

    /// What `path` may be for the router, the likeliest first.
    pub(super) fn candidates<'a>(&self, path: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        let normalized = move |wanted| {
            let kinds = KINDS.iter().zip(&self.evidence);
            let kinds = kinds.filter(move |(_, evidence)| **evidence == wanted);
            kinds.map(move |(kind, _)| Cow::Owned((kind.apply)(path)))
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

/// The length of the end that both paths share, from a `/` on.
fn shared_segments(one: &str, other: &str) -> usize {
    let bytes = one.bytes().rev().zip(other.bytes().rev());
    let same = bytes.take_while(|(one, other)| one == other).count();
    // In bytes, because characters may share some.
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
        for (style, kind) in styles.into_iter().zip(KINDS) {
            let path = async |request: HttpRequest| request.path().to_owned();
            let app = App::new()
                .default_service(web::to(path))
                .wrap(NormalizePath::new(style));
            let app = init_service(app).await;
            for path in ["/", "//", "///", "/a", "/a/", "/a//", "//a/b", "/a///b//c/"] {
                let request = TestRequest::with_uri(path).to_request();
                let seen = call_and_read_body(&app, request).await;
                assert_eq!((kind.apply)(path).as_bytes(), seen, "{path}");
                assert_eq!((kind.leaves)(path), seen == path, "{path}");
            }
        }
    }

    #[test]
    fn normalized_paths_are_expected_until_one_came_back_as_it_was() {
        assert_eq!(candidates(&[], "//a/"), ["//a/", "/a/", "/a", "/a/"]);
        // It merges, and may append: but it does not trim.
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
