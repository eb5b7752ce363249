//! The chapters fit together: their links, their listings and their pictures.

use std::{collections::BTreeSet, fs};

use aemp_guide::{
    book::{headings, inclusions, links},
    picture::draw,
    shown::{check_exactly, path, read},
};

/// The names of the files in a directory of the guide that end in this way.
fn files(directory: &str, end: &str) -> BTreeSet<String> {
    let all = fs::read_dir(path(directory)).expect("the directory is there");
    let names = all.map(|file| file.expect("it can be listed").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(end)).collect()
}

fn chapters() -> impl Iterator<Item = (String, String)> {
    let names = files("chapters", ".md").into_iter();
    names.map(|name| (name.clone(), read(&format!("chapters/{name}"))))
}

#[test]
fn links_lead_somewhere() {
    for (chapter, text) in chapters() {
        for link in links(&text) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { &chapter } else { file };
            let place = format!("chapters/{file}");
            assert!(path(&place).exists(), "{chapter}: there is no {file}");
            let known =
                heading.is_empty() || headings(&read(&place)).iter().any(|one| one == heading);
            assert!(known, "{chapter}: there is no heading {heading} in {file}");
        }
    }
}

#[test]
fn every_chapter_is_in_the_summary() {
    let summary = read("chapters/SUMMARY.md");
    for (chapter, _) in chapters().filter(|(chapter, _)| chapter != "SUMMARY.md") {
        assert!(links(&summary).contains(&chapter.as_str()), "{chapter}");
    }
}

#[test]
fn every_listing_and_every_picture_is_shown() {
    let mut shown = BTreeSet::new();
    for (chapter, text) in chapters() {
        for (file, anchor) in inclusions(&text) {
            let content = read(&format!("chapters/{file}"));
            // An anchor has a name, and lines have numbers.
            if anchor.starts_with(char::is_alphabetic) {
                for end in ["ANCHOR:", "ANCHOR_END:"] {
                    let line = format!("{end} {anchor}");
                    let there = content.lines().any(|other| other.ends_with(&line));
                    assert!(there, "{chapter}: no `{line}` in {file}");
                }
            }
            shown.insert(file.trim_start_matches("../listings/").to_owned());
        }
        shown.extend(
            links(&text)
                .iter()
                .map(|link| link.trim_start_matches("pictures/").to_owned()),
        );
    }
    let listings = files("listings", "").into_iter();
    for file in listings.chain(files("chapters/pictures", ".svg")) {
        assert!(shown.contains(&file), "no chapter shows {file}");
    }
}

#[test]
fn pictures_are_made_from_their_texts() {
    for name in files("pictures", ".txt") {
        let stem = name.trim_end_matches(".txt");
        let picture = draw(&read(&format!("pictures/{name}")));
        let picture = picture.unwrap_or_else(|problem| panic!("{name}: {problem}"));
        check_exactly(&format!("chapters/pictures/{stem}.svg"), &picture);
    }
}
