//! The macros' diagnostics for mistakes, to the letter, and the unusual surroundings that they must accept.

use std::process::Command;

/// The compiler whose words are pinned: others say the same in other words.
const PINNED: &str = "1.95";

#[test]
fn mistakes_are_explained() {
    let version = compiler();
    if !version.starts_with(PINNED) {
        println!("skipped: the diagnostics are those of Rust {PINNED}, and this is {version}");
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
}

#[test]
fn unusual_surroundings_are_accepted() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
}

/// The version of the compiler that the cases are built with.
fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = version.unwrap_or_default();
    version
        .split_whitespace()
        .nth(1)
        .unwrap_or("unknown")
        .into()
}
