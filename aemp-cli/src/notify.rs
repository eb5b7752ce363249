//! Messages to the process that has started this one: readiness, heartbeats, the beginning of the end.
//!
//! They are those of systemd (`sd_notify(3)`), so `Type=notify` and `WatchdogSec` of a unit work for a node of `aemp
//! run`, and the [watchdog](crate::watchdog) of `--restart` hears the same. A message is a datagram to the socket that
//! the environment names. No answer comes, and a message that cannot be sent is dropped: the receiver acts on silence.

/// The variable with the address of the socket.
pub(crate) const SOCKET: &str = "NOTIFY_SOCKET";
/// The variable with the time, in microseconds, after which a process without heartbeats is killed.
pub(crate) const HEARTBEAT: &str = "WATCHDOG_USEC";
/// The variable with the ID of the process that must send heartbeats, if it is not any.
pub(crate) const PROCESS: &str = "WATCHDOG_PID";

/// The node runs.
pub(crate) const READY: &str = "READY=1";
/// The node stops.
pub(crate) const STOPPING: &str = "STOPPING=1";
/// A heartbeat.
pub(crate) const BEAT: &str = "WATCHDOG=1";

#[cfg(unix)]
pub(crate) use self::unix::Notify;

#[cfg(not(unix))]
pub(crate) use self::other::Notify;

#[cfg(unix)]
mod unix {
    use std::{env, ffi::OsStr, io, os::unix::net::UnixDatagram, sync::Arc, time::Duration};

    use super::{BEAT, HEARTBEAT, PROCESS, SOCKET};

    /// The way to the process that has started this one.
    #[derive(Clone, Debug)]
    pub(crate) struct Notify {
        socket: Arc<UnixDatagram>,
        beat: Option<Duration>,
    }

    impl Notify {
        /// The way that the environment of the process names, if any.
        pub(crate) fn of_process() -> Option<Self> {
            let address = env::var_os(SOCKET).filter(|address| !address.is_empty())?;
            let socket = connected(&address).ok()?;
            let variable = |name| env::var(name).ok();
            let beat = interval(variable(HEARTBEAT).as_deref(), variable(PROCESS).as_deref());
            let socket = Arc::new(socket);
            Some(Self { socket, beat })
        }

        pub(crate) fn send(&self, text: &str) {
            let _ = self.socket.send(text.as_bytes());
        }

        /// Sends heartbeats until it is dropped. It must be a task of its own: so the heartbeats show that the workers
        /// of the runtime run tasks.
        pub(crate) async fn beats(self) {
            let Some(beat) = self.beat else { return };
            let mut timer = tokio::time::interval(beat);
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                timer.tick().await;
                self.send(BEAT);
            }
        }
    }

    fn connected(address: &OsStr) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        // A full queue of the receiver must not stop the node.
        socket.set_nonblocking(true)?;
        #[cfg(target_os = "linux")]
        if let Some(name) = std::os::unix::ffi::OsStrExt::as_bytes(address).strip_prefix(b"@") {
            use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
            socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?;
            return Ok(socket);
        }
        socket.connect(address)?;
        Ok(socket)
    }

    /// The time between heartbeats: half of the time that the receiver allows. None if it expects none of this process.
    fn interval(limit: Option<&str>, process: Option<&str>) -> Option<Duration> {
        if process.is_some_and(|id| id != std::process::id().to_string()) {
            return None;
        }
        let limit: u64 = limit?.parse().ok()?;
        (limit > 1).then(|| Duration::from_micros(limit / 2))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn heartbeats_come_twice_as_often_as_they_must() {
            let own = std::process::id().to_string();
            let second = Some(Duration::from_secs(1));
            assert_eq!(interval(Some("2000000"), None), second);
            assert_eq!(interval(Some("2000000"), Some(&own)), second);
            assert_eq!(interval(Some("2000000"), Some("1")), None);
            assert_eq!(interval(None, None), None);
            assert_eq!(interval(Some("0"), None), None);
            assert_eq!(interval(Some("soon"), None), None);
        }
    }
}

#[cfg(not(unix))]
mod other {
    /// There is no such socket.
    #[derive(Clone, Debug)]
    pub(crate) enum Notify {}

    impl Notify {
        pub(crate) fn of_process() -> Option<Self> {
            None
        }

        pub(crate) fn send(&self, _text: &str) {
            match *self {}
        }

        pub(crate) async fn beats(self) {
            match self {}
        }
    }
}
