//! Where the log goes.

use std::io;

use tracing::{Subscriber, level_filters::LevelFilter, subscriber::DefaultGuard};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt};

use crate::session::Session;

/// The level that `-v`, so often, asks for.
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

/// Logs if that is asked for.
pub(crate) fn subscriber(session: &Session) -> impl Subscriber + Send + Sync + use<> {
    let verbose = session.options.verbose;
    Registry::default().with((verbose > 0).then(|| to_stderr(session)))
}

/// As [`subscriber`], for what is logged on this thread.
pub(crate) fn for_client(session: &Session) -> DefaultGuard {
    tracing::subscriber::set_default(subscriber(session))
}

/// Logs all that happens in this process to standard error.
pub(crate) fn for_node(session: &Session) {
    let subscriber = Registry::default().with(to_stderr(session));
    // A program that is an `aemp` command may have its own.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
