//! A client that stays in the network over many commands.

use std::{
    fmt, io,
    sync::{Arc, OnceLock},
    thread,
};

use aemp::Node;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    time::Instant,
};
use tracing::subscriber::DefaultGuard;

use super::{Client, join};
use crate::{
    failure::{Failure, Outcome},
    logs,
    session::Session,
    signals,
    terminal::Modes,
};

/// A node that has joined the network, on a thread of its own: it answers and keeps its connections while the user thinks.
/// Dropping it leaves the network in order.
pub(crate) struct Kept {
    node: Node,
    handle: Handle,
    /// Whether Control-C ends what is being done instead of the whole process.
    interruptible: bool,
    ended: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    _logs: DefaultGuard,
}

impl Kept {
    /// Joins the network.
    pub(crate) fn join(session: &mut Session, interruptible: bool) -> Result<Self, Failure> {
        let (ended, end) = oneshot::channel::<()>();
        let cannot_start =
            |error: io::Error| Failure::failed(format_args!("cannot start: {error}"));
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(cannot_start)?;
        let handle = runtime.handle().clone();
        // What is logged is caught by thread.
        let their_logs = logs::subscriber(session);
        let logs = logs::for_client(session);
        let joined = Arc::new(OnceLock::<Node>::new());
        let node = Arc::clone(&joined);
        // A signal may come while a line is being edited.
        let terminal = interruptible.then(Modes::now);
        let run = move || {
            tracing::subscriber::with_default(their_logs, || {
                runtime.block_on(async {
                    tokio::select! {
                        // Without a sender it ends as well.
                        _ = end => {}
                        status = signals::fatal(!interruptible) => {
                            if let Some(node) = node.get() {
                                node.stop().await;
                            }
                            if let Some(terminal) = &terminal {
                                terminal.restore();
                            }
                            std::process::exit(status);
                        }
                    }
                });
            });
            // Code that does not return has had its time.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("node".into()).spawn(run);
        let thread = thread.map_err(cannot_start)?;
        let deadline = Instant::now() + session.options.timeout();
        let node = handle.block_on(join::join(session, deadline))?;
        // Nobody else sets it.
        let _ = joined.set(node.clone());
        Ok(Self {
            node,
            handle,
            interruptible,
            ended: Some(ended),
            thread: Some(thread),
            _logs: logs,
        })
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// What runs futures for those who only have the node.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Does what there is to do.
    pub(super) fn with(
        &self,
        session: &Session,
        job: impl AsyncFnOnce(&Client<'_>) -> Outcome,
    ) -> Outcome {
        let timeout = session.options.timeout();
        let client = Client {
            node: self.node.clone(),
            output: &session.output,
            stays: true,
            timeout,
            deadline: Instant::now() + timeout,
        };
        self.handle.block_on(async {
            if !self.interruptible {
                return job(&client).await;
            }
            tokio::select! {
                biased;
                interrupted = tokio::signal::ctrl_c() => match interrupted {
                    Ok(()) => Err(Failure::failed("interrupted")),
                    Err(error) => Err(Failure::failed(error)),
                },
                outcome = job(&client) => outcome,
            }
        })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.handle.block_on(self.node.stop());
        drop(self.ended.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing more to do.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.node).finish()
    }
}
