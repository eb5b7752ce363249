//! One command as the command line knows it: its purpose, its syntax, its function.

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::{failure::Outcome, session::Session};

/// The end of the help of each command.
const OPTIONS: &str =
    "`aemp --help` lists the common options of all commands, and the exit statuses.";

/// The argument of a command that holds the commands behind it in a chain.
pub(crate) const THEN: &str = "then";

/// The purpose of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Run,
    Messages,
    Network,
    Settings,
    Profiles,
    Shell,
}

impl Section {
    pub(crate) const ALL: [Self; 6] = [
        Self::Run,
        Self::Messages,
        Self::Network,
        Self::Settings,
        Self::Profiles,
        Self::Shell,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Run => "Run a node",
            Self::Messages => "Talk to ports and nodes",
            Self::Network => "Look at the network",
            Self::Settings => {
                "Configure (X is short for setX; delX resets X to the inherited or default value)"
            }
            Self::Profiles => "Profiles",
            Self::Shell => "Shell integration",
        }
    }
}

type Run = Box<dyn Fn(&mut Session, &ArgMatches) -> Outcome>;

/// One command: its syntax and its function.
pub(crate) struct Entry {
    pub(crate) section: Section,
    pub(crate) command: Command,
    /// True if another command may follow in a chain.
    pub(crate) chains: bool,
    /// True if it is in the list of commands by itself. Otherwise one line of the list explains all commands of its
    /// kind.
    pub(crate) listed: bool,
    pub(crate) run: Run,
}

impl Entry {
    pub(crate) fn new(
        section: Section,
        command: Command,
        run: impl Fn(&mut Session, &ArgMatches) -> Outcome + 'static,
    ) -> Self {
        Self {
            section,
            command,
            chains: false,
            listed: true,
            run: Box::new(run),
        }
    }

    pub(crate) fn chaining(mut self) -> Self {
        self.chains = true;
        self
    }

    pub(crate) fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }

    /// The command, with the commands that may follow it.
    pub(crate) fn whole_command(&self) -> Command {
        let command = self.command.clone();
        let help = command.get_after_help().map(|help| format!("{help}\n\n"));
        let help = help.unwrap_or_default() + OPTIONS;
        let command = command.after_help(help).arg(help_option());
        let command = command.mut_subcommands(|command| command.arg(help_option()));
        if !self.chains {
            return command;
        }
        let then = Arg::new(THEN)
            .value_name("COMMAND")
            .num_args(0..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
            .help("More commands");
        command.arg(then)
    }

    /// The name and the arguments.
    pub(crate) fn usage(&self) -> String {
        let mut text = self.command.get_name().to_owned();
        for arg in self.command.get_positionals() {
            let name = arg.get_id();
            let many = arg.get_num_args().is_some_and(|many| many.max_values() > 1);
            text.push_str(&match (arg.is_required_set(), many) {
                (true, false) => format!(" {name}"),
                (false, false) => format!(" [{name}]"),
                (true, true) => format!(" {name}..."),
                (false, true) => format!(" [{name}]..."),
            });
        }
        text
    }
}

fn help_option() -> Arg {
    let help = Arg::new("help").short('h').long("help");
    help.action(ArgAction::Help).help("Print help")
}
