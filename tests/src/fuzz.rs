//! What hostile bytes are tried on: the bodies of the fuzz targets (`fuzz/README.md`), which ordinary tests replay as well.
//!
//! Each body takes any bytes, panics if something is wrong, and returns how much it got done: how many packets were
//! accepted, edits made, and so on. So a test can tell that an input still reaches what it is there for.

mod config;
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
    /// What is done with an input; returns how much was.
    pub run: fn(&[u8]) -> usize,
}

/// All targets.
pub const TARGETS: [Target; 6] = [
    Target {
        name: "config",
        run: config::run,
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
