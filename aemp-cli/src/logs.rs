//! The log of the command.

use std::io;

use tracing::{Subscriber, level_filters::LevelFilter, subscriber::DefaultGuard};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt};

use crate::session::Session;

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
fn to_stderr(session: &Session) -> impl Layer<Registry> + use<> {
    tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(session.output.colors_errors())
        .with_target(session.options.verbose > 2)
        .with_filter(level(session.options.verbose))
}

/// The subscriber that the options ask for.
pub(crate) fn subscriber(session: &Session) -> impl Subscriber + Send + Sync + use<> {
    let verbose = session.options.verbose;
    Registry::default().with((verbose > 0).then(|| to_stderr(session)))
}

/// Installs [`subscriber`] for this thread.
pub(crate) fn for_client(session: &Session) -> DefaultGuard {
    tracing::subscriber::set_default(subscriber(session))
}

/// Installs [`subscriber`] for the whole process.
pub(crate) fn for_node(session: &Session) {
    let subscriber = Registry::default().with(to_stderr(session));
    // A program of the user that calls `main` may have installed its own.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
