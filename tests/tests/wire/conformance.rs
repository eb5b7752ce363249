//! `docs/conformance.md`: the tests that it names exist, its rows are complete, and its counts are right.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const WORKS: &str = "works";
const UNTESTED: &str = "works, without a test of its own";
const VERDICTS: [&str; 3] = [WORKS, UNTESTED, "differs on purpose"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One statement of the manual.
struct Row {
    number: usize,
    /// The statement, and its counterpart here.
    texts: [String; 2],
    shown_by: String,
    verdict: String,
}

/// The cells of a line of a table. A bar within a cell is escaped.
fn cells(line: &str) -> Option<Vec<String>> {
    let line = line.strip_prefix('|')?.strip_suffix('|')?;
    let line = line.replace(r"\|", "\0");
    let cells = line.split('|').map(|cell| cell.trim().replace('\0', "|"));
    Some(cells.collect())
}

fn rows(page: &str) -> Vec<Row> {
    let row = |line: &str| {
        let cells = cells(line)?;
        let number: usize = cells[0].parse().ok()?;
        let [_, statement, here, shown_by, verdict] = <[String; 5]>::try_from(cells)
            .unwrap_or_else(|cells| panic!("row {number} has {} cells", cells.len()));
        Some(Row {
            number,
            texts: [statement, here],
            shown_by,
            verdict,
        })
    };
    page.lines().filter_map(row).collect()
}

/// The counts of the introduction.
fn counts(page: &str) -> BTreeMap<String, usize> {
    let count = |line: &str| match &*cells(line)? {
        [verdict, number] => Some((verdict.clone(), number.parse().ok()?)),
        _ => None,
    };
    page.lines().filter_map(count).collect()
}

/// The text of a file, whose path begins below `tests/tests` or at the root of the repository.
fn text(path: &str) -> Option<String> {
    let below = root().join("tests/tests").join(path);
    fs::read_to_string(below)
        .or_else(|_| fs::read_to_string(root().join(path)))
        .ok()
}

/// True if the source has a function of that name that is a test.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let heads = [format!("fn {name}("), format!("async fn {name}(")];
    lines.iter().enumerate().any(|(i, line)| {
        let above = lines[..i].iter().rev();
        let mut above = above.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        let is_test =
            |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        heads.iter().any(|head| line.starts_with(head.as_str())) && above.any(is_test)
    })
}

/// A reference of a row: `` `name` (file) ``, `` `name` (file, transcript) ``, or `` example `name` (file) ``.
struct Reference<'a> {
    example: bool,
    name: &'a str,
    file: &'a str,
    transcript: Option<&'a str>,
}

impl<'a> Reference<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let named = text.strip_prefix("example ").unwrap_or(text);
        let (name, place) = named.strip_prefix('`')?.split_once("` (")?;
        let place = place.strip_suffix(')')?;
        let (file, transcript) = match place.split_once(", ") {
            Some((file, transcript)) => (file, Some(transcript)),
            None => (place, None),
        };
        Some(Self {
            example: named.len() < text.len(),
            name,
            file,
            transcript,
        })
    }

    /// The part of it that does not exist.
    fn missing(&self) -> Option<String> {
        let Self { name, file, .. } = self;
        let Some(source) = text(file) else {
            return Some(format!("there is no file {file}"));
        };
        if let Some(transcript) = self.transcript
            && !root().join(file).with_file_name(transcript).exists()
        {
            return Some(format!("there is no transcript {transcript}"));
        }
        let exists = if self.example {
            // The run of all tests runs it.
            text(".ci/run").is_some_and(|run| run.contains(&format!(" {name} ")))
        } else {
            has_test(&source, name)
        };
        (!exists).then(|| format!("{file} has no {name}"))
    }
}

/// The faults of a row.
fn faults(row: &Row) -> Vec<String> {
    let references = row.shown_by.split("<br>").filter(|text| !text.is_empty());
    let mut faults: Vec<String> = references
        .clone()
        .filter_map(|text| match Reference::parse(text) {
            Some(reference) => reference.missing(),
            None => Some(format!("{text} is no reference")),
        })
        .collect();
    let (verdict, tests) = (&*row.verdict, references.count());
    if !VERDICTS.contains(&verdict) {
        faults.push(format!("{verdict:?} is no verdict"));
    }
    if (verdict == WORKS && tests == 0) || (verdict == UNTESTED && tests > 0) {
        faults.push(format!("{tests} tests, and {verdict:?}"));
    }
    if row.texts.iter().any(String::is_empty) {
        faults.push("a cell is empty".to_owned());
    }
    faults
}

#[test]
fn conformance_is_shown_by_tests_that_exist() {
    let page = text("docs/conformance.md").expect("the page");
    let wrong: Vec<String> = rows(&page)
        .iter()
        .flat_map(|row| {
            let of = |fault| format!("row {}: {fault}", row.number);
            faults(row).into_iter().map(of).collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn conformance_counts_every_row() {
    let page = text("docs/conformance.md").expect("the page");
    let rows = rows(&page);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row.number, i + 1, "rows are numbered without gaps");
    }
    assert!(rows.len() > 200, "{} rows were found", rows.len());
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        *counted.entry(row.verdict).or_default() += 1;
    }
    assert_eq!(counts(&page), counted);
}
