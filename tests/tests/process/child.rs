//! A node in a process of its own, which never outlives its test.

use std::{
    io::{BufRead, BufReader, Write},
    process::{self, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::{TIMEOUT, common::PATIENCE};

pub(crate) struct Child {
    process: process::Child,
    lines: mpsc::Receiver<String>,
    /// The address at which it listens.
    pub(crate) address: String,
}

impl Child {
    /// Starts a node and waits until it listens.
    pub(crate) fn start(id: &str, bind: &str, seeds: &[String]) -> Self {
        let timeout = TIMEOUT.as_millis().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_aemp-test-node"));
        command.args([id, bind, &timeout]).args(seeds);
        Self::run(command)
    }

    /// Runs a program that is a node, and waits until it listens.
    pub(crate) fn run(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = piped.spawn().expect("the helper starts");
        let out = process.stdout.take().expect("it is piped");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut child = Self {
            process,
            lines,
            address: String::new(),
        };
        child.address = child.expect("listens ");
        child
    }

    /// Waits until it prints a line with this beginning. Returns the rest of the line.
    pub(crate) fn expect(&self, start: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no {start:?}: {error}"));
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// The next line that it prints, if there is one until then.
    pub(crate) fn line(&self, deadline: Instant) -> Option<String> {
        let patience = deadline.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(patience.max(Duration::ZERO)).ok()
    }

    /// Gives it a line to read.
    pub(crate) fn order(&mut self, order: &str) {
        let input = self.process.stdin.as_mut().expect("it is piped");
        writeln!(input, "{order}").expect("it reads");
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let status = kill.args(["-s", name, &self.id().to_string()]).status();
        assert!(status.expect("there is a kill command").success());
    }

    /// Kills it at once, without a chance to say goodbye.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it has ended");
    }

    /// Asks it to end. Returns true if it did so in good order.
    pub(crate) fn end(&mut self) -> bool {
        drop(self.process.stdin.take());
        self.process.wait().expect("it ends").success()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
