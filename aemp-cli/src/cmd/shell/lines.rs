//! The source of the lines: a line editor, or a file.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    rc::Rc,
};

use clap::Command;
use rustyline::{
    CompletionType, Config, Context, Editor, Helper, completion::Completer, error::ReadlineError,
    highlight::Highlighter, hint::Hinter, history::DefaultHistory, validate::Validator,
};

use super::{complete::complete, names::Names};
use crate::{
    failure::Failure,
    output::{self, Text},
};

/// The environment variable that names the file of the history.
const HISTORY: &str = "AEMP_HISTORY";
/// Lines that contain one of these words are not kept in the history.
const SECRET: [&str; 2] = ["secret", "cert"];

/// The node for short names. The shell changes it while the editor uses it.
pub(super) type Here = Rc<RefCell<Option<String>>>;

/// A source of lines.
pub(super) enum Lines {
    Editor(Box<Edited>),
    Plain,
}

pub(super) struct Edited {
    editor: Editor<Completing, DefaultHistory>,
    history: Option<PathBuf>,
    /// The further lines of a pasted text.
    pasted: VecDeque<String>,
}

impl Lines {
    /// A line editor.
    pub(super) fn editor(
        commands: Vec<Command>,
        names: Names,
        here: Here,
    ) -> Result<Self, Failure> {
        let unusable =
            |error| Failure::failed(format_args!("the terminal cannot be used: {error}"));
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .build();
        let mut editor = Editor::with_config(config).map_err(unusable)?;
        editor.set_helper(Some(Completing {
            commands,
            names,
            here,
        }));
        let history = history();
        if let Some(history) = &history {
            // The first time there is no file.
            let _ = editor.load_history(history);
        }
        let pasted = VecDeque::new();
        Ok(Self::Editor(Box::new(Edited {
            editor,
            history,
            pasted,
        })))
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self, prompt: &str) -> Result<Option<String>, Failure> {
        match self {
            Self::Editor(edited) => edited.next(prompt),
            Self::Plain => {
                let mut line = String::new();
                let read = io::stdin().read_line(&mut line);
                let read = read.map_err(|error| {
                    Failure::failed(format_args!("cannot read a line: {error}"))
                })?;
                Ok((read > 0).then_some(line))
            }
        }
    }
}

impl Edited {
    fn next(&mut self, prompt: &str) -> Result<Option<String>, Failure> {
        if let Some(line) = self.pasted.pop_front() {
            // It belongs to the output of its command.
            output::line(&Text::of(format_args!("{prompt}{line}")))?;
            self.remember(&line);
            return Ok(Some(line));
        }
        loop {
            match self.editor.readline(prompt) {
                Ok(text) => {
                    // The editor takes a text that a terminal marks as pasted as one line.
                    let mut lines = text.split('\n').map(str::to_owned);
                    let line = lines.next().unwrap_or_default();
                    self.pasted = lines.filter(|line| !line.trim().is_empty()).collect();
                    self.remember(&line);
                    return Ok(Some(line));
                }
                // Control-C drops the typed text.
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => {
                    return Err(Failure::failed(format_args!("cannot read a line: {error}")));
                }
            }
        }
    }

    /// Saves a line at once, because a shell may end in any way. Errors are ignored: the shell works without a history.
    fn remember(&mut self, line: &str) {
        if line.trim().is_empty() || SECRET.iter().any(|word| line.contains(word)) {
            return;
        }
        if let Ok(true) = self.editor.add_history_entry(line)
            && let Some(history) = &self.history
        {
            let _ = history.parent().map(std::fs::create_dir_all);
            let _ = self.editor.append_history(history);
        }
    }
}

/// The file of the history.
fn history() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(file) = set(HISTORY) {
        return Some(file.into());
    }
    let state = set("XDG_STATE_HOME").map(PathBuf::from);
    let home = || set("HOME").map(|home| Path::new(&home).join(".local/state"));
    Some(state.or_else(home)?.join("aemp/history"))
}

/// Completes words in the editor.
struct Completing {
    commands: Vec<Command>,
    names: Names,
    here: Here,
}

impl Completer for Completing {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let here = self.here.borrow();
        Ok(complete(
            &self.commands,
            &self.names,
            here.as_deref(),
            &line[..pos],
        ))
    }
}

impl Hinter for Completing {
    type Hint = String;
}

impl Highlighter for Completing {}
impl Validator for Completing {}
impl Helper for Completing {}
