//! The end of a node with its process.

use std::{io, time::Duration};

use super::Node;

impl Node {
    /// Waits for the signal to end the process (SIGTERM, SIGINT; elsewhere Control-C), and then stops the node as
    /// [`stop_within`](Self::stop_within) does. It is also ready when the node ends otherwise.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let node = aemp::Node::builder().profile("worker").start().await?;
    /// node.stop_on_signal(Duration::from_secs(10)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// From the first poll on, these signals do not end the process by themselves, not even a second one.
    ///
    /// # Errors
    ///
    /// An error of the system, if a signal cannot be caught.
    ///
    /// # Cancel safety
    ///
    /// Before a signal, dropping it has no effect on the node. Afterwards the node stops all the same.
    #[doc(alias = "SIGTERM")]
    #[doc(alias = "ctrl_c")]
    pub async fn stop_on_signal(&self, limit: Duration) -> io::Result<()> {
        tokio::select! {
            caught = signal() => caught?,
            _ = self.ended() => return Ok(()),
        }
        self.stop_within(limit).await;
        Ok(())
    }
}

#[cfg(unix)]
async fn signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
