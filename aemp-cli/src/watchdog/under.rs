//! The node's side: its watchdog, as the process of the node sees it.

use std::{env, fs, path::PathBuf, sync::OnceLock, time::Duration};

use tokio::sync::Notify;

use super::VARIABLE;
use crate::notify::SOCKET;

/// Requests for a restart. It is set in a process that is started again after its end.
static REQUESTS: OnceLock<Notify> = OnceLock::new();

/// Checks that this process is started again after its end.
///
/// # Errors
///
/// Fails without a watchdog, because the node would not come back.
pub(crate) fn check() -> Result<(), &'static str> {
    requests().map(drop)
}

/// Asks for a restart of this process. Fails as [`check`] does.
pub(crate) fn ask() -> Result<(), &'static str> {
    requests().map(Notify::notify_one)
}

fn requests() -> Result<&'static Notify, &'static str> {
    REQUESTS.get().ok_or(
        "this node would not come back: it must have been started with `aemp run --restart`, or by a service manager \
         that sets AEMP_WATCHDOG=service",
    )
}

/// The process that starts this one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    /// None: the end of this process is the end of the node.
    No,
    /// A service manager.
    ByService,
    /// A watchdog of `aemp run --restart`, with this process ID.
    By(u32),
}

impl Watched {
    /// The state of this process.
    pub(crate) fn now() -> Self {
        Self::of(env::var(VARIABLE).ok().as_deref(), parent())
    }

    /// The variable is inherited by the processes that a node starts, which are not watched.
    fn of(variable: Option<&str>, parent: Option<u32>) -> Self {
        match variable {
            Some("service") => Self::ByService,
            Some(text) => match text.parse() {
                Ok(id) if parent == Some(id) => Self::By(id),
                _ => Self::No,
            },
            None => Self::No,
        }
    }

    /// True if this process is the node of a watchdog, and not to become one.
    pub(crate) fn is_by_watchdog(self) -> bool {
        matches!(self, Self::By(_))
    }

    /// Waits for a request for a restart. Allows such requests, if the process is watched.
    pub(crate) async fn requested(self) {
        match self {
            Self::No => std::future::pending().await,
            Self::ByService | Self::By(_) => {
                REQUESTS.get_or_init(Notify::new).notified().await;
            }
        }
    }

    /// Waits for the end of the watchdog.
    pub(crate) async fn deserted(self) {
        let Self::By(id) = self else {
            return std::future::pending().await;
        };
        while parent() == Some(id) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        remove_socket();
    }
}

/// Removes the socket of a watchdog that could not do so itself, and its directory if that is empty.
fn remove_socket() {
    let Some(socket) = env::var_os(SOCKET).map(PathBuf::from) else {
        return;
    };
    let _ = fs::remove_file(&socket);
    if let Some(directory) = socket.parent() {
        let _ = fs::remove_dir(directory);
    }
}

#[cfg(unix)]
fn parent() -> Option<u32> {
    Some(std::os::unix::process::parent_id())
}

#[cfg(not(unix))]
fn parent() -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_counts_for_the_watchdog_s_child_only() {
        for (variable, watched) in [
            (None, Watched::No),
            (Some(""), Watched::No),
            (Some("12"), Watched::By(12)),
            (Some("13"), Watched::No),
            (Some("service"), Watched::ByService),
        ] {
            assert_eq!(Watched::of(variable, Some(12)), watched, "{variable:?}");
        }
    }
}
