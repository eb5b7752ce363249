//! The bodies of the fuzz targets (`fuzz/README.md`), which ordinary tests run as well.
//!
//! Each body takes any bytes, panics if something is wrong, and returns how much it got done: how many packets were
//! accepted, edits made, and so on. So a test notices when an input no longer reaches its purpose.
//!
//! - `fuzz/` only wraps the bodies for libFuzzer. It is outside the workspace because it needs a nightly compiler. An
//!   ordinary test runs the bodies with all seeds and findings.
//! - The bodies compare, and do not only survive: the stream in pieces with the stream in one piece, direct decoding
//!   with decoding through a value, a saved file with the same file read again, the reports of a node with its state.
//!   Any test finds a decoder that panics; only a comparison finds two decoders that disagree.
//! - `node` is a mesh with its peers and links, driven as `net` does it by a script of lines. Seeds from recorded
//!   packets are readable stories, and a mutation is another story. At its end all peers leave and time passes, and no
//!   state of any peer may be left.
//! - Seeds come from the transcripts, one packet of each kind, so that they are small and can be made again.
//!
//! Dangers: a body that ignores a fault (so each has a test that it gets something done), one that is too
//! strict about a permitted difference of two decoders (then the rule belongs into the documentation of the format),
//! and inputs that are slow in themselves (limits are narrow).

mod config;
mod dataconn;
mod framing;
mod greeting;
mod input;
mod node;
mod relay;
pub mod seeds;
mod stream;
mod typed;

pub use self::input::Input;

/// One fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: of the binary, and of its folders of seeds and of regressions.
    pub name: &'static str,
    /// The function that is fuzzed with an input. It returns the amount of work that the input caused.
    pub run: fn(&[u8]) -> usize,
}

/// All targets.
pub const TARGETS: [Target; 7] = [
    Target {
        name: "config",
        run: config::run,
    },
    Target {
        name: "dataconn",
        run: dataconn::run,
    },
    Target {
        name: "framing",
        run: framing::run,
    },
    Target {
        name: "greeting",
        run: greeting::run,
    },
    Target {
        name: "node",
        run: node::run,
    },
    Target {
        name: "relay",
        run: relay::run,
    },
    Target {
        name: "typed",
        run: typed::run,
    },
];

/// Runs the target of that name.
///
/// # Panics
///
/// When there is none, or the input has found something.
pub fn run(name: &str, input: &[u8]) -> usize {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("no target is called {name}"));
    (target.run)(input)
}
