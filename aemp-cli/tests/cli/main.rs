//! Transcripts of the command at work: its arguments, and its output. To accept changes of the output:
//! `TRYCMD=overwrite cargo test -p aemp-cli --test cli`.

mod changes;
mod escapes;
mod foreign;
mod generated;
mod logs;
mod metrics;
mod named;
mod observed;
mod processes;
mod reference;
mod secrets;
mod shell;
mod tap;
mod watchdog;

use std::{path::Path, time::Duration};

use aemp::{Node, port, spawnable};
use trycmd::TestCases;

const SECRET: &str = "between friends";

fn cases() -> TestCases {
    let cases = TestCases::new();
    cases
        .register_bin("aemp", Path::new(env!("CARGO_BIN_EXE_aemp")))
        .env("PERL_ANYEVENT_MP_RC", "rc")
        .env("COLUMNS", "100")
        .timeout(Duration::from_secs(60));
    cases
}

#[test]
fn alone() {
    let cases = cases();
    cases.case("tests/cli/alone/*.trycmd").run();
}

/// Each file has a directory of its own, which has the configuration file in it.
#[test]
fn configuration() {
    // However they were checked out: transcripts would begin with a warning of files that others can read.
    for name in ["broken", "origins", "profiles", "wrong"] {
        let rc = format!("tests/cli/config/{name}.in/rc");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(rc, mode).expect("it is ours");
    }
    let cases = cases();
    cases.case("tests/cli/config/*.trycmd").run();
}

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn inc(&mut self, by: i64) {
        self.n += by;
    }

    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }

    #[rcv(try)]
    fn fail(&self) -> Result<i64, String> {
        Err("out of tea".into())
    }
}

#[spawnable(name = "Test::counter")]
fn counter(n: i64) -> Counter {
    Counter { n }
}

/// The network of the transcripts: `green`, which has the port `green#counter`, and `blue`.
async fn network() -> (Node, Node) {
    let green = Node::builder()
        .node_id("green")
        .secret(SECRET)
        .bind("127.0.0.1:0");
    let green = green.start().await.expect("green starts");
    let spawn = "AnyEvent::MP::_spawn";
    let lights = green.family::<serde_json::Value>("lights").expect("a name");
    lights.set("kitchen", &"on".into()).expect("a value");
    let hall = serde_json::json!({ "on": true, "level": 3 });
    lights.set("hall", &hall).expect("a value");
    // A port whose ID does not change from run to run.
    green.snd(
        &green.id().clone().into(),
        aemp::msg![spawn, "counter", "Test::counter", 5],
    );
    let blue = Node::builder()
        .node_id("blue")
        .secret(SECRET)
        .bind("127.0.0.1:0");
    let blue = blue.seed(green.listeners().remove(0));
    let blue = blue.start().await.expect("blue starts");
    blue.until_up("green").await;
    (green, blue)
}

#[test]
fn talking() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (green, _blue) = runtime.block_on(network());
    let cases = cases();
    cases
        .env("AEMP_SEEDS", &green.listeners()[0])
        .env("AEMP_SECRET", SECRET)
        .case("tests/cli/network/talk.trycmd")
        .case("tests/cli/network/database.trycmd")
        .case("tests/cli/network/unreachable.trycmd")
        .run();
}

/// A network of its own: other commands would be seen in it.
#[test]
fn looking() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (green, _blue) = runtime.block_on(network());
    let cases = cases();
    cases
        .env("AEMP_SEEDS", &green.listeners()[0])
        .env("AEMP_SECRET", SECRET)
        .case("tests/cli/network/look.trycmd")
        .run();
}

#[test]
fn talking_to_perl() {
    let cases = cases();
    cases
        .env("AEMP_SEEDS", foreign::perl())
        .env("AEMP_SECRET", SECRET)
        .case("tests/cli/perl/*.trycmd")
        .run();
}

#[test]
fn seeds_that_do_not_let_us_in() {
    for (case, seed) in [
        ("web", foreign::web_server()),
        ("silent", foreign::silent()),
        ("closing", foreign::closing()),
        ("secret", foreign::perl()),
    ] {
        let cases = cases();
        cases
            .env("AEMP_SEEDS", seed)
            .env("AEMP_SECRET", "another secret")
            .case(format!("tests/cli/refused/{case}.trycmd"))
            .run();
    }
}
