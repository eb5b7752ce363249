//! Calls that block their thread, for scripts and tests outside of the runtime.

use super::{Call, ValueCall};
use crate::{CallError, message::Message};
use aemp_codec::Value;

impl<M: Message, T: Send + 'static> Call<M, T> {
    /// Blocks this thread until the call has ended. For code outside of the runtime, such as scripts, tests and other
    /// libraries' threads. Async code awaits the call instead.
    ///
    /// ```
    /// use aemp::{Node, port};
    /// use tokio::runtime::Runtime;
    ///
    /// struct Adder;
    ///
    /// #[port]
    /// impl Adder {
    ///     #[rcv]
    ///     fn add(&self, a: i64, b: i64) -> i64 { a + b }
    /// }
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let runtime = Runtime::new()?;
    ///     let node = runtime.block_on(async { Node::local() })?;
    ///     assert_eq!(node.port(Adder).add(2, 3).wait()?, 5);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// Other threads must run the runtime of the node meanwhile. A runtime of the kind `current_thread` runs only
    /// while one of them is in its `block_on`.
    ///
    /// # Errors
    ///
    /// As for the call.
    ///
    /// # Panics
    ///
    /// Panics within async code, including handlers and processes, whose thread must not be blocked.
    #[doc(alias = "syncal")]
    #[doc(alias = "blocking")]
    #[doc(alias = "block_on")]
    pub fn wait(self) -> Result<T, CallError> {
        let runtime = self.caller().scheduler().runtime().clone();
        runtime.block_on(self)
    }
}

impl ValueCall {
    /// Blocks this thread until the call has ended; see [`Call::wait`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use aemp::{Args, Cx, Node, PortId, cal, msg, snd};
    ///
    /// let runtime = tokio::runtime::Runtime::new()?;
    /// let node = runtime.block_on(async { Node::local() })?;
    /// let reverser = node.untyped(|cx: &mut Cx<'_>, args: Args| {
    ///     let text: String = args[1].text().unwrap_or_default().chars().rev().collect();
    ///     snd!(cx, PortId::parse(args[2].as_str().unwrap_or_default()).unwrap(), text);
    /// });
    /// let answer = cal!(node, reverser, "reverse", "Rotator").timeout(Duration::from_secs(1)).wait()?;
    /// assert_eq!(answer, msg!["rotatoR"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for the call.
    ///
    /// # Panics
    ///
    /// Panics within async code, whose thread must not be blocked.
    #[doc(alias = "syncal")]
    #[doc(alias = "blocking")]
    pub fn wait(self) -> Result<Vec<Value>, CallError> {
        let runtime = self.node().scheduler().runtime().clone();
        runtime.block_on(self)
    }
}
