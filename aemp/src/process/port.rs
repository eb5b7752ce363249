//! The ports of processes: ports of their own, and other ports to which a process is attached.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use aemp_codec::PortId;

use super::{Inbox, body, mailbox::Mailbox, parked::Letter};
use crate::{
    Args, Cx, Node, Origin, RcvError, Reason,
    exec::{pace::Record, spans},
    guard,
    message::{Outcome, Port},
    port::{
        Handle, Untyped, UntypedMsg,
        any::AnyPort,
        cell::Cell,
        monitor,
        untyped::{self, Handler},
    },
};

/// The port of a process: an untyped port whose default handler fills the mailbox.
///
/// It is a type of its own for the measurements of the executor. The body of a process may take long, and this must
/// say nothing about other untyped ports.
pub(crate) struct Process(Untyped);

impl Process {
    fn new(mailbox: &Arc<Mailbox>) -> Self {
        Self(Untyped::new(Some(fill(Arc::clone(mailbox)))))
    }

    /// The port of a process that is being spawned by name.
    pub(crate) fn spawned<F>(cx: &Cx<'_>, body: impl FnOnce(Inbox) -> F + Send + 'static) -> Self
    where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        let mailbox = mailbox(cx.node(), cx.origin());
        body::attach(&cx.arc(), &mailbox, body);
        Self::new(&mailbox)
    }
}

fn mailbox(node: &Node, origin: Option<Origin>) -> Arc<Mailbox> {
    Arc::new(Mailbox::new(node.costs().max_port_queue, origin))
}

/// A handler that puts messages into a mailbox.
fn fill(mailbox: Arc<Mailbox>) -> Handler {
    untyped::handler(move |cx: &mut Cx<'_>, message: Args| mailbox.deliver(cx, message))
}

impl Port for Process {
    type Msg = UntypedMsg;
    type Ref = Handle<UntypedMsg>;

    fn record() -> &'static Record {
        static RECORD: Record = Record::new();
        &RECORD
    }

    fn handle(&mut self, cx: &mut Cx<'_>, message: UntypedMsg) -> Result<(), Reason> {
        self.0.handle(cx, message)
    }

    fn changed(&mut self, cx: &mut Cx<'_>) {
        self.0.changed(cx);
    }
}

impl Node {
    /// Starts a process: a port whose body is one async function with a mailbox
    /// ([handbook](crate::handbook::processes)). The function gets the [`Inbox`]. It begins at the port's next turn,
    /// and the port ends when the function returns: normally, or with the error as the reason.
    ///
    /// ```
    /// use aemp::{Node, PortId, cal, msg, receive, snd};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::local()?;
    /// let counter = node.process(|inbox| async move {
    ///     let mut n = 0;
    ///     loop {
    ///         receive! { inbox,
    ///             ("add", by: i64) => n += by,
    ///             ("get", reply: PortId) => { snd!(inbox, reply, n); }
    ///             ("stop") => return,
    ///         }
    ///     }
    /// });
    /// snd!(node, counter, "add", 40);
    /// snd!(node, counter, "add", 2);
    /// assert_eq!(cal!(node, counter, "get").await?, msg![42]);
    /// # Ok(()) }
    /// ```
    #[doc(alias = "port_async")]
    #[doc(alias = "spawn")]
    #[doc(alias = "receive")]
    #[doc(alias = "mailbox")]
    #[doc(alias = "selective receive")]
    pub fn process<F>(&self, body: impl FnOnce(Inbox) -> F + Send + 'static) -> Handle<UntypedMsg>
    where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        let mailbox = mailbox(self, Some(Origin::Local));
        let state = Process::new(&mailbox);
        let port = self.insert(|number| Arc::new(Cell::idle(self.clone(), number, state)));
        let any: Arc<dyn AnyPort> = Arc::<Cell<Process>>::clone(&port);
        body::attach(&any, &mailbox, body);
        Handle::local(port)
    }

    /// Attaches a process to an untyped port of this node, in order with the caller's messages. The process receives
    /// all messages whose tags have no handler, and replaces the default handler. When its function returns, the port
    /// ends.
    ///
    /// A port has one process: a later default handler, or another process, takes the messages from then on.
    ///
    /// # Errors
    ///
    /// [`RcvError`] if the port is not an untyped port of this node. Then the function is dropped.
    pub fn rcv_async<F>(
        &self,
        port: &PortId,
        body: impl FnOnce(Inbox) -> F + Send + 'static,
    ) -> Result<(), RcvError>
    where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        let mailbox = mailbox(self, Some(Origin::Local));
        let filled = Arc::clone(&mailbox);
        self.rcv_default(port, move |cx, message| filled.deliver(cx, message))?;
        match self.find(port.name()) {
            Some(port) => body::attach(&port, &mailbox, body),
            // The port has died meanwhile.
            None => guard::discard(body),
        }
        Ok(())
    }
}

impl Cx<'_> {
    /// Attaches a process to this port, which must be untyped; see [`Node::rcv_async`]. In an init function, the port
    /// becomes a process.
    ///
    /// ```
    /// use aemp::{Args, Cx, Node, args, snd};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = Node::builder().init("My::door", |cx: &mut Cx<'_>, _: Args| {
    ///     cx.rcv("knock", |_: &mut Cx<'_>, _: Args| println!("there was a knock"));
    ///     cx.rcv_async(|inbox| async move {
    ///         inbox.get("open").await;
    ///         inbox.get("close").await;
    ///     });
    /// });
    /// let node = builder.start_local()?;
    /// let door = node.spawn("", "My::door", args![]);
    /// # let (ended, ends) = tokio::sync::oneshot::channel();
    /// # node.mon(&door, |reason| drop(ended.send(reason.is_normal()))).detach();
    /// snd!(node, door, "close");
    /// snd!(node, door, "open");
    /// # assert!(ends.await?);
    /// # Ok(()) }
    /// ```
    pub fn rcv_async<F>(&mut self, body: impl FnOnce(Inbox) -> F + Send + 'static)
    where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        let mailbox = mailbox(self.node(), self.origin());
        body::attach(&self.arc(), &mailbox, body);
        self.rcv_default(move |cx, message| mailbox.deliver(cx, message));
    }

    /// Attaches a process to this port, which may have any type. Its mailbox is filled by the returned [`Feed`], and by the
    /// deaths that it monitors. When its function returns, the port ends.
    ///
    /// A typed port gives it the messages that no handler takes:
    ///
    /// ```
    /// use aemp::{Args, Cx, Feed, Node, PortId, cal, msg, port, snd, spawnable};
    ///
    /// struct Desk { others: Feed }
    ///
    /// #[port]
    /// impl Desk {
    ///     #[rcv]
    ///     fn ping(&self) -> String { "pong".into() }
    ///
    ///     #[rcv(default)]
    ///     fn other(&mut self, tag: &str, args: Args) { self.others.put(tag, args) }
    /// }
    ///
    /// #[spawnable(name = "My::desk")]
    /// fn desk(cx: &mut Cx<'_>) -> Desk {
    ///     let others = cx.attach(|inbox| async move {
    ///         loop {
    ///             let reply = inbox.get("number").await.pop();
    ///             let reply = reply.and_then(|to| PortId::parse(to.as_str()?).ok()).ok_or("no port")?;
    ///             let n = inbox.get("is").await.remove(0);
    ///             snd!(inbox, reply, n);
    ///         }
    ///         # #[allow(unreachable_code)] Ok::<_, &str>(())
    ///     });
    ///     Desk { others }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::local()?;
    /// let desk = desk::on(&node, "");
    /// snd!(node, desk, "is", 7);
    /// assert_eq!(cal!(node, desk, "number").await?, msg![7]);
    /// assert_eq!(desk.ping().await?, "pong");
    /// # Ok(()) }
    /// ```
    ///
    /// While an async handler of the port waits, its process waits as well.
    #[doc(alias = "rcv_async")]
    pub fn attach<F>(&self, body: impl FnOnce(Inbox) -> F + Send + 'static) -> Feed
    where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        let mailbox = mailbox(self.node(), self.origin());
        let port = self.arc();
        body::attach(&port, &mailbox, body);
        Feed {
            port: Arc::downgrade(&port),
            mailbox,
        }
    }
}

/// Puts messages into the mailbox of a process that is attached to a port. Made by [`Cx::attach`]. Cheap to clone.
#[derive(Clone)]
pub struct Feed {
    port: Weak<dyn AnyPort>,
    mailbox: Arc<Mailbox>,
}

impl Feed {
    /// Puts a message into the mailbox. If the mailbox is full, the port dies. After the process has dropped its
    /// inbox, messages vanish.
    pub fn put(&self, tag: &str, args: Args) {
        let mut message = Vec::with_capacity(args.len() + 1);
        message.push(tag.into());
        message.extend(args);
        let letter = Letter {
            origin: None,
            message,
            span: spans::take_over(),
        };
        if let Err(reason) = self.mailbox.put_and_wake(letter)
            && let Some(port) = self.port.upgrade()
        {
            monitor::kill(&port, reason);
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}
