//! Processes of the network, for the process that starts them.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::database::member::Member;

const CHILD: &str = "--database-child";

/// A child process. It ends when this is dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    commands: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Process {
    /// Starts this program again, as a member of the network.
    pub(crate) fn start(member: &Member) -> Result<Self, String> {
        let name = member.name.clone();
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", member.name);
        let program = env::current_exe().map_err(|error| failed(&error))?;
        let mut child = Command::new(program)
            .arg(CHILD)
            .args(member.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let commands = stdin.ok_or_else(|| failed(&"its input is not piped"))?;
        let output = stdout.ok_or_else(|| failed(&"its output is not piped"))?;
        Ok(Self {
            name,
            child,
            commands,
            replies: BufReader::new(output),
        })
    }

    /// Sends it a command.
    pub(crate) fn send(&mut self, command: &str) -> Result<(), String> {
        writeln!(self.commands, "{command}")
            .map_err(|error| format!("{}: {command}: {error}", self.name))
    }

    /// The next line of its output.
    pub(crate) fn reply(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self.replies.read_line(&mut line);
        let failed = |text: &dyn std::fmt::Display| format!("{}: {text}", self.name);
        read.map_err(|error| failed(&error))?;
        match line.trim() {
            "" => Err(failed(&"it has ended")),
            line => Ok(line.to_owned()),
        }
    }

    /// Sends it a command, and waits for the reply.
    pub(crate) fn ask(&mut self, command: &str) -> Result<String, String> {
        self.send(command)?;
        self.reply()
    }

    /// Sends it a command, and waits for a number.
    pub(crate) fn number(&mut self, command: &str) -> Result<f64, String> {
        let reply = self.ask(command)?;
        reply
            .parse()
            .map_err(|_| format!("{}: {command}: {reply}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the child's part, if the arguments are those of a child.
pub(crate) fn child(arguments: &[String]) -> Option<()> {
    let [flag, arguments @ ..] = arguments else {
        return None;
    };
    if flag != CHILD {
        return None;
    }
    Member::parse(arguments)?.run();
    Some(())
}
