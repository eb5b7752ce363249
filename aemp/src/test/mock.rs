//! A port that answers as another would, and records its calls.
//!
//! Its messages come as values, which are recorded, and are read as messages of the protocol afterwards. So a message of
//! this node is encoded as one to another node is. A message that the protocol does not have is a mistake of the test:
//! the mock dies of it, and so does the caller's call.

use std::{fmt, sync::Arc};

use aemp_codec::{PortId, Value};
use serde::de::DeserializeOwned;

use super::probe;
use crate::{
    Args, Cx, Handle, Node, Reason, UntypedMsg,
    lock::Lock,
    message::{Message, Port, PortRef},
    node::names,
};

/// A port for tests that answers the messages of a `#[protocol]`, or of another port, with a closure, and records
/// them.
///
/// ```
/// use aemp::{Value, protocol, test::{self, Mock}};
///
/// #[protocol]
/// trait Shelf {
///     fn count(&self) -> i64;
///     fn put(&self, key: String, value: Value);
/// }
///
/// test::run(async |node| {
///     let mock = Mock::new(&node, |message| match message {
///         ShelfMsg::Count(reply) => reply.send(3),
///         ShelfMsg::Put(..) => {}
///     });
///     let shelf: ShelfRef = mock.handle();
///     shelf.put("apples".into(), 5.into());
///     assert_eq!(shelf.count().await.unwrap(), 3);
///     let puts: Vec<(String, Value)> = mock.calls_of("put");
///     assert_eq!(puts, [("apples".into(), 5.into())]);
///     assert_eq!(mock.calls().len(), 2);
/// });
/// ```
///
/// *Semantics.* The closure gets each message as the enum of the protocol, in order, and answers by the message's
/// [`Reply`](crate::Reply). It may keep the `Reply`, or drop it without an answer. A message that the enum does not have, and
/// a panic of the closure, end the mock, and its callers get `Died` with the text. Dropping the mock ends its port
/// normally.
///
/// *Limits.* Messages are recorded for as long as the mock lives. Those of a `#[port(local)]`, and arguments in
/// [`Local`](crate::Local), cannot be recorded: use a [`Probe`](super::Probe).
#[doc(alias = "stub")]
pub struct Mock<M: Message> {
    handle: Handle<M>,
    calls: Arc<Lock<Vec<Heard>>>,
}

/// A message that a [`Mock`] was sent or called with.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Heard {
    /// The tag.
    pub tag: String,
    /// The arguments, without the reply port of a call.
    pub args: Args,
}

/// The port of a mock.
struct Double<M> {
    run: Box<dyn FnMut(M) + Send>,
    calls: Arc<Lock<Vec<Heard>>>,
}

impl<M: Message> Port for Double<M> {
    type Msg = UntypedMsg;
    type Ref = Handle<UntypedMsg>;

    fn handle(&mut self, cx: &mut Cx<'_>, message: UntypedMsg) -> Result<(), Reason> {
        let message = probe::values(message);
        self.calls.lock().push(heard(message.clone()));
        let typed = probe::typed(cx.node(), &cx.id(), message).map_err(Reason::die)?;
        (self.run)(typed);
        Ok(())
    }
}

fn heard(mut message: Args) -> Heard {
    let args = message.split_off(message.len().min(1));
    let tag = message.first().and_then(Value::text);
    let mut call = Heard {
        tag: tag.unwrap_or_default().into_owned(),
        args,
    };
    let is_reply_port = |value: &mut Value| {
        let id = value.as_str().map(PortId::parse);
        matches!(id, Some(Ok(id)) if names::is_reply_port(&id))
    };
    call.args.pop_if(is_reply_port);
    call
}

impl<M: Message> Mock<M> {
    /// Makes a mock on a node. `run` gets its messages.
    #[must_use]
    pub fn new(node: &impl AsRef<Node>, run: impl FnMut(M) + Send + 'static) -> Self {
        let (node, calls) = (node.as_ref(), Arc::default());
        let double = Double {
            run: Box::new(run),
            calls: Arc::clone(&calls),
        };
        let port = node.port(double);
        Self {
            handle: node.handle(&port.id()),
            calls,
        }
    }

    /// A handle of its port, for the actors under test.
    #[must_use]
    pub fn handle<R: PortRef<Msg = M>>(&self) -> R {
        self.handle.clone().into()
    }

    /// The messages that have come by now.
    #[must_use]
    pub fn calls(&self) -> Vec<Heard> {
        self.calls.lock().clone()
    }

    /// The arguments of the messages with this tag that have come by now: tuples of several, or the type of one.
    ///
    /// # Panics
    ///
    /// If the arguments of one are of other types.
    #[must_use]
    #[track_caller]
    pub fn calls_of<T: DeserializeOwned>(&self, tag: &str) -> Vec<T> {
        let calls = self.calls().into_iter().filter(|call| call.tag == tag);
        let read = |call: Heard| match probe::read(self.handle.node(), call.args.clone()) {
            Ok(arguments) => arguments,
            Err(error) => panic!("`{tag}` with {:?}: {error}", call.args),
        };
        calls.map(read).collect()
    }
}

impl<M: Message> Drop for Mock<M> {
    fn drop(&mut self) {
        self.handle.kill(());
    }
}

impl<M: Message> fmt::Debug for Mock<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mock({})", self.handle.id())
    }
}
