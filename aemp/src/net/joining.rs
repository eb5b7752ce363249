//! Waiting until a node is part of the network, or has a reason why not.

use std::{pin::pin, time::Duration};

use tokio::time::Instant;

use super::Net;
use crate::{JoinError, Node};
use aemp_proto::mesh::Joining;

impl Net {
    pub(crate) fn joining(&self) -> Joining {
        self.0.mesh.lock().joining()
    }

    /// The setting `connect_interval`.
    pub(crate) fn connect_interval(&self) -> Duration {
        self.0.config.connect_interval
    }
}

impl Node {
    /// Waits until this node is part of the network: another node is connected, or there is none to connect to, because
    /// this node has no seeds or is its only seed.
    ///
    /// Returns an error:
    ///
    /// - at once, when each seed has failed in a way that another attempt does not mend, such as another secret;
    /// - when each address of each seed has failed and `connect_interval` is over;
    /// - when `monitor_timeout` is over.
    ///
    /// The node continues to try after an error, so this may be called again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// let builder = aemp::Node::builder().node_id("here").secret("s3cret").seed("127.0.0.1:1");
    /// let node = builder.connect_interval(Duration::from_millis(100)).start().await?;
    /// let error = node.joined().await.unwrap_err();
    /// assert!(error.to_string().contains("127.0.0.1:1: Connection refused"), "{error}");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`JoinError`] with the failure of each seed.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn joined(&self) -> Result<(), JoinError> {
        let net = self.net().ok_or(JoinError::NoNetwork)?;
        let (begun, config) = (Instant::now(), &net.0.config);
        let early = begun + config.connect_interval;
        let late = begun + config.monitor_timeout.max(config.connect_interval);
        loop {
            // Created before the mesh is asked, so that no change in between is missed.
            let mut changed = pin!(net.0.seeds_changed.notified());
            changed.as_mut().enable();
            let (joining, now) = (net.joining(), Instant::now());
            match joining {
                _ if self.has_ended().is_some() => return Err(JoinError::Ended),
                Joining::Joined => return Ok(()),
                Joining::Failed { lasting: true } => return Err(JoinError::Refused(self.seeds())),
                Joining::Failed { .. } if now >= early => {
                    return Err(JoinError::Unreached(self.seeds()));
                }
                _ if now >= late => return Err(JoinError::Unreached(self.seeds())),
                _ => {}
            }
            let next = if now < early { early } else { late };
            tokio::select! {
                biased;
                () = changed => {}
                () = tokio::time::sleep_until(next) => {}
                _ = self.ended() => return Err(JoinError::Ended),
            }
        }
    }
}
