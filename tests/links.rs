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
