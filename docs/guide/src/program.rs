//! Programs of the guide, as processes of their own.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

/// The longest time for a line that a program is expected to print.
const PATIENCE: Duration = Duration::from_secs(60);

/// An address on loopback that is free at this moment. A program that is killed and started again needs a fixed one.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").to_string()
}

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    process: Child,
    lines: Receiver<String>,
    printed: String,
}

impl Program {
    /// Starts a program of the guide.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(path: &str, args: &[&str]) -> Self {
        let mut command = Command::new(path);
        command.args(args);
        Self::of(command)
    }

    /// Starts a command.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn of(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the program starts");
        let output = process.stdout.take().expect("its output is piped");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || forward(output, &sender));
        Self {
            process,
            lines,
            printed: String::new(),
        }
    }

    /// Waits until the program has printed a line with this beginning.
    ///
    /// # Panics
    ///
    /// If the program ends or falls silent before.
    pub fn expect(&mut self, start: &str) {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("no line begins with {start:?} in:\n{}", self.printed);
            };
            self.printed += &format!("{line}\n");
            if line.starts_with(start) {
                return;
            }
        }
    }

    /// Types a line. The line becomes a part of the output, as it does on a terminal.
    ///
    /// # Panics
    ///
    /// If the program reads no more.
    pub fn type_line(&mut self, line: &str) {
        let input = self.process.stdin.as_mut().expect("its input is piped");
        writeln!(input, "{line}").expect("the program reads");
        self.printed += &format!("{line}\n");
    }

    /// Closes the program's input, waits for its end, and returns all of its output.
    ///
    /// # Panics
    ///
    /// If the program does not end, or fails.
    #[must_use]
    pub fn end(mut self) -> String {
        drop(self.process.stdin.take());
        self.drain();
        let status = self.process.wait().expect("it ends");
        assert!(status.success(), "{status}, after:\n{}", self.printed);
        std::mem::take(&mut self.printed)
    }

    /// Ends the program as `kill -9` does, and returns its output.
    ///
    /// # Panics
    ///
    /// If it cannot be killed.
    #[must_use]
    pub fn kill(mut self) -> String {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ends");
        self.drain();
        std::mem::take(&mut self.printed)
    }

    /// Reads the output to its end.
    fn drain(&mut self) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.printed += &format!("{line}\n"),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    panic!(
                        "the program does not end; it has printed:\n{}",
                        self.printed
                    )
                }
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn forward(output: impl Read, lines: &mpsc::Sender<String>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if lines.send(line).is_err() {
            return;
        }
    }
}

/// Runs a program to its end, and returns its output.
///
/// # Panics
///
/// If it does not end, or fails.
#[must_use]
pub fn run(path: &str, args: &[&str]) -> String {
    Program::start(path, args).end()
}

/// The output and the errors of a shell command with these variables.
///
/// # Panics
///
/// If there is no shell.
#[must_use]
pub fn shell(command: &str, variables: &[(&str, &OsStr)]) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).envs(variables.iter().copied());
    let output = shell
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
