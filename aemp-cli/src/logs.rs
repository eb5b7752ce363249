//! The log of the command.

use std::io;

use tracing::{Subscriber, level_filters::LevelFilter, subscriber::DefaultGuard};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt};

use crate::{options::Options, output::Output};

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
fn to_stderr(options: &Options, output: &Output) -> impl Layer<Registry> + use<> {
    tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(output.colors_errors())
        .with_target(options.verbose > 2)
        .with_filter(level(options.verbose))
}

/// The subscriber that the options ask for.
pub(crate) fn subscriber(
    options: &Options,
    output: &Output,
) -> impl Subscriber + Send + Sync + use<> {
    Registry::default().with((options.verbose > 0).then(|| to_stderr(options, output)))
}

/// Installs [`subscriber`] for this thread.
pub(crate) fn for_client(options: &Options, output: &Output) -> DefaultGuard {
    tracing::subscriber::set_default(subscriber(options, output))
}

/// Installs [`subscriber`] for the whole process.
pub(crate) fn for_node(options: &Options, output: &Output) {
    let subscriber = Registry::default().with(to_stderr(options, output));
    // A program of the user that calls `main` may have installed its own.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
