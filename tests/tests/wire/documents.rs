//! The pages of the protocol, and the comments that cite them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The crates that are published. The documents that they cite have to be in their packages.
const PUBLISHED: [&str; 5] = [
    "aemp",
    "aemp-cli",
    "aemp-codec",
    "aemp-macros",
    "aemp-proto",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The texts of all files below a folder whose names end like that.
fn texts(below: &Path, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(texts(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// A heading as rustdoc makes an anchor of it.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

/// The anchors of each page, by its name.
fn pages() -> BTreeMap<String, BTreeSet<String>> {
    let folder = root().join("aemp-proto/docs/protocol");
    let pages = texts(&folder, ".md").into_iter().map(|(path, text)| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let headings = text.lines().filter(|line| line.starts_with('#'));
        let anchors = headings.map(|line| anchor(line.trim_start_matches('#').trim()));
        (name, anchors.collect())
    });
    pages.collect()
}

/// Page and section of each citation in a text: `protocol::page#anchor`, or `` `..protocol::page`, "Section" ``.
fn citations(text: &str) -> Vec<(&str, String)> {
    let name = |c: char| c.is_ascii_lowercase() || c == '_';
    let cited = text.split("::protocol::").skip(1).map(|rest| {
        let (page, behind) = rest.split_at(rest.find(|c| !name(c)).unwrap_or(rest.len()));
        let section = if let Some(behind) = behind.strip_prefix('#') {
            behind.split(')').next().unwrap_or_default().into()
        } else if let Some(behind) = behind.strip_prefix("`, \"") {
            anchor(behind.split('"').next().unwrap_or_default())
        } else {
            String::new()
        };
        (page, section)
    });
    cited.collect()
}

#[test]
fn citations_in_the_code_exist() {
    let pages = pages();
    let mut cited = 0;
    for package in PUBLISHED.into_iter().chain(["tests/tests", "tests/src"]) {
        for (path, text) in texts(&root().join(package), ".rs") {
            // Modules of that name are none of the pages.
            if path.ends_with("src/protocol.rs") || path.ends_with("wire/documents.rs") {
                continue;
            }
            for (page, section) in citations(&text) {
                let anchors = pages.get(page);
                let anchors =
                    anchors.unwrap_or_else(|| panic!("{}: no page {page}", path.display()));
                let known = section.is_empty() || anchors.contains(&section);
                assert!(known, "{}: no section {page}#{section}", path.display());
                cited += 1;
            }
        }
    }
    assert!(cited > 50, "{cited} citations were found");
}

#[test]
fn citations_between_the_pages_exist() {
    let pages = pages();
    for (path, text) in texts(&root().join("aemp-proto/docs/protocol"), ".md") {
        // Line ends within a citation are blanks.
        let text = text.replace('\n', " ");
        for page in pages.keys() {
            let links = format!("[{page}], \"");
            for rest in text.split(&links).skip(1) {
                let section = rest.split('"').next().unwrap_or_default();
                let known = pages[page].contains(&anchor(section));
                assert!(known, "{}: no section {page}, {section:?}", path.display());
            }
        }
    }
}

/// `README.md` is the index.
#[test]
fn every_page_is_part_of_the_documentation() {
    let module = root().join("aemp-proto/src/protocol.rs");
    let module = fs::read_to_string(module).unwrap();
    for page in pages().into_keys() {
        let file = format!("{page}.md");
        assert!(module.contains(&file), "{file} is no module");
    }
}

#[test]
fn a_published_file_cites_no_document_that_is_not_published() {
    for package in PUBLISHED {
        for (path, text) in texts(&root().join(package).join("src"), ".rs") {
            for line in text.lines().filter(|line| line.contains("//")) {
                let documents = [
                    "ARCHITECTURE.md",
                    "SECURITY.md",
                    "BENCHMARKS.md",
                    "CONTRIBUTING.md",
                ];
                let cited = documents.iter().find(|name| line.contains(**name));
                assert_eq!(cited, None, "{}: {line}", path.display());
            }
        }
    }
}
