//! What tells a command to end.

#[cfg(unix)]
pub(crate) use self::unix::Signals;

#[cfg(not(unix))]
pub(crate) use self::other::Signals;

#[cfg(unix)]
mod unix {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// SIGTERM, SIGINT and SIGUSR1, caught from now on.
    pub(crate) struct Signals {
        terminate: Signal,
        interrupt: Signal,
        reload: Signal,
    }

    impl Signals {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                // Not SIGHUP: a node in a terminal should end with that.
                reload: signal(SignalKind::user_defined1())?,
            })
        }

        /// Ready when one comes; whether it is SIGUSR1.
        pub(crate) async fn reload_or_end(&mut self) -> bool {
            tokio::select! {
                _ = self.reload.recv() => true,
                _ = self.terminate.recv() => false,
                _ = self.interrupt.recv() => false,
            }
        }

        /// Ready when one comes that is to end the process.
        pub(crate) async fn next(&mut self) {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
        }
    }
}

#[cfg(not(unix))]
mod other {
    use std::io;

    /// Control-C.
    pub(crate) struct Signals;

    impl Signals {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        /// As `next`; false, for there is no other signal.
        pub(crate) async fn reload_or_end(&mut self) -> bool {
            self.next().await;
            false
        }

        /// Ready when it is pressed.
        pub(crate) async fn next(&mut self) {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Ready when the process is to end, with its exit status: SIGTERM, and SIGINT if nobody else takes that.
#[cfg(unix)]
pub(crate) async fn fatal(interrupt: bool) -> i32 {
    use tokio::signal::unix::{SignalKind, signal};

    let wait = async |kind: SignalKind| {
        if let Ok(mut signal) = signal(kind) {
            signal.recv().await;
        } else {
            std::future::pending().await
        }
        128 + kind.as_raw_value()
    };
    tokio::select! {
        status = wait(SignalKind::terminate()) => status,
        status = wait(SignalKind::interrupt()), if interrupt => status,
    }
}

/// Ready when the process is to end, with its exit status: Control-C, if nobody else takes that.
#[cfg(not(unix))]
pub(crate) async fn fatal(interrupt: bool) -> i32 {
    if interrupt && tokio::signal::ctrl_c().await.is_ok() {
        return 130;
    }
    std::future::pending().await
}
