//! The macros for all logging: they call subscribers through [`crate::guard`], and format text of peers as
//! [`Shown`].

use aemp_codec::NodeId;
use tracing::{Level, level_filters::LevelFilter};

use crate::{Shown, guard, node::trace::Traced};

/// Logs one line at once, on this thread. The optional destination becomes a field of the line.
macro_rules! log {
    ($level:ident, to: $to:expr, $($arg:tt)+) => {
        $crate::guard::log(|| {
            tracing::$level!(to = %$crate::Shown($to), "{}", $crate::Shown(format_args!($($arg)+)))
        })
    };
    ($level:ident, $($arg:tt)+) => {
        $crate::guard::log(|| tracing::$level!("{}", $crate::Shown(format_args!($($arg)+))))
    };
}

macro_rules! error {
    ($($arg:tt)+) => { $crate::log::log!(error, $($arg)+) };
}

macro_rules! warning {
    ($($arg:tt)+) => { $crate::log::log!(warn, $($arg)+) };
}

macro_rules! info {
    ($($arg:tt)+) => { $crate::log::log!(info, $($arg)+) };
}

pub(crate) use {error, info, log, warning};

/// Logs a line that another node has logged.
pub(crate) fn caught(level: Level, node: &NodeId, from: &str, text: &str) {
    macro_rules! at {
        ($level:ident) => {
            tracing::$level!(
                target: "aemp::caught",
                node = %Shown(node),
                from = %Shown(from),
                "{}",
                Shown(text)
            )
        };
    }
    guard::log(|| match LevelFilter::from_level(level) {
        LevelFilter::ERROR => at!(error),
        LevelFilter::WARN => at!(warn),
        LevelFilter::INFO => at!(info),
        LevelFilter::DEBUG => at!(debug),
        _ => at!(trace),
    });
}

/// True if a subscriber wants message traces. If none wants lines of level TRACE at all, this costs one relaxed load.
#[inline]
pub(crate) fn traces() -> bool {
    LevelFilter::current() == LevelFilter::TRACE && are_traces_wanted()
}

/// The subscriber is asked unless the callsite knows its answer.
#[cold]
fn are_traces_wanted() -> bool {
    let asked = guard::attempt(|| tracing::enabled!(target: "aemp::trace", Level::TRACE));
    asked.unwrap_or(false)
}

/// Logs a packet.
pub(crate) fn trace(traced: &Traced) {
    let Traced {
        direction,
        node,
        port,
        tag,
        text,
    } = traced;
    guard::log(|| {
        tracing::trace!(
            target: "aemp::trace",
            node = %Shown(node),
            port = %Shown(port),
            tag = %Shown(tag),
            "{} {}",
            direction.name(),
            Shown(text)
        );
    });
}

/// Logs that packets were not logged.
pub(crate) fn traces_lost(lost: u64) {
    guard::log(|| {
        tracing::trace!(target: "aemp::trace", lost, "{lost} packets were left out here");
    });
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// The two files that may name the macros of `tracing`, which escape nothing.
    const ALLOWED: [&str; 2] = ["src/log.rs", "src/node/log.rs"];

    fn search(directory: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                search(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !ALLOWED.iter().any(|allowed| path.ends_with(allowed))
            {
                let text = fs::read_to_string(&path).unwrap();
                let names = ["error", "warn", "info", "debug", "trace", "event"];
                let named = names.map(|name| format!("tracing::{name}!"));
                if named.iter().any(|named| text.contains(named)) {
                    found.push(path.display().to_string());
                }
            }
        }
    }

    /// The files under `directory` that log, as targets.
    fn targets(directory: &Path, module: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let module = format!("{module}::{name}");
            if path.is_dir() {
                targets(&path, &module, found);
            } else if fs::read_to_string(&path).unwrap().contains("crate::log::") {
                found.push(module);
            }
        }
    }

    /// The handbook lists every target.
    #[test]
    fn the_handbook_knows_all_targets() {
        let page = include_str!("docs/logs.md");
        let mut found = vec![
            "aemp::node::log".to_owned(),
            crate::logs::CAUGHT.to_owned(),
            crate::logs::TRACE.to_owned(),
        ];
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        targets(&source, "aemp", &mut found);
        // The macros themselves.
        found.retain(|target| target != "aemp::log");
        assert!(found.len() > 10, "{found:?}");
        for target in found {
            assert!(page.contains(&format!("`{target}`")), "{target}");
        }
    }

    /// Any other way to log would not escape text of peers.
    #[test]
    fn there_is_no_other_way() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        search(&source, &mut found);
        assert!(
            found.is_empty(),
            "use crate::log::{{error, warning, info}} in {found:?}"
        );
    }
}
