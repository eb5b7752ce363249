//! The output of programs, as the chapters show it.
//!
//! It is in files below `listings`, which the chapters include. `GUIDE=overwrite cargo test -p aemp-guide` writes the
//! files anew. Parts that are different in each run (names of ports, addresses) are compared by their form.

use std::{fs, path::PathBuf};

/// A file of the guide, by its path from the guide's directory.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A file of the guide.
///
/// # Panics
///
/// If it cannot be read.
#[must_use]
pub fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Compares a file with the output of a program, or writes it if that is asked for.
///
/// # Panics
///
/// If they are different.
pub fn check(name: &str, new: &str) {
    compare(name, &with_fixed_addresses(new), masked);
}

/// As [`check`], for content that is always the same.
///
/// # Panics
///
/// If they are different.
pub fn check_exactly(name: &str, new: &str) {
    compare(name, new, str::to_owned);
}

fn compare(name: &str, new: &str, form: impl Fn(&str) -> String) {
    let old = fs::read_to_string(path(name)).unwrap_or_default();
    if form(&old) == form(new) {
        return;
    }
    if std::env::var_os("GUIDE").is_some_and(|how| how == "overwrite") {
        fs::write(path(name), new).expect("the file can be written");
        return;
    }
    panic!("`{name}` is\n{old}\nand should be\n{new}\n`GUIDE=overwrite` writes it");
}

/// All ports of addresses are 4040, and all names of ports the same.
fn masked(text: &str) -> String {
    replace_after(&with_fixed_addresses(text), "#", "...", |char| {
        char.is_ascii_alphanumeric()
    })
}

fn with_fixed_addresses(text: &str) -> String {
    replace_after(text, "127.0.0.1:", "4040", |char| char.is_ascii_digit())
}

/// Replaces the characters of a kind behind each `start`, if there are any.
fn replace_after(text: &str, start: &str, by: &str, kind: impl Fn(char) -> bool) -> String {
    let mut parts = text.split(start);
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(&kind);
        let by = if rest.len() == part.len() { "" } else { by };
        replaced.extend([start, by, rest]);
    }
    replaced
}

#[test]
fn names_and_addresses_are_compared_by_their_form() {
    let (one, other) = ("a#x1 at 127.0.0.1:77\n# is", "a#y22 at 127.0.0.1:8\n# is");
    assert_eq!(masked(one), masked(other));
    assert_ne!(masked(one), masked("a# at 127.0.0.1:77\n# is"));
}
