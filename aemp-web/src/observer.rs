//! The observer: a page in the browser for a whole network.
//!
//! One task collects the nodes' reports about themselves (`watch`) into one state, as far as a browser shows them
//! (`demand`). Every page is made of that state on the server (`views`), and sent again after each change by
//! server-sent events; in the browser, htmx replaces the parts that differ. So a browser holds no state, and needs no program of
//! ours beyond a few lines.
//!
//! Dangers:
//!
//! - Names of foreign nodes contain anything. maud escapes all text, and [`Shown`](aemp::Shown) shows control characters.
//! - A node that lies in its reports. It can only lie about itself; limits bound its lists, and loops in trees end.
//! - A slow browser. Each has one view in flight; newer ones replace each other. The number of live pages is limited.
//! - Strangers: see `door`.
//!
//! Rates, times, waits and traces are in modules of their own (`activity`, `waits`, `traces`), without I/O.
//!
//! Left out: a library for graphs in the browser (the server draws, with the layout of `aemp trace --svg`), and one for curves.

mod actions;
mod api;
mod assets;
mod demand;
mod door;
mod history;
mod html;
#[cfg(test)]
mod large;
mod page;
mod picture;
mod server;
mod views;
mod watch;
mod waterfall;

use std::{future::Future, io};

use aemp::Node;
use tokio::net::TcpListener;

use self::{door::Door, views::Actions, watch::Watch};

/// An observer, before it is started.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use aemp::Node;
/// use aemp_web::Observer;
///
/// let node = Node::builder().node_id("observer").secret("s3cret").start().await?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// println!("http://{}/", listener.local_addr()?);
/// let observer = tokio::spawn(Observer::new(&node).serve(listener)?);
/// # observer.abort();
/// # node.stop().await;
/// # Ok(()) }
/// ```
///
/// # Semantics
///
/// The observer's node is a member of the network like any other, and asks the others in their own language, so nothing has
/// to be added to them. It asks once a second, and only while a page is open, or ten seconds after. Nodes without the
/// feature `metrics` count messages and calls while they are asked. Rates and times of handlers and calls are those of
/// the last five to ten seconds. While the page of calls is open, nodes that are built with the feature `trace` follow one
/// message in a second, and the page shows the [traces](aemp::inspect::Traces). If the page of a port is asked for its messages, the
/// port's node is [tapped](aemp::tap), which it may refuse. Perl nodes are shown by their answers and by the reports of their neighbours. The
/// observer's own node is left out.
///
/// # Limits
///
/// - At most 64 pages are live at the same time.
/// - Nodes are asked at most 250 in a second: in a larger network, each is asked less often.
/// - Each node lists 200 ports, those with the longest queues; fewer in a network of more than 200 nodes.
/// - Each node lists 200 handlers, those with the most messages and calls; fewer in a network of more than 200 nodes. A node with very many
///   ports counts them less often than once a second.
/// - Times are known within a factor of two: a quantile is an estimate within its class.
/// - The messages of 16 ports are followed at the same time, while a page asks for them. Of each, the last 50 are shown. The node copies all of them, up to
///   the [limits](aemp::tap) of a tap.
/// - A node remembers its last 256 deaths, of which its page lists 50.
/// - The changes of a family are the differences of its contents from second to second.
/// - 60 traces are kept for ten minutes at most: of a busy node and of a busy handler the slow ones. A trace has at most 100 spans of each node,
///   and 200 are drawn. Clocks that contradict the order of calls are corrected.
/// - The history has ten minutes of the time in which a page was open.
#[derive(Clone, Debug)]
pub struct Observer {
    node: Node,
    token: Option<String>,
    actions: Actions,
}

impl Observer {
    /// An observer of the network of this node.
    #[must_use]
    pub fn new(node: &Node) -> Self {
        Self {
            node: node.clone(),
            token: None,
            actions: Actions::Off,
        }
    }

    /// Only browsers that say this token see anything: `http://ADDRESS/?token=TOKEN`, which sets a cookie. It consists of letters
    /// and digits. Without it, everyone who reaches the address sees everything, so set one unless the address is of the
    /// loopback interface.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Permits actions on the pages: to kill and to spawn ports, to stop nodes that `aemp run` runs, and to follow the log from the levels
    /// `debug` and `trace` on, of which nodes send many lines. Default: off.
    #[must_use]
    pub fn actions(mut self, permitted: bool) -> Self {
        self.actions = if permitted { Actions::On } else { Actions::Off };
        self
    }

    /// Serves the pages on this listener, until the future is dropped.
    ///
    /// # Errors
    ///
    /// At once: the listener has no address, or the token is empty or contains other characters than letters and digits of
    /// ASCII. The future ends with an error if the listener fails.
    pub fn serve(
        self,
        listener: TcpListener,
    ) -> io::Result<impl Future<Output = io::Result<()>> + Send + use<>> {
        let is_plain = |token: &String| {
            !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        if self.token.as_ref().is_some_and(|token| !is_plain(token)) {
            let text = "a token consists of letters and digits of ASCII";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let door = Door::new(listener.local_addr()?, self.token);
        let watch = Watch::new(&self.node);
        let router = server::router(watch.clone(), door, self.actions);
        Ok(async move {
            tokio::select! {
                served = axum::serve(listener, router) => served,
                () = watch.collect() => Ok(()),
            }
        })
    }
}
