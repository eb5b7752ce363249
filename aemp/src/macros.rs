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
