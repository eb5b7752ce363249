//! The options that every command takes.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::{
    failure::Failure,
    input::{Input, STANDARD},
    output::Color,
};

/// The default time limit of a command that waits for other nodes.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The options. They may stand before or after any command of a chain, and apply to all commands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) json: bool,
    pub(crate) color: Color,
    timeout: Option<Duration>,
    pub(crate) profile: Option<String>,
    pub(crate) seeds: Vec<String>,
    pub(crate) secret: Option<Input>,
    reads_secret: bool,
    pub(crate) verbose: u8,
}

impl Options {
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT)
    }

    /// The secret, if it was read from standard input, where no other process can read it again.
    #[cfg(unix)]
    pub(crate) fn secret_of_input(&self) -> Option<&Input> {
        self.secret.as_ref().filter(|_| self.reads_secret)
    }

    /// Adds the options of one command.
    pub(crate) fn merge(&mut self, matches: &ArgMatches) -> Result<(), Failure> {
        self.json |= matches.get_flag("json");
        self.verbose = self.verbose.saturating_add(matches.get_count("verbose"));
        let set = |name| matches.get_one::<String>(name);
        if let Some(color) = set("color").and_then(|when| Color::parse(when)) {
            self.color = color;
        }
        self.timeout = matches.get_one("timeout").copied().or(self.timeout);
        self.profile = set("as-profile").cloned().or_else(|| self.profile.take());
        if let Some(word) = set("with-secret") {
            self.secret = Some(Input::of_option(word)?);
            self.reads_secret = word == STANDARD;
        }
        let seeds = matches.get_many::<String>("seed").into_iter().flatten();
        self.seeds.extend(seeds.cloned());
        Ok(())
    }
}

/// Adds the options to the root command.
pub(crate) fn add(root: Command) -> Command {
    let options = [
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Print results as JSON documents, one a line, and errors as {\"error\":TEXT,\"status\":N}"),
        Arg::new("timeout")
            .long("timeout")
            .value_name("SECONDS")
            .value_parser(seconds)
            .help("The time to wait for the network and for answers [default: 5]"),
        Arg::new("seed")
            .short('s')
            .long("seed")
            .value_name("HOST:PORT")
            .action(ArgAction::Append)
            .help("Join the network through this node instead of the configured seeds; repeatable. The node becomes \
                   global"),
        Arg::new("with-secret")
            .long("secret")
            .value_name("TEXT")
            .help("The network's secret, instead of the configured one; `-` reads the first line of standard input, \
                   which lists of processes do not show"),
        Arg::new("as-profile")
            .long("profile")
            .value_name("NAME")
            .help("The profile to configure, or to join the network with"),
        Arg::new("color")
            .long("color")
            .value_name("WHEN")
            .value_parser(["auto", "always", "never"])
            .help("Use colours; auto: on a terminal, unless NO_COLOR is set [default: auto]")
            .hide_possible_values(true),
        Arg::new("verbose")
            .short('v')
            .long("verbose")
            .action(ArgAction::Count)
            .help("Log to standard error; -vv and -vvv log more"),
    ];
    let heading = "Options of every command";
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::HelpShort)
        .help("Print help")
        .help_heading(heading);
    let root = root.disable_help_flag(true).arg(help);
    options.into_iter().fold(root, |root, option| {
        // A hidden long help, because it would be repeated in the help of each command.
        root.arg(
            option
                .global(true)
                .help_heading(heading)
                .hide_long_help(true),
        )
    })
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "must be a number of seconds")?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if duration.is_zero() {
        return Err("must be more than 0 seconds".into());
    }
    // A limit that clocks can add without overflow.
    Ok(duration.min(Duration::from_secs(86_400 * 365)))
}

/// True if the words ask for colours, for output before they have been parsed.
pub(crate) fn color_of(words: &[String]) -> Color {
    let mut color = Color::Auto;
    for (n, word) in words.iter().enumerate() {
        let when = match word.strip_prefix("--color") {
            Some("") => words.get(n + 1).map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        color = when.and_then(Color::parse).unwrap_or(color);
    }
    color
}
