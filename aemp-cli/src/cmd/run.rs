//! `aemp run`: a node.

use std::{borrow::Cow, path::Path, time::Duration};

use aemp::{
    Map, Node, NodeBuilder, Shown, Value,
    config::{ConfigFile, Environment, Settings, Sources},
};
use clap::{ArgMatches, Command};
use serde_json::json;

use super::profiles::profile_and_pairs;
use crate::{
    Exit,
    args::{many, rest},
    failure::{Failure, Outcome},
    logs,
    network::no_secret,
    output::{self, Output},
    session::Session,
    signals::Signals,
};

/// The time that the ports of a node have to handle their queues when the process is to end.
const DRAIN: Duration = Duration::from_secs(10);

pub(crate) fn command() -> Command {
    Command::new("run")
        .about("Run a node")
        .long_about(
            "Runs a node until it gets SIGTERM or SIGINT. Then the node deletes its entries of the database, lets its \
             ports handle what is queued, for at most ten seconds, closes its connections, and exits with status 0. A \
             second signal ends it at once. On SIGUSR1 \
             the node reads its certificates again (`cert`, `ca`, `verify_nodeid`), for new connections.\n\nThe \
             configuration is the profile, the settings that it inherits, and the KEY VALUE pairs. The configuration \
             file overrides the pairs; the options -s and --secret override the file. All options stand before the \
             first ARG. The keys are those of the `setKEY` commands. The default profile, without PROFILE and without \
             the pair `profile NAME`, is the host's name.\n\nWhen the node has started, it runs its `services`: init \
             functions of this program. `Aemp::echo` makes a port that answers with its message. \
             `AnyEvent::MP::Global` makes the node global, which is enough for a seed. \
             `[[\"AnyEvent::MP::LogCatcher::catch\",7]]` logs the lines of all nodes here, from that level on. A program of your own that \
             calls `aemp_cli::main` has its own init functions as well.\n\nWarnings are logged to standard error; -v, \
             -vv and -vvv log more. Without -v, RUST_LOG chooses by target (`info,my_crate=debug`), or AE_VERBOSE a \
             level (9). AE_MP_TRACE=1 logs each message to and from other nodes. `aemp logs` shows the log elsewhere, at any level. Nothing is printed, except {\"node\":ID,\"listeners\":[ADDRESS,..]} after the \
             start with --json.",
        )
        .after_help(
            "Examples:\n  aemp run worker\n  aemp run nodeid seed binds '*:4040' services AnyEvent::MP::Global\n  \
             aemp run -v worker nodeid green/%n services '[[\"My::Counter::start\", 5]]'",
        )
        .arg(many("ARG", "PROFILE, then KEY VALUE pairs"))
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    session.save()?;
    let (profile, mut arguments) = profile_and_pairs(&rest(matches, "ARG"))?;
    let named = arguments.remove("profile");
    let named = named.and_then(|name| Some(name.text()?.into_owned()));
    let profile = profile.or(named).or_else(|| session.profile());
    let environment = environment(session);
    let file = session.file()?;
    check(file, profile.as_deref(), &arguments, &environment)?;
    let path = file.path().to_owned();
    let missing = match &profile {
        Some(name) => file.profile(name)?.is_none().then_some(name),
        None => None,
    };
    if let Some(name) = missing {
        // An unknown profile is not an error, as in the reference: its name becomes the node's ID.
        session.output.note(&format!(
            "warning: {} has no profile {name:?}",
            path.display()
        ));
    }
    logs::for_node(&session.options, &session.output);
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
    let builder = builder(&path, profile, &arguments).environment(environment);
    let outcome = runtime.block_on(run_node(&session.output, builder));
    // Handlers that do not return do not get more time.
    runtime.shutdown_background();
    outcome
}

/// The environment variables of the process, and those that the options set. They have precedence over the file.
fn environment(session: &Session) -> Environment {
    let process = std::env::vars_os();
    let process = process.filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let options = &session.options;
    let seeds = (!options.seeds.is_empty()).then(|| options.seeds.join(","));
    let secret = options.secret.as_ref();
    let secret = secret.map(|secret| secret.text().to_owned());
    let named = [("AEMP_SEEDS", seeds), ("AEMP_SECRET", secret)];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Environment::of(process.chain(named))
}

/// Checks for settings that the library accepts, and that are useless here: a node that refuses every connection.
fn check(
    file: &ConfigFile,
    profile: Option<&str>,
    arguments: &Map,
    environment: &Environment,
) -> Result<(), Failure> {
    let settings = Settings::resolve(&Sources {
        file: Some(file),
        profile,
        arguments: Cow::Borrowed(arguments),
        environment: environment.clone(),
        ..Sources::default()
    });
    let settings = settings?;
    match settings.secret.is_some() || settings.cert.is_some() {
        true => Ok(()),
        false => Err(no_secret(file.path())),
    }
}

fn builder(file: &Path, profile: Option<String>, arguments: &Map) -> NodeBuilder {
    let mut builder = Node::builder().config_file(file);
    if let Some(profile) = profile {
        builder = builder.profile(profile);
    }
    let arguments = arguments.iter();
    arguments.fold(builder, |builder, (key, value)| {
        builder.setting(key, Value::clone(value))
    })
}

async fn run_node(output: &Output, builder: NodeBuilder) -> Outcome {
    // Caught from the start, so that an early signal is not lost.
    let mut signals = Signals::new().map_err(Failure::failed)?;
    let node = tokio::select! {
        started = builder.start() => started.map_err(Failure::config)?,
        () = signals.next() => return Ok(Exit::Done),
    };
    let listeners = node.listeners().join(", ");
    tracing::info!(
        "{}",
        Shown(format_args!("{} listens on {listeners}", node.id()))
    );
    if output.is_json() {
        let document = json!({ "node": node.id(), "listeners": node.listeners() });
        output::document(&document)?;
    }
    while signals.reload_or_end().await {
        match node.reload_tls() {
            Ok(()) => {
                tracing::info!("new connections use the certificates of the present configuration")
            }
            Err(error) => {
                let error = Shown(error);
                tracing::warn!("the certificates stay as they are: {error}");
            }
        }
    }
    tracing::info!("{} stops", Shown(node.id()));
    tokio::select! {
        () = node.stop_within(DRAIN) => Ok(Exit::Done),
        () = signals.next() => Err(Failure::failed("a second signal ended the node before it had stopped")),
    }
}
