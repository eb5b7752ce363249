//! `aemp run`: a node, perhaps under a [watchdog](crate::watchdog).

mod node;

use std::{borrow::Cow, path::Path, time::Duration};

use aemp::{
    Map, Node, NodeBuilder, Value,
    config::{Environment, Origin, Settings, Sources, origins},
};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::profiles::Configure;
use crate::{
    args::{many, rest},
    failure::{Failure, Outcome},
    logs,
    network::no_secret,
    options,
    session::Session,
    watchdog::{Watched, When},
};

/// The time without a heartbeat after which a node is killed, as in the reference.
const HEARTBEAT: Duration = Duration::from_secs(300);

const RESTART: &str = "restart";

pub(crate) fn command() -> Command {
    Command::new("run")
        .about("Run a node")
        .long_about(
            "Runs a node until it gets SIGTERM or SIGINT. Then the node deletes its entries of the database, lets its \
             ports handle their queued messages, for at most ten seconds, closes its connections, and exits with status 0. A \
             second signal ends it at once. On SIGUSR1 \
             the node reads its certificates again (`cert`, `ca`, `verify_nodeid`), for new connections.\n\nThe \
             configuration is the profile, the settings that it inherits, and the KEY VALUE pairs. The configuration \
             file overrides the pairs, with a warning; after `force 1` among the pairs, the pairs override the file; after \
             `norc 1`, the file and the environment do not count. The options -s and --secret override everything. All \
             options stand before the \
             first ARG. The keys are those of the `setKEY` commands. The default profile, without PROFILE and without \
             the pair `profile NAME`, is the host's name.\n\nWhen the node has started, it runs its `services`: init \
             functions of this program. `Aemp::echo` makes a port that answers with its message. \
             `AnyEvent::MP::Global` makes the node global, which is enough for a seed. \
             `[[\"AnyEvent::MP::LogCatcher::catch\",7]]` logs the lines of all nodes here, from that level on. A program of your own that \
             calls `aemp_cli::main` has its own init functions as well. Services, formats and methods in the file that \
             this program does not have are left out with a warning, because the file may be shared with Perl; with --strict \
             they are errors.\n\nWith --restart, a watchdog runs the node in a process of its own. It starts the node again \
             after a crash, and after an end with another status than 0 (on-failure), or after every end (always). The pause \
             before that doubles from half a second to a minute, and begins anew for a node that has run for a minute. It \
             kills a node that has given no heartbeat for 300 seconds (--heartbeat). It passes SIGTERM, SIGINT and SIGUSR1 on, \
             and ends with the node. A node whose first start fails because of the configuration is not started \
             again. `aemp restart` works for such nodes.\n\nWith --metrics, the node serves /metrics for Prometheus, \
             /healthz (200 while it lives) and /readyz (200 while it takes work) by HTTP on that address. Every client that can \
             connect may ask.\n\nWarnings are logged to standard error; -v, \
             -vv and -vvv log more. Without -v, RUST_LOG chooses by target (`info,my_crate=debug`), or AE_VERBOSE a \
             level (9). AE_MP_TRACE=1 logs each message to and from other nodes. `aemp logs` shows the log elsewhere, at any level. \
             A line on standard error says where the node listens; with --json, it is {\"node\":ID,\"listeners\":[ADDRESS,..]} on \
             standard output.",
        )
        .after_help(
            "Examples:\n  aemp run worker\n  aemp run nodeid seed binds '*:4040' services AnyEvent::MP::Global\n  \
             aemp run --restart on-failure worker\n  \
             aemp run -v worker nodeid green/%n services '[[\"My::Counter::start\", 5]]'",
        )
        .arg(
            Arg::new(RESTART)
                .long(RESTART)
                .value_name("WHEN")
                .value_parser(["never", "on-failure", "always"])
                .default_value("never")
                .help("Start the node again when it has ended"),
        )
        .arg(
            Arg::new("heartbeat")
                .long("heartbeat")
                .value_name("SECONDS")
                .value_parser(options::seconds)
                .help("With --restart: kill a node without a heartbeat for this time [default: 300]"),
        )
        .arg(
            Arg::new("strict")
                .long("strict")
                .action(ArgAction::SetTrue)
                .help("Do not start if this program cannot use something in the file"),
        )
        .arg(
            Arg::new("metrics")
                .long("metrics")
                .value_name("ADDRESS")
                .help("Serve metrics for Prometheus, /healthz and /readyz on HOST:PORT"),
        )
        .arg(many("ARG", "PROFILE, then KEY VALUE pairs"))
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let watched = Watched::now();
    if let Some(when) = when(matches).filter(|_| !watched.is_by_watchdog()) {
        return keep(session, when, matches);
    }
    session.save()?;
    let mut words = Configure::parse(&rest(matches, "ARG"))?;
    let profile = words.profile.take().or_else(|| session.profile());
    let environment = environment(session);
    if words.norc || words.force {
        override_all(session, &mut words.arguments);
    }
    let file = session.file()?;
    let path = file.path().to_owned();
    let sources = Sources {
        file: (!words.norc).then_some(file),
        profile: profile.as_deref(),
        arguments: Cow::Borrowed(&words.arguments),
        force: words.force,
        environment: environment.clone(),
    };
    check(&sources, &path)?;
    let notes = notes(&sources)?;
    notes.iter().for_each(|note| session.output.note(note));
    logs::for_node(&session.options, &session.output);
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
    let builder = builder(&path, profile, &words)
        .environment(environment)
        .strict(matches.get_flag("strict"));
    // The log has the same line if it shows more than warnings.
    let ways = node::Ways {
        watched,
        tells: session.options.verbose == 0,
        metrics: matches.get_one::<String>("metrics").cloned(),
    };
    let outcome = runtime.block_on(node::run(&session.output, builder, ways));
    // Handlers that do not return do not get more time.
    runtime.shutdown_background();
    outcome
}

/// The ends after which the node is to be started again.
fn when(matches: &ArgMatches) -> Option<When> {
    match matches.get_one::<String>(RESTART).map(String::as_str) {
        Some("on-failure") => Some(When::OnFailure),
        Some("always") => Some(When::Always),
        _ => None,
    }
}

#[cfg(unix)]
fn keep(session: &mut Session, when: When, matches: &ArgMatches) -> Outcome {
    if session.is_chain {
        // They would be repeated at each start.
        let text = "run --restart: no other commands may stand before it";
        return Err(Failure::usage(text));
    }
    let heartbeat = matches.get_one("heartbeat").copied();
    logs::for_node(&session.options, &session.output);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
    let secret = session.options.secret_of_input();
    runtime.block_on(crate::watchdog::keep(
        when,
        heartbeat.unwrap_or(HEARTBEAT),
        secret,
    ))
}

#[cfg(not(unix))]
fn keep(_session: &mut Session, _when: When, _matches: &ArgMatches) -> Outcome {
    Err(Failure::usage("run --restart: only on Unix"))
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

/// Makes the options win where the environment does not count, or not enough.
fn override_all(session: &Session, arguments: &mut Map) {
    let options = &session.options;
    if !options.seeds.is_empty() {
        let seeds = options.seeds.iter().map(|seed| Value::from(seed.as_str()));
        arguments.insert("seeds", seeds.collect::<Value>());
    }
    if let Some(secret) = &options.secret {
        arguments.insert("secret", secret.text());
    }
}

/// Checks for settings that the library accepts, and that are useless here: a node that refuses every connection.
fn check(sources: &Sources<'_>, path: &Path) -> Result<(), Failure> {
    let settings = Settings::resolve(sources)?;
    match settings.secret.is_some() || settings.cert.is_some() {
        true => Ok(()),
        false => Err(no_secret(path)),
    }
}

/// Warnings about effects that the user may not expect.
fn notes(sources: &Sources<'_>) -> Result<Vec<String>, Failure> {
    let mut notes = Vec::new();
    if let (Some(file), Some(name)) = (sources.file, sources.profile)
        && file.profile(name)?.is_none()
    {
        // An unknown profile is not an error, as in the reference: its name becomes the node's ID.
        let path = file.path().display();
        notes.push(format!("warning: {path} has no profile {name:?}"));
    }
    for (key, value, origin) in origins(sources)? {
        let Some(given) = sources.arguments.get(&key) else {
            continue;
        };
        let overrides = matches!(origin, Origin::File(_) | Origin::Environment(_));
        if overrides && !value.loose_eq(given) {
            notes.push(format!(
                "warning: {key}: the value of the command line is not used, but that of {origin} (`force 1` reverses this)"
            ));
        }
    }
    Ok(notes)
}

fn builder(file: &Path, profile: Option<String>, words: &Configure) -> NodeBuilder {
    let mut builder = Node::builder()
        .config_file(file)
        .norc(words.norc)
        .force(words.force);
    if let Some(profile) = profile {
        builder = builder.profile(profile);
    }
    let arguments = words.arguments.iter();
    arguments.fold(builder, |builder, (key, value)| {
        builder.setting(key, Value::clone(value))
    })
}
