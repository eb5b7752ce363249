//! `aemp logs`: the log of the whole network, live.

mod line;
mod span;

use std::time::Duration;

use aemp::logs::{CatchLogs, LogLevel};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use self::line::print;
use crate::{
    Exit,
    args::rest,
    failure::{Failure, Outcome},
    session::Session,
    signals::Signals,
    words,
};

pub(crate) fn command() -> Command {
    Command::new("logs")
        .about("Follow the logs of nodes")
        .long_about(
            "Prints the lines of the logs of all nodes as they are logged: time (UTC), level, node, target, text. Nodes \
             that join later are followed as well, and nodes that come back are followed again. Runs until SIGINT or \
             SIGTERM, or for --count lines.\n\nNODEs are patterns of node IDs, in which `*` stands for any text and `?` \
             for any character. Levels are fatal, alert, critical, error, warn, note, info, debug, trace, or 1 to 9.\n\n\
             `aemp run` passes its lines on to every node that may call `AnyEvent::MP::LogCatcher::connect` (`setallow`), \
             and so do Perl nodes and programs with the layer `aemp::logs::layer`. Other nodes send one line that says \
             that they do not. Nodes of `aemp run` keep their last 1000 lines of level info, which --since prints \
             first.\n\nIf lines come faster than they are printed, the oldest ones are left out, and a line gives their \
             number.\n\nWith --json: {\"node\":ID,\"time\":SECONDS,\"level\":NAME,\"target\":TEXT,\"text\":TEXT} a line.",
        )
        .after_help(
            "Examples:\n  aemp logs\n  aemp logs -l debug 'worker/*' --grep aemp::node\n  aemp logs -l warn --since 10m",
        )
        .arg(
            Arg::new("level")
                .long("level")
                .short('l')
                .value_name("LEVEL")
                .default_value("info")
                .value_parser(|text: &str| text.parse::<LogLevel>())
                .help("Print lines of this level and of more urgent ones"),
        )
        .arg(
            Arg::new("grep")
                .long("grep")
                .value_name("TARGET")
                .action(ArgAction::Append)
                .help("Print only lines whose target contains this text; repeatable"),
        )
        .arg(
            Arg::new("since")
                .long("since")
                .value_name("DURATION")
                .value_parser(span::parse)
                .help("Print the lines of this time before the start as well: 90, 90s, 10m, 2h, 1d"),
        )
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..))
                .help("End after this number of lines"),
        )
        .arg(
            Arg::new("NODE")
                .num_args(0..)
                .help("The nodes, by their IDs or patterns; all if none is named"),
        )
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let level = matches.get_one::<LogLevel>("level").copied();
    let mut wanted = CatchLogs::from(level.unwrap_or(LogLevel::Info));
    for node in rest(matches, "NODE") {
        wanted = wanted.nodes(words::text("NODE", node)?);
    }
    if let Some(since) = matches.get_one::<Duration>("since") {
        wanted = wanted.since(*since);
    }
    let grep = rest(matches, "grep");
    let mut count = matches.get_one::<u64>("count").copied();
    session.with_client(async |client| {
        let mut signals = Signals::new().map_err(Failure::failed)?;
        let mut lines = client.node.catch_logs(wanted);
        while count != Some(0) {
            let line = tokio::select! {
                Some(line) = lines.next() => line,
                () = signals.next() => break,
            };
            let is_wanted = |text: &&String| line.target.contains(text.as_str());
            if grep.is_empty() || grep.iter().any(is_wanted) {
                print(client.output, &line)?;
                count = count.map(|left| left - 1);
            }
        }
        Ok(Exit::Done)
    })
}
