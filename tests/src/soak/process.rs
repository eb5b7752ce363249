//! The processes of a soak test, which never outlive it.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// The longest time that any of them may take to say something.
const PATIENCE: Duration = Duration::from_secs(60);

/// One process of the soak test.
pub(super) struct Process {
    name: String,
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Process {
    /// Starts the program. Its standard error goes to the file, if there is one.
    pub(super) fn start(program: &Path, args: &[&str], log: Option<File>) -> Result<Self, String> {
        let name = args.join(" ");
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(log) = log {
            command.stderr(log);
        }
        let mut child = command
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        let out = child.stdout.take().ok_or("its output is piped")?;
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name, child, lines })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it prints.
    pub(super) fn line(&self) -> Result<String, String> {
        let line = self.lines.recv_timeout(PATIENCE);
        line.map_err(|error| format!("{}: {error}", self.name))
    }

    /// Gives it a line, and waits for its answer.
    pub(super) fn ask(&mut self, line: &str) -> Result<String, String> {
        let input = self.child.stdin.as_mut().ok_or("its input is piped")?;
        writeln!(input, "{line}").map_err(|error| format!("{}: {error}", self.name))?;
        self.line()
    }

    /// True if it still runs.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end. Returns true if it did so in good order.
    pub(super) fn end(&mut self) -> bool {
        drop(self.child.stdin.take());
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
