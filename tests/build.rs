//! True if there is a Perl with AnyEvent::MP 2, as the cfg `perl`: without it the tests that need it are ignored, which the test
//! harness counts. It cannot skip a test that runs already.

use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rustc-check-cfg=cfg(perl)");
    println!("cargo::rerun-if-changed=build.rs");
    // Perl may come later. That the answer is still true is tested (`tests/interop/perl.rs`).
    println!("cargo::rerun-if-env-changed=PATH");
    println!("cargo::rerun-if-env-changed=PERL5LIB");
    let mut perl = Command::new("perl");
    perl.args(["-e", "use AnyEvent::MP 2; use JSON::XS"]);
    let tried = perl.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if tried.is_ok_and(|status| status.success()) {
        println!("cargo::rustc-cfg=perl");
    }
}
