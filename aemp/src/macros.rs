//! The macros of the untyped layer: messages are lists of values.

/// A message, tag first, from values of any types that convert into [`Value`](crate::Value).
///
/// ```
/// use aemp::{Value, msg};
///
/// let message = msg!["set", "colour", 7];
/// assert_eq!(message, vec![Value::from("set"), Value::from("colour"), Value::from(7)]);
/// ```
#[macro_export]
macro_rules! msg {
    ($($value:expr),* $(,)?) => {
        ::std::vec![$(<$crate::__private::Value as ::core::convert::From<_>>::from($value)),*] as ::std::vec::Vec<$crate::__private::Value>
    };
}

/// Arguments, from values of any types that convert into [`Value`](crate::Value). As [`msg!`], for functions that take
/// [`Args`](crate::Args).
///
/// ```
/// use aemp::{Args, args};
///
/// let none: Args = args![];
/// assert!(none.is_empty());
/// assert_eq!(args!["colour", 7].len(), 2);
/// ```
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        $crate::msg![$($value),*]
    };
}

/// Sends a message to a port: `snd!(node, port, "tag", arguments...)`.
///
/// The node is a `Node` or the context of a handler. The port is a `PortId` or a typed handle. Returns the result of
/// [`Node::snd`](crate::Node::snd).
///
/// ```
/// use aemp::{Args, Cx, Node, snd};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), aemp::StartError> {
/// let node = Node::local()?;
/// let log = node.untyped(|_cx: &mut Cx<'_>, message: Args| println!("{message:?}"));
/// snd!(node, log, "started", 1);
/// snd!(node, log.id(), "stopped");
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! snd {
    ($node:expr, $port:expr $(, $value:expr)* $(,)?) => {{
        use $crate::__private::ToPortId as _;
        ::core::convert::AsRef::<$crate::__private::Node>::as_ref(&$node)
            .snd(&$port.to_port_id(), $crate::msg![$($value),*])
    }};
}

/// Calls a port: `cal!(node, port, "tag", arguments...).await` returns the values of the answer.
///
/// A reply port is appended to the message, as [`Node::cal`](crate::Node::cal) does. The node is a `Node` or the
/// context of a handler. The port is a `PortId` or a typed handle.
///
/// ```
/// use aemp::{Node, cal, msg, port};
///
/// struct Adder;
///
/// #[port]
/// impl Adder {
///     #[rcv]
///     fn add(&self, a: i64, b: i64) -> i64 {
///         a + b
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::local()?;
/// let adder = node.port(Adder);
/// assert_eq!(cal!(node, adder, "add", 2, 3).await?, msg![5]);
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! cal {
    ($node:expr, $port:expr $(, $value:expr)* $(,)?) => {{
        use $crate::__private::ToPortId as _;
        ::core::convert::AsRef::<$crate::__private::Node>::as_ref(&$node)
            .cal(&$port.to_port_id(), $crate::msg![$($value),*])
    }};
}

/// Receives one of several messages from the mailbox of a [process](crate::handbook::processes), with arguments of
/// given types. Used in async code; its value is that of the arm that is run.
///
/// ```
/// use std::time::Duration;
/// use aemp::{Args, Node, PortId, Reason, receive, snd};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::local()?;
/// let shop = node.process(|inbox| async move {
///     let mut stock = 10u32;
///     loop {
///         receive! { inbox,
///             ("order", n: u32, reply: PortId) if n <= stock => {
///                 stock -= n;
///                 snd!(inbox, reply, "sold", n);
///             }
///             ("deliver", n: u32, note: Option<String>) => {
///                 stock += n;
///                 println!("{}", note.unwrap_or_default());
///             }
///             ("log", rest @ ..) => println!("{rest:?}"),
///             ("DOWN", port: PortId, reason: Reason) => println!("{port} has died: {reason}"),
///             ("close") => return,
///             after Duration::from_secs(3600) => println!("nothing to do"),
///         }
///     }
/// });
/// # let (tell, told) = tokio::sync::oneshot::channel();
/// # let mut tell = Some(tell);
/// # let customer = node.untyped(move |_: &mut aemp::Cx<'_>, m: Args| drop(tell.take().map(|t| t.send(m))));
/// snd!(node, shop, "order", 15, customer.id().to_string()); // waits for a delivery
/// snd!(node, shop, "deliver", 7);
/// # assert_eq!(told.await?, aemp::msg!["sold", 15]);
/// # Ok(()) }
/// ```
///
/// # Patterns
///
/// The messages in the mailbox are tried in the order in which they came, each with the arms from top to bottom. The
/// first message that fits an arm is taken, and the others stay in their order. If none fits, the macro waits for more.
///
/// | pattern | takes |
/// | --- | --- |
/// | `("tag")` | a message of the tag alone |
/// | `("tag", name: Type)` | a message with this tag and one argument that can be read as `Type` |
/// | `("tag", name: Option<Type>)` | the same; an optional argument at the end may be missing or null |
/// | `("tag", 5, "text", _)` | a message whose arguments equal these values (`5` and `"5"` are equal); `_` is any argument |
/// | `("tag", ..)`, `("tag", rest @ ..)` | a message with any further arguments, which are `Args` |
/// | `(tag: String, ..)` | a message with any tag |
/// | `name`, `_` | any message; `name` is the whole one, tag first |
/// | `pattern if guard` | a message for which the guard is true as well |
/// | `after duration` | stands last: run when no message has come for this time. A duration of zero does not wait |
///
/// Types are read as the arguments of [`#[port]`](macro@crate::port) are: they implement `serde::Deserialize` and own their
/// content, and digits are a number. A message whose arguments do not fit is not taken and stays in the mailbox; an arm
/// `other => ...` at the end takes all other messages. Guards borrow what they use, and are tried once for each message.
/// `return`, `break`, `continue`, `?` and `.await` work in the arms.
///
/// If all patterns begin with a tag, only messages with these tags are looked at: among `n` messages each costs
/// `O(log n)`.
///
/// # Cancel safety
///
/// If the future that contains it is dropped while it waits, it has taken nothing.
#[doc(alias = "mailbox")]
#[doc(alias = "selective receive")]
#[doc(alias = "get_cond")]
#[macro_export]
macro_rules! receive {
    ($($tokens:tt)*) => {
        $crate::__private::receive_arms! { [$crate] $($tokens)* }
    };
}
