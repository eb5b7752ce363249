//! One process of the node, from its start to its end.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::{process::Child, time::Instant};

use super::ear::Said;

/// The time that a node has to stop, before it is killed.
const STOP: Duration = Duration::from_secs(60);

pub(super) struct Process {
    pub(super) child: Child,
    state: State,
    /// True if the watchdog was told to end.
    pub(super) ordered: bool,
    /// The time at which the process is killed.
    pub(super) deadline: Instant,
    heartbeat: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may not catch signals yet. `reload` is true if it is to read its certificates again as soon as it is ready.
    Starting {
        reload: bool,
    },
    Ready,
    Stopping,
}

impl Process {
    pub(super) fn new(child: Child, heartbeat: Duration) -> Self {
        Self {
            child,
            state: State::Starting { reload: false },
            ordered: false,
            deadline: Instant::now() + heartbeat,
            heartbeat,
        }
    }

    /// Takes a message of the process. Returns true if it is ready now, and was not before.
    pub(super) fn says(&mut self, said: Said) -> bool {
        if said.stopping {
            self.stops();
        }
        if self.state == State::Stopping {
            return false;
        }
        self.deadline = Instant::now() + self.heartbeat;
        let State::Starting { reload } = self.state else {
            return false;
        };
        if !said.ready {
            return false;
        }
        self.state = State::Ready;
        if reload {
            self.send(Signal::USR1);
        }
        true
    }

    /// Lets the process read its certificates again. One that does not catch the signal yet would be ended by it.
    pub(super) fn reload(&mut self) {
        match &mut self.state {
            State::Starting { reload } => *reload = true,
            State::Ready => self.send(Signal::USR1),
            State::Stopping => {}
        }
    }

    /// Stops the process. A second call lets it end at once.
    pub(super) fn stop(&mut self) {
        self.ordered = true;
        self.stops();
        self.send(Signal::TERM);
    }

    fn stops(&mut self) {
        if self.state != State::Stopping {
            self.state = State::Stopping;
            self.deadline = Instant::now() + STOP;
        }
    }

    /// Kills the process, whose deadline is over.
    pub(super) fn kill(&mut self) {
        let why = match self.state {
            State::Stopping => "does not stop",
            State::Starting { .. } | State::Ready => "gives no heartbeat",
        };
        tracing::warn!("the node {why}: it is killed");
        self.send(Signal::KILL);
        self.deadline += STOP;
    }

    fn send(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id.and_then(Pid::from_raw) {
            // It may have ended meanwhile. Its ID is not used again before it has been waited for.
            let _ = kill_process(id, signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use tokio::process::Command;

    use super::*;

    const HEARTBEAT: Duration = Duration::from_secs(10);

    /// A process that catches no signals.
    fn process() -> Process {
        let mut command = Command::new("sleep");
        let child = command.arg("60").kill_on_drop(true).spawn();
        Process::new(child.expect("sleep is there"), HEARTBEAT)
    }

    fn said(ready: bool, stopping: bool) -> Said {
        Said { ready, stopping }
    }

    async fn signal(mut process: Process) -> Option<i32> {
        process.child.wait().await.expect("it ends").signal()
    }

    #[tokio::test]
    async fn a_process_reads_its_certificates_again_when_it_is_ready() {
        let mut first = process();
        first.reload();
        first.stop();
        assert_eq!(signal(first).await, Some(Signal::TERM.as_raw()));
        let mut second = process();
        second.reload();
        assert!(second.says(said(true, false)));
        assert_eq!(signal(second).await, Some(Signal::USR1.as_raw()));
    }

    #[tokio::test(start_paused = true)]
    async fn heartbeats_put_the_end_off_until_the_process_stops() {
        let mut process = process();
        let first = process.deadline;
        tokio::time::advance(HEARTBEAT / 2).await;
        assert!(process.says(said(true, false)));
        assert!(!process.says(said(true, false)), "it was ready before");
        assert_eq!(process.deadline, first + HEARTBEAT / 2);
        assert!(!process.says(said(false, true)));
        let last = Instant::now() + STOP;
        tokio::time::advance(STOP / 2).await;
        for _ in 0..2 {
            assert!(!process.says(said(true, true)));
        }
        assert_eq!(process.deadline, last);
        process.kill();
        assert!(process.deadline > last);
        assert!(!process.ordered);
    }
}
