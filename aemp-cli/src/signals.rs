//! The signals that end a command.

#[cfg(unix)]
pub(crate) use self::unix::Signals;

#[cfg(not(unix))]
pub(crate) use self::other::Signals;

#[cfg(unix)]
mod unix {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// SIGTERM, SIGINT and SIGUSR1, which are caught from now on.
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
                // SIGHUP is not caught: a node in a terminal should end with the terminal.
                reload: signal(SignalKind::user_defined1())?,
            })
        }

        /// Waits for a signal. Returns true if it is SIGUSR1.
        pub(crate) async fn reload_or_end(&mut self) -> bool {
            tokio::select! {
                _ = self.reload.recv() => true,
                _ = self.terminate.recv() => false,
                _ = self.interrupt.recv() => false,
            }
        }

        /// Waits for a signal that ends the process.
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

        /// Waits for Control-C. Returns false, because there is no other signal.
        pub(crate) async fn reload_or_end(&mut self) -> bool {
            self.next().await;
            false
        }

        /// Waits for Control-C.
        pub(crate) async fn next(&mut self) {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Waits until the process should end, and returns the exit status: for SIGTERM, and for SIGINT if `interrupt` is set.
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

/// Waits until the process should end, and returns the exit status: for Control-C if `interrupt` is set.
#[cfg(not(unix))]
pub(crate) async fn fatal(interrupt: bool) -> i32 {
    if interrupt && tokio::signal::ctrl_c().await.is_ok() {
        return 130;
    }
    std::future::pending().await
}
