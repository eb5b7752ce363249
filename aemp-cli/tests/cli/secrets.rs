//! Secrets on the command line, in files and on terminals.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Output, Stdio},
};

use tempfile::TempDir;

use crate::processes::{Running, aemp, printed};

const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n\
    -----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    fn with(text: &str) -> Self {
        let home = Self::new();
        fs::write(home.path(), text).expect("it is written");
        home.chmod(0o600);
        home
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("rc")
    }

    fn chmod(&self, mode: u32) {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.path(), mode).expect("it is ours");
    }

    /// The outcome of a command that is told so much by standard input.
    fn run(&self, args: &[&str], input: &str) -> Output {
        let mut command = aemp(args);
        command.env("PERL_ANYEVENT_MP_RC", self.path());
        command.env_remove("AEMP_SECRET").stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let mut stdin = process.stdin.take().expect("it is piped");
        // One that reads nothing may have ended.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        process.wait_with_output().expect("it ends")
    }

    fn shown(&self, args: &[&str]) -> String {
        printed(&self.run(args, ""))
    }
}

#[test]
fn they_are_read_from_standard_input() {
    let home = Home::new();
    printed(&home.run(&["setsecret", "-"], "hush hush\r\n"));
    let shown = |args: &[&str]| home.shown(args);
    assert!(shown(&["showconfig", "--reveal"]).contains(r#""hush hush""#));
    // Each takes a line, also after others; a certificate takes the rest.
    let words = [
        "setnodeid",
        "x",
        "secret",
        "-",
        "profile",
        "p",
        "setsecret",
        "-",
        "setcert",
        "-",
    ];
    printed(&home.run(&words, &format!("one\ntwo\n{PEM}")));
    let text = fs::read_to_string(home.path()).expect("it is there");
    for part in [r#""one""#, r#""two""#, "PRIVATE KEY"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Nothing is changed without one.
    for input in ["", "\n"] {
        let output = home.run(&["setnodeid", "y", "setsecret", "-"], input);
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("no secret at standard input"), "{error}");
    }
    assert_eq!(fs::read_to_string(home.path()).expect("it is there"), text);
    // A dash itself is JSON.
    printed(&home.run(&["setsecret", r#""-""#], ""));
    assert!(shown(&["showconfig", "--reveal"]).contains(r#""-""#));
}

#[test]
fn the_option_reads_standard_input() {
    let node = Running::start(&["nodeid", "green"]);
    let home = Home::new();
    let ask = ["--secret", "-", "-s", &node.address, "nodes"];
    let secret = format!("{}\n", crate::SECRET);
    assert_eq!(printed(&home.run(&ask, &secret)), "green");
    assert_eq!(home.run(&ask, "wrong\n").status.code(), Some(4));
}

#[test]
fn they_are_shown_only_if_that_is_asked_for() {
    let home = Home::with(
        r#"{"secret": "hush", "ca": "-----BEGIN PRIVATE KEY-----hush", "profile":
            {"p": {"secret": 7355608, "cert": "hush", "nodeid": "x"}, "q": {"secret": ""}}}"#,
    );
    for args in [
        &["showconfig", "p"][..],
        &["showconfig", "other"],
        &["showconfig", "other", "secret", "hush"],
        &["showprofile", "p"],
        &["--json", "showconfig", "p"],
        &["--json", "showprofile", "p"],
        &["profile", "p", "showprofile"],
    ] {
        let shown = home.shown(args);
        assert!(
            !shown.contains("hush") && !shown.contains("7355608"),
            "{shown}"
        );
        assert!(shown.contains("(hidden: --reveal shows it)"), "{shown}");
        serde_json::from_str::<serde_json::Value>(&shown).expect("a document");
    }
    for args in [
        &["showconfig", "--reveal", "p"][..],
        &["showconfig", "p", "--reveal"],
        &["--json", "showconfig", "--reveal", "p"],
        &["showprofile", "--reveal", "p"],
        &["showprofile", "p", "--reveal"],
        &["profile", "p", "showprofile", "--reveal"],
    ] {
        let shown = home.shown(args);
        assert!(
            shown.contains("7355608") && shown.contains("hush"),
            "{shown}"
        );
    }
    // None is no secret.
    let shown = home.shown(&["showprofile", "q"]);
    assert!(shown.contains(r#""secret": """#), "{shown}");
}

#[test]
fn no_error_shows_one() {
    let home = Home::new();
    for args in [
        &["setsecret", "[hush"][..],
        &["setsecret", "[\"hush\"]"],
        &["showconfig", "p", "secret", "{hush"],
        &["run", "p", "secret", "\"hush"],
    ] {
        let output = home.run(args, "");
        assert!(!output.status.success());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!error.is_empty() && !error.contains("hush"), "{error}");
    }
}

#[test]
fn a_file_that_others_can_read_is_reported_once() {
    let home = Home::with(r#"{"secret": "hush", "binds": [], "nodeid": "x"}"#);
    let warned = |args: &[&str]| {
        let error = String::from_utf8_lossy(&home.run(args, "").stderr).into_owned();
        let mend = format!("chmod 600 {}", home.path().display());
        error.matches(&mend).count()
    };
    assert_eq!(warned(&["showconfig", "p"]), 0);
    home.chmod(0o644);
    assert_eq!(warned(&["showconfig", "p"]), 1);
    assert_eq!(
        warned(&["profile", "p", "setnodeid", "y", "showprofile"]),
        1
    );
    assert_eq!(
        warned(&["--timeout", "0.1", "-v", "-s", "127.0.0.1:1", "nodes"]),
        1
    );
}

#[test]
fn a_node_that_would_refuse_all_connections_does_not_run() {
    let home = Home::with("{}");
    let output = home.run(&["run", "nodeid", "x", "binds", "127.0.0.1:0"], "");
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("no secret is known"), "{error}");
}
