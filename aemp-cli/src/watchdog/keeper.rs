//! The process of the watchdog.

use std::{
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    time::Instant,
};

use super::{
    VARIABLE,
    ear::Ear,
    plan::{End, Next, Plan, When},
    process::Process,
};
use crate::{
    Exit,
    failure::{Failure, Outcome},
    input::Input,
    notify::{self, Notify},
    signals::Signals,
};

/// Runs the node in processes of its own until it has ended for good. `secret` is the text that this process has read from its
/// standard input.
pub(crate) async fn keep(when: When, heartbeat: Duration, secret: Option<&Input>) -> Outcome {
    let failed = |error: io::Error| Failure::failed(format_args!("the watchdog: {error}"));
    // Before the file is replaced by a new version: later the system would tell the name of the deleted file.
    let program = std::env::current_exe().map_err(failed)?;
    let mut keeper = Keeper {
        signals: Signals::new().map_err(failed)?,
        above: Notify::of_process(),
        plan: Plan::new(when),
        heartbeat,
    };
    if let Some(above) = keeper.above.clone() {
        // The node's heartbeats are for this process, which may allow another time than the service manager.
        tokio::spawn(above.beats());
    }
    loop {
        let start = Instant::now();
        let run = match keeper.start(&program, secret).await {
            Ok((child, ear)) => keeper.watch(child, &ear).await.map_err(failed)?,
            Err(error) => {
                tracing::warn!("the node's process does not start: {error}");
                Run::ended(End::Missing)
            }
        };
        if run.ordered {
            return outcome(run.end);
        }
        let next = keeper.plan.ended(run.end, start.elapsed(), fraction());
        let Next::Again(pause) = next else {
            return outcome(run.end);
        };
        let text = text(run.end);
        if pause.is_zero() {
            tracing::warn!("{text}: it starts again");
        } else {
            tracing::warn!("{text}: it starts again in {:.1} s", pause.as_secs_f64());
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = keeper.signals.next() => return Ok(Exit::Done),
        }
    }
}

struct Keeper {
    signals: Signals,
    /// The service manager of the watchdog itself.
    above: Option<Notify>,
    plan: Plan,
    heartbeat: Duration,
}

/// The end of one process of the node.
struct Run {
    end: End,
    /// True if the watchdog was told to end.
    ordered: bool,
}

impl Run {
    fn ended(end: End) -> Self {
        let ordered = false;
        Self { end, ordered }
    }
}

impl Keeper {
    async fn start(&self, program: &Path, secret: Option<&Input>) -> io::Result<(Child, Ear)> {
        let ear = Ear::new()?;
        let mut command = std::process::Command::new(program);
        command
            .args(std::env::args_os().skip(1))
            .env(VARIABLE, std::process::id().to_string())
            .process_group(0);
        ear.name_to(&mut command, self.heartbeat);
        if secret.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = Command::from(command).kill_on_drop(true).spawn()?;
        if let (Some(secret), Some(mut input)) = (secret, child.stdin.take()) {
            use tokio::io::AsyncWriteExt;
            let line = format!("{}\n", secret.text());
            // A process that has ended already does not read it.
            let _ = input.write_all(line.as_bytes()).await;
        }
        Ok((child, ear))
    }

    /// Waits for the end of a process.
    async fn watch(&mut self, child: Child, ear: &Ear) -> io::Result<Run> {
        let mut process = Process::new(child, self.heartbeat);
        loop {
            tokio::select! {
                // A process that has ended may have been ready before, and a heartbeat that has come counts.
                biased;
                reload = self.signals.reload_or_end() => match reload {
                    true => process.reload(),
                    false => {
                        process.stop();
                        self.say_above(notify::STOPPING);
                    }
                },
                said = ear.next() => {
                    if process.says(said) {
                        self.plan.started();
                        self.say_above(notify::READY);
                    }
                }
                status = process.child.wait() => {
                    return Ok(Run { end: end(status?), ordered: process.ordered });
                }
                () = tokio::time::sleep_until(process.deadline) => process.kill(),
            }
        }
    }

    fn say_above(&self, text: &str) {
        if let Some(above) = &self.above {
            above.send(text);
        }
    }
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Status(code),
        (None, Some(signal)) => End::Signal(signal),
        (None, None) => End::Missing,
    }
}

fn text(end: End) -> String {
    match end {
        end if end.is(Exit::Restart) => "the node was asked to restart".into(),
        End::Status(status) => format!("the node ended with status {status}"),
        End::Signal(signal) => format!("the node was ended by signal {signal}"),
        End::Missing => "the node's process could not be started".into(),
    }
}

/// The end of the node as that of the watchdog. The node has reported its failure.
fn outcome(end: End) -> Outcome {
    let exits = [Exit::Done, Exit::Usage, Exit::Config, Exit::Network];
    match exits.into_iter().find(|exit| end.is(*exit)) {
        Some(exit) => Ok(exit),
        None if end.is(Exit::Failed) || end.is(Exit::Restart) => Ok(Exit::Failed),
        None => Err(Failure::failed(text(end))),
    }
}

/// A random number from 0 to 1. Without one, the pauses are the shortest.
fn fraction() -> f64 {
    getrandom::u32().map_or(0.0, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_the_node_is_that_of_the_watchdog() {
        for (end, exit) in [
            (End::Status(0), Exit::Done),
            (End::Status(3), Exit::Config),
            (End::Status(1), Exit::Failed),
        ] {
            assert_eq!(outcome(end).unwrap(), exit);
        }
        let failure = outcome(End::Signal(9)).unwrap_err();
        assert_eq!(failure.text, "the node was ended by signal 9");
        assert_eq!(failure.exit, Exit::Failed);
    }
}
