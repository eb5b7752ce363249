//! `aemp shell`: commands, one in each line, over one connection to the network.

mod complete;
mod lines;
mod names;
mod split;

use std::io::{self, IsTerminal};

use aemp::Shown;
use clap::{Arg, ArgMatches, Command};

use self::{
    lines::{Here, Lines},
    names::Names,
    split::split,
};
use crate::{
    Exit,
    args::word,
    cli,
    client::Kept,
    entry::Entry,
    failure::{Failure, Outcome},
    options::Options,
    output::{self, Output, Text},
    session::Session,
    words,
};

/// Commands that the shell does not have.
const LEFT_OUT: [&str; 3] = ["run", "shell", "completions"];

const OWN: &str = "\
The shell's own:
  node [NODE]                   set the node for `.` and `#NAME`; without NODE, unset it
  help [COMMAND]                this list, or the help of one command
  quit                          leave; the end of the input leaves as well

Words are separated as in a shell: '...' quotes blanks, \\ quotes one character. A word that begins with [, { or \" is JSON to
its end. A line that begins with # and a blank is a comment. The options of the command line, such as --json and
--timeout, apply to one line.";

pub(crate) fn command() -> Command {
    Command::new("shell")
        .about("A prompt for all commands")
        .long_about(
            "Joins the network once, then reads commands, one a line, without the word `aemp`, until `quit` or the end \
             of the input. An error does not end the shell.\n\nOn a terminal, it has line editing, a history and \
             completion (Tab) of commands, nodes, ports, init functions and families. Pasted lines, and lines that are typed \
             while a command runs, are run one after the other. Without a terminal, the exit \
             status is that of the first command that failed.\n\nWith NODE, the first argument of a command may be `.` \
             for that node, or `#NAME` for a port of it.\n\nThe history is kept in $AEMP_HISTORY, or in aemp/history \
             in $XDG_STATE_HOME or ~/.local/state. Lines with secrets are not kept.",
        )
        .after_help("Examples:\n  aemp shell green/1\n  echo 'cal green/1 time' | aemp shell")
        .arg(Arg::new("NODE").help("The node for `.` and `#NAME`"))
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches, mut entries: Vec<Entry>) -> Outcome {
    let node = matches
        .get_one::<String>("NODE")
        .map(|_| words::node(word(matches, "NODE")))
        .transpose()?;
    let interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
    let kept = session.stay(interactive)?;
    let names = Names::new(kept.node().clone(), kept.handle().clone());
    entries.retain(|entry| !LEFT_OUT.contains(&entry.command.get_name()));
    let mut shell = Shell {
        entries,
        options: session.options.clone(),
        here: Here::default(),
        kept: Some(kept),
    };
    *shell.here.borrow_mut() = node.map(|node| node.as_str().into());
    let lines = if interactive {
        Lines::editor(shell.commands(), names, Here::clone(&shell.here))?
    } else {
        Lines::Plain
    };
    let failed = shell.read(lines)?;
    Ok(if interactive { Exit::Done } else { failed })
}

struct Shell {
    entries: Vec<Entry>,
    options: Options,
    here: Here,
    kept: Option<Kept>,
}

/// The continuation after a line.
enum Then {
    Next(Exit),
    Quit,
}

impl Shell {
    /// The commands of the shell, for completion.
    fn commands(&self) -> Vec<Command> {
        let own = [
            Command::new("node").arg(Arg::new("NODE")),
            Command::new("help").arg(Arg::new("COMMAND")),
            Command::new("quit"),
        ];
        let entries = self.entries.iter().map(|entry| entry.command.clone());
        entries.chain(own).collect()
    }

    /// Reads and runs all lines. Returns the status of the first line that failed.
    fn read(&mut self, mut lines: Lines) -> Outcome {
        let mut failed = Exit::Done;
        loop {
            let prompt = match self.here.borrow().as_deref() {
                Some(node) => format!("{}> ", Shown(node)),
                None => "aemp> ".into(),
            };
            let Some(line) = lines.next(&prompt)? else {
                return Ok(failed);
            };
            match self.line(&line) {
                Then::Quit => return Ok(failed),
                Then::Next(exit) if failed == Exit::Done => failed = exit,
                Then::Next(_) => {}
            }
        }
    }

    fn line(&mut self, line: &str) -> Then {
        let mut words = match split(line) {
            Ok(words) => words,
            Err(text) => return self.fail(&Failure::usage(text)),
        };
        let first = words.first().map_or("", String::as_str);
        match (first, words.len()) {
            ("", 0) => Then::Next(Exit::Done),
            ("quit" | "exit", 1) => Then::Quit,
            ("help", 1) => self.finish(self.help()),
            ("node", 1 | 2) => self.finish(self.go(words.get(1))),
            _ => {
                self.expand(&mut words);
                let options = self.options.clone();
                Then::Next(cli::line(&self.entries, words, options, &mut self.kept))
            }
        }
    }

    fn finish(&self, outcome: Outcome) -> Then {
        match outcome {
            Ok(exit) => Then::Next(exit),
            Err(failure) => self.fail(&failure),
        }
    }

    fn fail(&self, failure: &Failure) -> Then {
        Output::new(self.options.json, self.options.color).failure(failure);
        Then::Next(failure.exit)
    }

    fn help(&self) -> Outcome {
        let listed = cli::sections(&self.entries);
        output::line(&Text::lines(&format!("{}\n\n{OWN}", listed.trim())))?;
        Ok(Exit::Done)
    }

    /// Sets the node for short names, or unsets it.
    fn go(&self, node: Option<&String>) -> Outcome {
        let node = node.map(|node| words::node(node)).transpose()?;
        *self.here.borrow_mut() = node.map(|node| node.as_str().into());
        Ok(Exit::Done)
    }

    /// Completes a short port name in the first argument with its node.
    fn expand(&self, words: &mut [String]) {
        let here = self.here.borrow();
        let Some(node) = here.as_deref() else { return };
        let mut arguments = words.iter_mut().filter(|word| !word.starts_with('-'));
        let argument = arguments.nth(1);
        let Some(word) = argument else { return };
        if word == "." {
            *word = node.into();
        } else if word.starts_with('#') {
            word.insert_str(0, node);
        }
    }
}
