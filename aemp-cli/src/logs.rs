//! The log of the command.

use std::{env, fmt, io};

use aemp::{
    Shown,
    logs::{LogLevel, TRACE, layer_with_history, speaker},
};
use tracing::{Subscriber, level_filters::LevelFilter, subscriber::DefaultGuard};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    fmt::{
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
};

use crate::{options::Options, output::Output};

/// The number of lines that a node keeps for commands that ask for the lines of the last minutes.
const HISTORY: usize = 1000;

/// The level for the number of `-v` options.
fn level(verbose: u8) -> LevelFilter {
    match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

/// Logs to standard error.
fn to_stderr<S, T>(
    output: &Output,
    filter: Targets,
    target: bool,
    time: T,
) -> impl Layer<S> + use<S, T>
where
    T: FormatTime + Send + Sync + 'static,
    S: Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(output.colors_errors())
        .with_target(target)
        .with_timer(time)
        .with_filter(filter)
}

/// The subscriber that the options ask for.
pub(crate) fn subscriber(
    options: &Options,
    output: &Output,
) -> impl Subscriber + Send + Sync + use<> {
    let verbose = options.verbose;
    let level = match verbose {
        0 => LevelFilter::OFF,
        _ => level(verbose),
    };
    let filter = traced(Targets::new().with_default(level));
    let is_wanted = verbose > 0 || traces_are_asked_for();
    Registry::default().with(is_wanted.then(|| to_stderr(output, filter, verbose > 2, SystemTime)))
}

/// Installs [`subscriber`] for this thread.
pub(crate) fn for_client(options: &Options, output: &Output) -> DefaultGuard {
    tracing::subscriber::set_default(subscriber(options, output))
}

/// Installs a subscriber for the whole process, which also passes lines on to the nodes that ask for them.
pub(crate) fn for_node(options: &Options, output: &Output) {
    install(options, output, SystemTime);
}

/// As [`for_node`], for a process with several nodes. The node that a line is of stands behind the time.
pub(crate) fn for_nodes(options: &Options, output: &Output) {
    install(options, output, TimeAndNode);
}

/// The time, and the node whose line it is, if a node has said it.
struct TimeAndNode;

impl FormatTime for TimeAndNode {
    fn format_time(&self, to: &mut Writer<'_>) -> fmt::Result {
        SystemTime.format_time(to)?;
        match speaker() {
            Some(node) => write!(to, " {}", Shown(node)),
            None => Ok(()),
        }
    }
}

fn install(options: &Options, output: &Output, time: impl FormatTime + Send + Sync + 'static) {
    let (filter, target) = filter(options, output);
    let subscriber = Registry::default()
        .with(layer_with_history(LogLevel::Info, HISTORY))
        .with(to_stderr(output, filter, target, time));
    // A program of the user that calls `main` may have installed its own.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The lines that a node logs to standard error, with or without targets: the options `-v` choose them, else RUST_LOG,
/// else AE_VERBOSE of the reference.
fn filter(options: &Options, output: &Output) -> (Targets, bool) {
    let verbose = options.verbose;
    let variable = |name| {
        env::var(name)
            .ok()
            .filter(|value: &String| !value.is_empty())
    };
    let default = traced(Targets::new().with_default(level(verbose)));
    if verbose > 0 {
        return (default, verbose > 2);
    }
    if let Some(directives) = variable("RUST_LOG") {
        match directives.parse() {
            Ok(targets) => return (targets, true),
            Err(error) => output.note(&format!("warning: RUST_LOG: {error}")),
        }
    } else if let Some(verbose) =
        variable("AE_VERBOSE").or_else(|| variable("PERL_ANYEVENT_VERBOSE"))
        && let Some(level) = verbosity(&verbose)
    {
        return (traced(Targets::new().with_default(level)), false);
    }
    (default, false)
}

/// Message traces are logged for AE_MP_TRACE, or if RUST_LOG names their target, and not with everything else.
fn traced(filter: Targets) -> Targets {
    let level = match traces_are_asked_for() {
        true => LevelFilter::TRACE,
        false => LevelFilter::OFF,
    };
    filter.with_target(TRACE, level)
}

/// True if the reference would trace messages as well.
fn traces_are_asked_for() -> bool {
    let is_set = |name| env::var(name).is_ok_and(|value| !["", "0"].contains(&&*value));
    is_set("AE_MP_TRACE") || is_set("PERL_ANYEVENT_MP_TRACE")
}

/// The level of AE_VERBOSE: a number, or a level's name. Its other forms configure contexts of Perl, and are ignored.
fn verbosity(text: &str) -> Option<LevelFilter> {
    let word = text.split(',').next().unwrap_or_default().trim();
    if word.starts_with('0') {
        return Some(LevelFilter::OFF);
    }
    let level = match word.parse() {
        Ok(number) => LogLevel::of_number(number),
        Err(_) => word.parse().ok()?,
    };
    Some(match level {
        LogLevel::Fatal | LogLevel::Alert | LogLevel::Critical | LogLevel::Error => {
            LevelFilter::ERROR
        }
        LogLevel::Warn | LogLevel::Note => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verbosity_of_the_reference() {
        for (text, level) in [
            ("9", Some(LevelFilter::TRACE)),
            ("10", Some(LevelFilter::TRACE)),
            ("8", Some(LevelFilter::DEBUG)),
            ("info", Some(LevelFilter::INFO)),
            ("5,filter=x", Some(LevelFilter::WARN)),
            ("1", Some(LevelFilter::ERROR)),
            ("0", Some(LevelFilter::OFF)),
            ("filter=note", None),
        ] {
            assert_eq!(verbosity(text), level, "{text}");
        }
    }
}
