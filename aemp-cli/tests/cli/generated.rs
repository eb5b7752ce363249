//! Output for other programs: completion scripts and certificates.

use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::processes::{aemp, printed};

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut command = aemp(&["completions", "bash"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("it starts");
    drop(process.stdout.take());
    let output = process.wait_with_output().expect("it ends");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && error.is_empty(), "{error}");
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&aemp(&["completions", shell]).output().expect("it runs"));
        for word in ["aemp", "setseeds", "showprofile", "trace", "timeout"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn bash_completes() {
    let script = printed(&aemp(&["completions", "bash"]).output().expect("it runs"));
    let ask = r#"
        for line in "aemp no" "aemp db w" "aemp trace --sv" "aemp --color a" "aemp profile x setse"; do
            read -ra COMP_WORDS <<< "$line"
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            COMPREPLY=()
            _aemp aemp "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "$line: ${COMPREPLY[*]}"
        done"#;
    let mut bash = Command::new("bash");
    let Ok(output) = bash.args(["-c", &format!("{script}\n{ask}")]).output() else {
        eprintln!("SKIPPED: there is no bash here");
        return;
    };
    let completed = printed(&output);
    let lines: Vec<_> = completed.lines().collect();
    assert_eq!(
        lines,
        [
            "aemp no: nodes nodeid nodelay",
            "aemp db w: watch",
            "aemp trace --sv: --svg",
            "aemp --color a: auto always",
            "aemp profile x setse: setsecret setseeds setservices setsecure",
        ]
    );
}

#[test]
fn a_generated_certificate_is_one_for_openssl() {
    let dir = TempDir::new().expect("a directory");
    let rc = dir.path().join("rc");
    let mut command = aemp(&["gencert", "--json", "showconfig", "--reveal", "p"]);
    let output = command.env("PERL_ANYEVENT_MP_RC", &rc).output();
    let config: Value = serde_json::from_str(&printed(&output.expect("it runs"))).expect("JSON");
    let pem = dir.path().join("cert.pem");
    std::fs::write(&pem, config["cert"].as_str().expect("a text")).expect("it is written");
    let mut openssl = Command::new("openssl");
    let openssl = openssl.args(["x509", "-noout", "-text", "-in"]).arg(&pem);
    let Ok(shown) = openssl.output() else {
        eprintln!("SKIPPED: there is no openssl here");
        return;
    };
    let shown = printed(&shown);
    for line in [
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Issuer: CN = AnyEvent::MP",
        "Subject: CN = AnyEvent::MP",
        "X509v3 Subject Key Identifier:",
        "X509v3 Authority Key Identifier:",
        "X509v3 Basic Constraints: critical\n                CA:TRUE\n",
    ] {
        // Versions differ in their blanks around `=`.
        let (shown, line) = (shown.replace(" = ", "="), line.replace(" = ", "="));
        assert!(shown.contains(&line), "{line}: {shown}");
    }
    for absent in ["Key Usage", "Alternative Name"] {
        assert!(!shown.contains(absent), "{absent}: {shown}");
    }
    let mut verify = Command::new("openssl");
    let verify = verify.args(["verify", "-CAfile"]).args([&pem, &pem]);
    assert!(printed(&verify.output().expect("openssl runs")).ends_with(": OK"));
}

#[test]
fn a_certificate_may_be_a_file_or_the_text_itself() {
    let dir = TempDir::new().expect("a directory");
    let aemp = |args: &[&str]| {
        let mut command = aemp(args);
        command.env("PERL_ANYEVENT_MP_RC", dir.path().join("rc"));
        command.output().expect("it runs")
    };
    let config = printed(&aemp(&["gencert", "--json", "showconfig", "--reveal", "p"]));
    let config: Value = serde_json::from_str(&config).expect("JSON");
    let pem = config["cert"].as_str().expect("a text");
    printed(&aemp(&["profile", "p", "setcert", pem]));
    let shown = printed(&aemp(&["--json", "showprofile", "--reveal", "p"]));
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["cert"], pem);
    // The error does not quote the argument, because a private key may be in it.
    let output = aemp(&["setcert", "-----BEGIN PRIVATE KEY-----\nhush"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        error.trim_end(),
        "error: FILE: must be PEM text with a private key and a certificate"
    );
}

#[test]
fn a_ca_issues_certificates_for_nodes() {
    let dir = TempDir::new().expect("a directory");
    let aemp = |args: &[&str]| {
        let mut command = aemp(args);
        command.env("PERL_ANYEVENT_MP_RC", dir.path().join("rc"));
        command.current_dir(dir.path());
        command.output().expect("it runs")
    };
    printed(&aemp(&["gencert", "--ca", "ca.pem"]));
    let ca = std::fs::read_to_string(dir.path().join("ca.pem")).expect("a file");
    assert!(ca.contains("PRIVATE KEY"));
    let issue = [
        "profile",
        "p",
        "gencert",
        "--issuer",
        "ca.pem",
        "--for",
        "green/ü/",
    ];
    printed(&aemp(&issue));
    let shown = printed(&aemp(&["--json", "showconfig", "--reveal", "p"]));
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let (cert, trusted) = (shown["cert"].as_str(), shown["ca"].as_str());
    let (cert, trusted) = (cert.expect("a text"), trusted.expect("a text"));
    assert!(
        ca.starts_with(trusted) && !trusted.contains("KEY"),
        "{trusted}"
    );
    // It is one that a node takes, and that OpenSSL understands.
    for (name, text) in [("own.pem", cert), ("trusted.pem", trusted)] {
        std::fs::write(dir.path().join(name), text).expect("it is written");
    }
    let mut openssl = Command::new("openssl");
    openssl.current_dir(dir.path());
    openssl.args(["verify", "-CAfile", "trusted.pem", "own.pem"]);
    let Ok(verified) = openssl.output() else {
        eprintln!("SKIPPED: there is no openssl here");
        return;
    };
    assert!(printed(&verified).ends_with(": OK"));
    let mut openssl = Command::new("openssl");
    openssl.current_dir(dir.path());
    openssl.args(["x509", "-noout", "-text", "-in", "own.pem"]);
    let text = printed(&openssl.output().expect("openssl runs"));
    assert!(text.contains("URI:aemp:green/%C3%BC/"), "{text}");
    // An existing file is never overwritten, and unfit files are refused.
    for (args, error) in [
        (
            &["gencert", "--ca", "ca.pem"][..],
            "error: --ca ca.pem: File exists",
        ),
        (
            &["gencert", "--issuer", "trusted.pem", "--for", "x"],
            "error: --issuer trusted.pem: the file does not contain the key of a CA",
        ),
        (
            &["gencert", "--issuer", "none.pem", "--for", "x"],
            "error: --issuer none.pem: No such file",
        ),
        (
            &["gencert", "--issuer", "ca.pem", "--for", "x#y"],
            "error: --for x#y: ",
        ),
        (
            &["setca", "ca.pem"],
            "error: FILE ca.pem: the text contains a private key",
        ),
    ] {
        let output = aemp(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && text.starts_with(error),
            "{text}"
        );
    }
    printed(&aemp(&["setca", "trusted.pem", "setverify_nodeid", "1"]));
}
