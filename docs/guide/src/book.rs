//! The chapters of the guide: their inclusions, links and headings.

/// The inclusions of a chapter: file, from the chapter's directory, and anchor, or the numbers of lines.
#[must_use]
pub fn inclusions(chapter: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for part in chapter.split("{{#include ").skip(1) {
        let target = part.split("}}").next().unwrap_or_default();
        found.push(target.split_once(':').unwrap_or((target, "")));
    }
    found
}

/// The targets of a chapter's links and pictures. Blocks of code are left out.
#[must_use]
pub fn links(chapter: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for text in chapter.split("```").step_by(2) {
        for part in text.split("](").skip(1) {
            found.extend(part.split(')').next());
        }
    }
    found
}

/// The names by which the headings of a chapter can be linked to.
#[must_use]
pub fn headings(chapter: &str) -> Vec<String> {
    let text: String = chapter.split("```").step_by(2).collect();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let name = |line: &str| {
        let line = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |char: &char| char.is_alphanumeric() || " -_".contains(*char);
        line.chars().filter(kept).collect::<String>()
    };
    headings.map(|line| name(line).replace(' ', "-")).collect()
}

#[test]
fn a_chapter_is_read() {
    let text =
        "# One, two\n[a](b.md#c) ![d](e.svg)\n```\n# [x](y)\n{{#include f:g}}\n```\n## Three";
    assert_eq!(inclusions(text), [("f", "g")]);
    assert_eq!(links(text), ["b.md#c", "e.svg"]);
    assert_eq!(headings(text), ["one-two", "three"]);
}
