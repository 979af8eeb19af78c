//! What the Markdown pages and the README name is there: files, headings and tests.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The pages of the repository, or those of them that are in the package.
fn pages() -> Vec<PathBuf> {
    let folders = ["", "docs", "benches/versus", "examples/scale_out"]
        .map(|folder| Path::new(ROOT).join(folder));
    let files = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let mut pages: Vec<_> = files
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    assert!(!pages.is_empty(), "{ROOT}");
    pages
}

/// What stands in the page outside of blocks of code.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The targets of `[text](target)`.
fn links(prose: &str) -> Vec<&str> {
    let parts = prose.split("](").skip(1);
    parts.filter_map(|part| part.split(')').next()).collect()
}

/// The anchors of a page's headings, as GitHub and crates.io make them.
fn anchors(page: &Path) -> BTreeSet<String> {
    let prose = prose(page);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text
            .chars()
            .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
        kept.map(|char| if char == ' ' { '-' } else { char })
            .collect()
    };
    headings.map(anchor).collect()
}

/// `a/../b` is `b`, without a look at the disk.
fn normalized(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => _ = normal.pop(),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// What `exclude` in Cargo.toml keeps out of the package.
fn excluded() -> Vec<PathBuf> {
    let manifest = fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).unwrap();
    let list = manifest.split_once("\nexclude = [").map(|(_, rest)| rest);
    let Some(list) = list.and_then(|rest| rest.split(']').next()) else {
        return Vec::new(); // The package's own Cargo.toml.
    };
    let paths = list.split('"').skip(1).step_by(2);
    paths
        .map(|path| Path::new(ROOT).join(path.trim_start_matches('/')))
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_and_out_of_no_package() {
    let excluded = excluded();
    let is_excluded = |path: &Path| excluded.iter().any(|folder| path.starts_with(folder));
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        let prose = prose(&page);
        for link in links(&prose).into_iter().filter(|it| !it.contains("://")) {
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.clone(),
                file => normalized(&page.parent().unwrap().join(file)),
            };
            let why = if !target.exists() {
                "no such file"
            } else if !anchor.is_empty() && !anchors(&target).contains(anchor) {
                "no such heading"
            } else if is_excluded(&target) && !is_excluded(&page) {
                "not in the package"
            } else {
                continue;
            };
            wrong.push(format!("{}: {link}: {why}", page.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 10, "only {count} links were found");
}

/// The sources of the integration tests of that name, one file or a folder.
fn test_sources(name: &str) -> String {
    let tests = Path::new(ROOT).join("tests");
    let folder = fs::read_dir(tests.join(name)).ok();
    let inside = folder.into_iter().flatten().map(|it| it.unwrap().path());
    let files = inside.chain([tests.join(format!("{name}.rs"))]);
    let sources = files.filter_map(|file| fs::read_to_string(file).ok());
    sources.collect()
}

#[test]
fn every_test_that_the_readme_and_the_page_of_servers_name_is_there() {
    for (page, at_least) in [("README.md", 10), ("docs/servers.md", 10)] {
        let prose = prose(&Path::new(ROOT).join(page));
        let (count, wrong) = named_tests(&prose);
        assert!(wrong.is_empty(), "{page}: no such tests: {wrong:#?}");
        assert!(count > at_least, "{page}: only {count} tests are named");
    }
}

/// How many tests the last columns of tables name that are there, and those that are not.
fn named_tests(prose: &str) -> (usize, Vec<&str>) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in prose.lines().filter(|line| line.starts_with('|')) {
        let column = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let names = column.split('`').skip(1).step_by(2);
        let mut sources = String::new();
        for name in names.filter(|name| {
            name.bytes()
                .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
        }) {
            let of_file = test_sources(name);
            if !of_file.is_empty() {
                sources = of_file;
            } else if sources.contains(&format!("fn {name}(")) {
                count += 1;
            } else if !sources.is_empty() {
                wrong.push(name);
            }
        }
    }
    (count, wrong)
}

#[test]
fn the_code_of_every_page_is_compiled_and_says_which_language_it_is() {
    let library = fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let fences = text
            .lines()
            .filter(|line| line.trim_start().starts_with("```"));
        let languages: Vec<_> = fences.step_by(2).map(|it| it.trim()).collect();
        if languages.contains(&"```") {
            wrong.push(format!("{}: a block of no language", page.display()));
        }
        let has_rust = languages.iter().any(|it| it.starts_with("```rust"));
        let name = page.strip_prefix(ROOT).unwrap().display().to_string();
        count += usize::from(has_rust);
        if has_rust && !library.contains(&format!("\"../{name}\"")) {
            wrong.push(format!("{name}: not in the list in src/lib.rs"));
        }
        if languages.iter().any(|it| it.contains("ignore")) {
            wrong.push(format!("{name}: code that is not compiled"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 3, "only {count} pages have code");
}

/// The literals of the calls of these macros, joined, in all files of `src`.
fn logged(macros: &[&str], folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            logged(macros, &path, found);
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for name in macros {
            for call in source.split(name).skip(1) {
                let end = call.find(");").unwrap_or(call.len());
                if let Some((_, literal)) = call[..end].split_once('"') {
                    let literal = literal.split('"').next().unwrap_or_default();
                    found.push(literal.to_owned());
                }
            }
        }
    }
}

/// The longest part of a line of the log that is the same each time.
fn constant_part(literal: &str) -> String {
    let unfolded = literal.replace("\\\n", " ");
    let mut depth = 0;
    let parts = unfolded.split(|char| {
        depth += i32::from(char == '{') - i32::from(char == '}');
        char == '{' || char == '}' || depth > 0
    });
    let words = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts = parts.map(words);
    parts.max_by_key(String::len).unwrap_or_default()
}

#[test]
fn every_warning_and_error_of_the_log_is_in_the_page_for_operators() {
    let source = Path::new(ROOT).join("src");
    let mut found = Vec::new();
    let macros = [
        "logging::warning!(",
        "logging::error!(",
        "logging::log_at!(",
    ];
    logged(&macros, &source, &mut found);
    assert!(found.len() > 20, "{found:#?}");
    let page = fs::read_to_string(Path::new(ROOT).join("docs/operations.md")).unwrap();
    let page = page.replace('`', "");
    let is_missing = |literal: &String| {
        let part = constant_part(literal);
        // The first words: the page leaves the rest out where it is long.
        let words: Vec<_> = part.split(' ').take(5).collect();
        part.len() > 12 && !page.contains(&words.join(" ").replace('`', ""))
    };
    let missing: Vec<_> = found.iter().filter(|it| is_missing(it)).collect();
    assert!(
        missing.is_empty(),
        "not in docs/operations.md: {missing:#?}"
    );
}
