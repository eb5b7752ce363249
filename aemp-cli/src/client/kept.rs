//! A client that stays in the network for many commands.

use std::{
    fmt, io,
    sync::{Arc, OnceLock},
    thread,
};

use aemp::Node;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};
use tracing::subscriber::DefaultGuard;

use super::{Client, join::join, limit::Limit};
use crate::{
    failure::{Failure, Outcome},
    logs,
    network::Network,
    options::Options,
    output::Output,
    signals,
    terminal::Modes,
};

/// A node that has joined the network and runs on a thread of its own, so that it answers and keeps its connections
/// while the user thinks. Dropping it leaves the network.
pub(crate) struct Kept {
    node: Node,
    handle: Handle,
    /// True if Control-C ends the running command instead of the process.
    interruptible: bool,
    ended: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    _logs: DefaultGuard,
}

impl Kept {
    /// Joins the network.
    pub(crate) fn join(
        network: Network,
        options: &Options,
        output: &Output,
        interruptible: bool,
    ) -> Result<Self, Failure> {
        let (ended, end) = oneshot::channel::<()>();
        let cannot_start =
            |error: io::Error| Failure::failed(format_args!("cannot start: {error}"));
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(cannot_start)?;
        let handle = runtime.handle().clone();
        // Subscribers for logs are set for each thread.
        let their_logs = logs::subscriber(options, output);
        let logs = logs::for_client(options, output);
        let joined = Arc::new(OnceLock::<Node>::new());
        let node = Arc::clone(&joined);
        // A signal may arrive while a line is being edited.
        let terminal = interruptible.then(Modes::now);
        let run = move || {
            tracing::subscriber::with_default(their_logs, || {
                runtime.block_on(async {
                    tokio::select! {
                        // The channel is also ready when its sender is dropped.
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
            // Blocking code does not get more time.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("node".into()).spawn(run);
        let thread = thread.map_err(cannot_start)?;
        let limit = Limit::of(options.timeout());
        let node = handle.block_on(join(network, output, limit))?;
        // No other code sets it.
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

    /// The runtime's handle, for code that has only the node.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs the work of a command.
    pub(crate) fn run(
        &self,
        options: &Options,
        output: &Output,
        job: impl AsyncFnOnce(&Client<'_>) -> Outcome,
    ) -> Outcome {
        let client = Client {
            node: self.node.clone(),
            output,
            stays: true,
            limit: Limit::of(options.timeout()),
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
            // The thread ends as soon as its runtime has been shut down.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.node).finish()
    }
}
