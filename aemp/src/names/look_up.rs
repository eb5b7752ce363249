//! Look-ups of names of the network.

use std::sync::Arc;

use aemp_codec::{PortId, Value};

use super::{
    task::Claims,
    view::{self, View},
};
use crate::{
    DbError, Node, PortRef, Reason,
    supervisor::{Follow, Shows},
};

/// The holder that a name's followers are shown.
#[derive(Default)]
struct Holder {
    view: View,
    /// The key of its claim. If parts of the network meet, it stays until its claim ends.
    key: Option<Arc<str>>,
}

impl Holder {
    fn learn(&mut self, claims: Claims) {
        let changes = match claims {
            Claims::Changes(changes) => changes,
            Claims::All(all) => {
                self.view = View::default();
                all
            }
        };
        for (key, entry) in changes {
            self.view.set(&key, entry);
        }
    }

    /// The port that has the name now.
    fn port(&mut self) -> Option<PortId> {
        let stays = |key: &Arc<str>| self.view.port(key).is_some();
        if !self.key.as_ref().is_some_and(stays) {
            let mut holders = self.view.holders().map(|holder| holder.key());
            self.key = holders.find(|key| stays(key)).cloned();
        }
        self.view.port(self.key.as_ref()?).cloned()
    }
}

impl Node {
    /// The port of the network that has the name now; `None` if there is none.
    ///
    /// The type is not checked, as in [`Node::handle`](Self::handle). The port may have died without its node's master
    /// knowing it yet.
    ///
    /// # Errors
    ///
    /// As for every [`DbQuery`](crate::db::DbQuery). [`DbError::Name`] if the name is too long.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn look_up<R: PortRef>(&self, name: &str) -> Result<Option<R>, DbError> {
        let contents = self
            .family::<Value>(&view::family(name))?
            .contents()
            .await?;
        let mut holder = Holder::default();
        holder.learn(Claims::of(crate::db::FamilyEvent::All(contents)));
        Ok(holder.port().map(|port| self.handle(&port)))
    }

    /// As [`look_up`](Self::look_up). If no port has the name, it waits until one has.
    ///
    /// # Errors
    ///
    /// [`DbError::Stopped`] when the node stops. [`DbError::Name`] if the name is too long.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn wait_for<R: PortRef>(&self, name: &str) -> Result<R, DbError> {
        let follow = self.follow(name)?;
        follow.wait().await.map_err(|_| DbError::Stopped)
    }

    /// A handle that follows a name of the network from port to port. It shows no port while none has the name.
    ///
    /// ```
    /// use aemp::{Node, port};
    ///
    /// struct Log;
    ///
    /// #[port]
    /// impl Log {
    ///     #[rcv] fn lines(&self) -> u32 { 3 }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::local()?;
    /// let log = node.follow::<LogRef>("log")?;
    /// let claim = node.claim("log", &node.port(Log))?;
    /// assert_eq!(log.call(|log| log.lines()).await?, 3);
    /// drop(claim);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DbError::Name`] if the name is too long.
    pub fn follow<R>(&self, name: &str) -> Result<Follow<R>, DbError> {
        let mut watch = self.family::<Value>(&view::family(name))?.watch();
        Ok(Follow::of_name(self, name, async move |shows: Shows| {
            let mut holder = Holder::default();
            while let Some(event) = watch.next().await {
                holder.learn(Claims::of(event));
                shows.port(holder.port());
            }
            shows.end(Reason::die("the node has stopped"));
        }))
    }
}
