//! The process of the watchdog.

use std::{
    fs, io,
    os::unix::{
        fs::DirBuilderExt,
        net::UnixDatagram as Bound,
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    net::UnixDatagram,
    process::{Child, Command},
    time::Instant,
};

use super::{
    VARIABLE,
    plan::{End, Next, Plan, When},
};
use crate::{
    Exit,
    failure::{Failure, Outcome},
    input::Input,
    notify::{self, Notify},
    signals::Signals,
};

/// The time that a node has to stop, before it is killed.
const STOP: Duration = Duration::from_secs(60);

/// Runs the node in processes of its own until it has ended for good. `secret` is what this process has read from its
/// standard input.
pub(crate) async fn keep(when: When, heartbeat: Duration, secret: Option<&Input>) -> Outcome {
    let failed = |error: io::Error| Failure::failed(format_args!("the watchdog: {error}"));
    // Before the file is replaced by a new version: later the system would tell the name of the deleted file.
    let program = std::env::current_exe().map_err(failed)?;
    let mut keeper = Keeper {
        signals: Signals::new().map_err(failed)?,
        ear: Ear::new().map_err(failed)?,
        above: Notify::of_process(),
        plan: Plan::new(when),
        heartbeat,
    };
    loop {
        let start = Instant::now();
        let run = match keeper.start(&program, secret).await {
            Ok(child) => keeper.watch(child).await.map_err(failed)?,
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
    ear: Ear,
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
    async fn start(&self, program: &Path, secret: Option<&Input>) -> io::Result<Child> {
        let mut command = std::process::Command::new(program);
        command
            .args(std::env::args_os().skip(1))
            .env(VARIABLE, std::process::id().to_string())
            .process_group(0);
        self.ear.tell(&mut command, self.heartbeat);
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
        Ok(child)
    }

    /// Waits for the end of a process.
    async fn watch(&mut self, mut child: Child) -> io::Result<Run> {
        let mut ordered = false;
        let mut deadline = Instant::now() + self.heartbeat;
        let mut stopping = false;
        loop {
            tokio::select! {
                status = child.wait() => {
                    return Ok(Run { end: end(status?), ordered });
                }
                said = self.ear.hear() => {
                    if said.ready {
                        self.plan.started();
                    }
                    if said.stopping && !stopping {
                        stopping = true;
                        deadline = Instant::now() + STOP;
                    } else if !stopping {
                        deadline = Instant::now() + self.heartbeat;
                    }
                    if let Some(above) = &self.above
                        && !stopping
                    {
                        said.pass_on(above);
                    }
                }
                reload = self.signals.reload_or_end() => {
                    let signal = if reload { Signal::USR1 } else { Signal::TERM };
                    send(&child, signal);
                    if !reload && !ordered {
                        ordered = true;
                        stopping = true;
                        deadline = Instant::now() + STOP;
                        if let Some(above) = &self.above {
                            above.say(notify::STOPPING);
                        }
                    }
                }
                () = tokio::time::sleep_until(deadline) => {
                    let why = if stopping { "does not stop" } else { "gives no heartbeat" };
                    tracing::warn!("the node {why}: it is killed");
                    send(&child, Signal::KILL);
                    deadline += STOP;
                }
            }
        }
    }
}

fn send(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(id) = id.and_then(Pid::from_raw) {
        // It may have ended meanwhile. Its ID is not used again before it has been waited for.
        let _ = kill_process(id, signal);
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
        End::Status(75) => "the node was asked to restart".into(),
        End::Status(status) => format!("the node ended with status {status}"),
        End::Signal(signal) => format!("the node was ended by signal {signal}"),
        End::Missing => "the node's process could not be started".into(),
    }
}

/// The end of the node as that of the watchdog. The node has reported its failure.
fn outcome(end: End) -> Outcome {
    let exits = [Exit::Done, Exit::Usage, Exit::Config, Exit::Network];
    let same = exits
        .into_iter()
        .find(|exit| end == End::Status(exit.code().into()));
    match same {
        Some(exit) => Ok(exit),
        None if matches!(end, End::Status(1 | 75)) => Ok(Exit::Failed),
        None => Err(Failure::failed(text(end))),
    }
}

/// A random number from 0 to 1. Without one, the pauses are the shortest.
fn fraction() -> f64 {
    getrandom::u32().map_or(0.0, |number| f64::from(number) / f64::from(u32::MAX))
}

/// The socket for what the node says: in a directory that only this user can enter.
struct Ear {
    socket: UnixDatagram,
    directory: PathBuf,
}

impl Ear {
    fn new() -> io::Result<Self> {
        let random = getrandom::u64().map_err(io::Error::other)?;
        let directory = std::env::temp_dir().join(format!("aemp-{random:016x}"));
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let bound = Bound::bind(directory.join("notify")).and_then(|socket| {
            socket.set_nonblocking(true)?;
            UnixDatagram::from_std(socket)
        });
        match bound {
            Ok(socket) => Ok(Self { socket, directory }),
            Err(error) => {
                let _ = fs::remove_dir_all(&directory);
                Err(error)
            }
        }
    }

    /// Names the socket to a process, as systemd does.
    fn tell(&self, command: &mut std::process::Command, heartbeat: Duration) {
        command
            .env(notify::SOCKET, self.directory.join("notify"))
            .env(notify::HEARTBEAT, heartbeat.as_micros().to_string())
            .env_remove(notify::PROCESS);
    }

    /// Waits for the next word of the node.
    async fn hear(&self) -> Said {
        let mut text = [0; 256];
        match self.socket.recv(&mut text).await {
            Ok(length) => Said::of(&text[..length]),
            Err(error) => {
                tracing::warn!("the node cannot be heard: {error}");
                std::future::pending().await
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// One message of the node. Any message is a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    ready: bool,
    stopping: bool,
}

impl Said {
    fn of(text: &[u8]) -> Self {
        let says = |word: &str| {
            text.split(|octet| *octet == b'\n')
                .any(|line| line == word.as_bytes())
        };
        Self {
            ready: says(notify::READY),
            stopping: says(notify::STOPPING),
        }
    }

    fn pass_on(self, above: &Notify) {
        above.say(if self.ready {
            notify::READY
        } else {
            notify::BEAT
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_lines() {
        let said = |text: &str| Said::of(text.as_bytes());
        assert!(said("READY=1\nSTATUS=fine").ready);
        assert!(said("MAINPID=5\nSTOPPING=1\n").stopping);
        let beat = said("WATCHDOG=1");
        assert!(!beat.ready && !beat.stopping);
        assert!(!said("XREADY=1").ready);
    }

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
