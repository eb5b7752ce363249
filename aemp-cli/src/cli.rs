//! The command line as a whole: chains of commands. The list of the commands is an argument.

use clap::{ArgMatches, ColorChoice, Command, error::ErrorKind};

use crate::{
    Exit,
    client::Kept,
    entry::{Entry, Section, THEN},
    failure::{Failure, Outcome},
    input,
    options::{self, Options},
    output::{Color, Output},
    session::Session,
};

const ABOUT: &str = "Runs, configures and inspects AnyEvent::MP networks";

const AFTER: &str = "\
Commands that do not take the rest of the line can be chained:

    aemp profile seed setseeds 10.0.0.1:4040 setbinds '*:4040' showprofile

An argument that begins with `[`, `{` or `\"` is JSON. Any other argument is text. A single argument that begins with `[` is
the whole command line: aemp '[\"snd\", \"node#port\", \"add\", 5]'

@NAME in the place of a port is the port of the network that has this name, and in the place of a node its node.

The configuration is in ~/.perl-anyevent-mp, or in the file that PERL_ANYEVENT_MP_RC names. AEMP_SEEDS and AEMP_SECRET override it.

Exit status: 0 done, 1 failed or no answer, 2 usage, 3 configuration, 4 the network cannot be joined, 255 evaluated code failed.

`aemp help COMMAND` explains a command.";

/// One parsed command of a chain.
struct Step {
    /// The index of its entry in the table of commands.
    entry: usize,
    matches: ArgMatches,
}

/// An error in a command line.
enum Fault {
    Words(clap::Error),
    Other(Failure),
}

impl From<clap::Error> for Fault {
    fn from(error: clap::Error) -> Self {
        Self::Words(error)
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl Fault {
    fn report(&self, json: bool) -> Exit {
        match self {
            Self::Words(error) => print_error(error, json),
            Self::Other(failure) => {
                Output::new(json, Color::Auto).failure(failure);
                failure.exit
            }
        }
    }
}

/// Parses the whole chain, then runs it. Nothing is run if a part of the chain is wrong.
pub(crate) fn run(entries: &[Entry], words: Vec<String>) -> Exit {
    let color = options::color_of(&words);
    let json = words.iter().any(|word| word == "--json");
    let mut options = Options::default();
    let steps = match parse(entries, words, color, &mut options) {
        Ok(steps) => steps,
        Err(error) => return error.report(options.json || json),
    };
    let output = Output::new(options.json, options.color);
    run_steps(entries, &steps, &mut Session::new(options, output))
}

/// As [`run`], for a line of the shell, which has joined the network already.
pub(crate) fn line(
    entries: &[Entry],
    words: Vec<String>,
    mut options: Options,
    kept: &mut Option<Kept>,
) -> Exit {
    let color = match options::color_of(&words) {
        Color::Auto => options.color,
        color => color,
    };
    options.json |= words.iter().any(|word| word == "--json");
    let steps = match parse(entries, words, color, &mut options) {
        Ok(steps) => steps,
        Err(error) => return error.report(options.json),
    };
    let output = Output::new(options.json, options.color);
    let mut session = Session::new(options, output);
    session.kept = kept.take();
    let exit = run_steps(entries, &steps, &mut session);
    *kept = session.kept.take();
    exit
}

/// Runs the steps, and prints the failures.
fn run_steps(entries: &[Entry], steps: &[Step], session: &mut Session) -> Exit {
    match perform(entries, steps, session) {
        Ok(exit) => exit,
        Err(failure) => {
            session.output.failure(&failure);
            failure.exit
        }
    }
}

fn perform(entries: &[Entry], steps: &[Step], session: &mut Session) -> Outcome {
    for step in steps {
        session.input.extend(input::of(&step.matches)?);
    }
    session.is_chain = steps.len() > 1;
    let mut exit = Exit::Done;
    for step in steps {
        exit = (entries[step.entry].run)(session, &step.matches)?;
    }
    session.save()?;
    Ok(exit)
}

fn parse(
    entries: &[Entry],
    mut words: Vec<String>,
    color: Color,
    options: &mut Options,
) -> Result<Vec<Step>, Fault> {
    let mut root = root(entries, color);
    let mut steps = Vec::new();
    loop {
        let matches = root.try_get_matches_from_mut(&words)?;
        options.merge(&matches)?;
        let Some((name, matches)) = matches.subcommand() else {
            if steps.is_empty() {
                return Err(root
                    .error(ErrorKind::MissingSubcommand, "a command is missing")
                    .into());
            }
            return Ok(steps);
        };
        let rest = matches.try_get_many::<String>(THEN).ok().flatten();
        words = rest.into_iter().flatten().cloned().collect();
        let entry = entries
            .iter()
            .position(|entry| entry.command.get_name() == name);
        steps.extend(entry.map(|entry| Step {
            entry,
            matches: matches.clone(),
        }));
        if words.is_empty() {
            return Ok(steps);
        }
    }
}

/// Prints an error of the command line, or the requested help.
fn print_error(error: &clap::Error, json: bool) -> Exit {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        // If this fails, there is no other way to report it.
        let _ = error.print();
        return Exit::Done;
    }
    if json {
        let text = error.render().to_string();
        let text = text.trim_start_matches("error: ");
        let text = text.split("\n\n").next().unwrap_or_default();
        Output::new(json, Color::Never).failure(&Failure::usage(text));
    } else {
        let _ = error.print();
    }
    Exit::Usage
}

/// The command line for clap.
pub(crate) fn root(entries: &[Entry], color: Color) -> Command {
    let color = match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    let root = Command::new("aemp")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(AFTER)
        .override_usage("aemp [OPTIONS] COMMAND [ARG]... [COMMAND [ARG]...]...")
        .help_template(
            "{about}\n\n{usage-heading} {usage}\n{before-help}\nOptions, before or after any \
             command:\n{options}{after-help}",
        )
        .before_help(sections(entries))
        .no_binary_name(true)
        .color(color)
        .bin_name("aemp")
        .subcommand_value_name("COMMAND")
        .term_width(100);
    let root = options::add(root);
    entries
        .iter()
        .fold(root, |root, entry| root.subcommand(entry.whole_command()))
}

/// The command line for completion: chained commands are listed where they may stand.
pub(crate) fn with_chains(root: Command) -> Command {
    let names = root.get_subcommands().map(|command| command.get_name());
    let names: Vec<_> = names.map(str::to_owned).collect();
    root.mut_subcommands(|command| {
        if !command.get_arguments().any(|arg| arg.get_id() == THEN) {
            return command;
        }
        command.mut_arg(THEN, |arg| arg.value_parser(names.clone()))
    })
}

/// The list of commands, grouped by purpose.
pub(crate) fn sections(entries: &[Entry]) -> String {
    let mut text = String::new();
    for section in Section::ALL {
        let listed = |entry: &&Entry| entry.section == section && entry.listed;
        let mut listed = entries.iter().filter(listed).peekable();
        if listed.peek().is_some() {
            text.push_str(&format!("\n{}:\n", section.title()));
        }
        for entry in listed {
            let about = entry.command.get_about().map(ToString::to_string);
            let about = about.unwrap_or_default();
            text.push_str(&format!("  {:<29} {about}\n", entry.usage()));
        }
    }
    text
}
