//! Starting ports by the name of their init function, here and on other nodes ([protocol](aemp_proto::protocol::requests#spawning)).

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Poll, Waker},
};

use aemp_codec::{EncodeError, NodeId, PacketReader, PacketWriter, PortId, Value};
use serde::Deserialize;

use super::{Given, Node, short};
use crate::{
    Cx, Inbox, Reason,
    exec::{
        current,
        held::{Init, spawn_extras},
        scheduler,
    },
    guard,
    message::{self, Outcome, Port, Undecoded},
    port::{Untyped, any::AnyPort, cell::Cell, death, extras::Extras},
    process::Process,
};

/// The function name that every node knows ([protocol](aemp_proto::protocol::requests#the-fixed-requests)).
pub(crate) const SPAWN: &str = "AnyEvent::MP::_spawn";

/// The return type of an init function: a port's state, a `Result` of one, or `()` for an untyped port whose handlers
/// the function has set with [`Cx::rcv`].
///
/// The trait is sealed: other crates cannot implement it.
#[diagnostic::on_unimplemented(
    message = "an init function returns a port, and `{Self}` is not a port",
    label = "no handlers are known for this type",
    note = "return a type that has an `#[aemp::port]` block, a `Result` of one, or `()` for an untyped port"
)]
pub trait InitOutcome: sealed::InitOutcome {
    /// The type of the port's state.
    type Port: Port;

    /// The port's state, or the reason of its death.
    ///
    /// # Errors
    ///
    /// Converts the return value. An error is the reason of the port's death.
    fn finish(self, cx: &mut Cx<'_>) -> Result<Self::Port, Reason>;
}

mod sealed {
    use crate::message::Port;

    /// The types that implement [`InitOutcome`](super::InitOutcome).
    #[expect(unnameable_types, reason = "seals the trait")]
    pub trait InitOutcome {}

    impl InitOutcome for crate::supervisor::Builder {}

    impl<P: Port> InitOutcome for P {}
    impl<P: Port, E: std::fmt::Display + 'static> InitOutcome for Result<P, E> {}
    impl InitOutcome for () {}
}

impl<P: Port> InitOutcome for P {
    type Port = P;

    fn finish(self, _cx: &mut Cx<'_>) -> Result<P, Reason> {
        Ok(self)
    }
}

impl<P: Port, E: fmt::Display + 'static> InitOutcome for Result<P, E> {
    type Port = P;

    fn finish(self, _cx: &mut Cx<'_>) -> Result<P, Reason> {
        self.map_err(message::failure)
    }
}

impl InitOutcome for () {
    type Port = Untyped;

    fn finish(self, cx: &mut Cx<'_>) -> Result<Untyped, Reason> {
        Ok(Untyped::spawned(cx.take_changes()))
    }
}

/// A port that is being spawned, with the arguments of its init function.
pub struct Spawning<'a> {
    node: &'a Node,
    /// The name that the spawning node has chosen; `None` if this node spawns the port.
    given: Option<Given<'a>>,
    args: PacketReader<'a>,
    function: &'a str,
    made: &'a mut Option<Arc<dyn AnyPort>>,
}

impl fmt::Debug for Spawning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawning")
            .field("function", &self.function)
            .field("name", &self.given.map(|given| given.name))
            .finish_non_exhaustive()
    }
}

/// The future of an async init function. It may use the context of the port that it makes.
#[doc(hidden)]
pub type InitFuture<'a, O> = Pin<Box<dyn Future<Output = O> + Send + 'a>>;

#[doc(hidden)]
impl<'a> Spawning<'a> {
    /// Reads the next argument. Its position, from 1, and its name are for the error.
    pub fn arg<T: Deserialize<'a>>(&mut self, position: usize, name: &str) -> Result<T, Undecoded> {
        let arg = self.args.required();
        arg.map_err(|error| Undecoded::argument(self.function, position, name, error))
    }

    /// Reads all arguments that are left, as values.
    pub fn rest(&mut self) -> Result<crate::Args, Undecoded> {
        self.args.rest().map_err(Undecoded::Malformed)
    }

    /// Checks that there are not more than the `expected` arguments. Nulls are not counted, because a newer node
    /// sends them for optional arguments that were not given.
    pub fn end(&mut self, expected: usize) -> Result<(), Undecoded> {
        let more = self.args.remaining().map_err(Undecoded::Malformed)?;
        if more == 0 || self.rest()?.iter().all(|value| *value == Value::Null) {
            return Ok(());
        }
        Err(Undecoded::too_many(
            self.function,
            expected,
            expected + more,
        ))
    }

    /// Makes the port. `init` runs in its context at its first turn.
    pub fn start<O: InitOutcome + 'static>(
        &mut self,
        init: impl FnOnce(&mut Cx<'_>) -> O + Send + 'static,
    ) {
        let by = self.by();
        self.make::<O::Port>(Box::new(move |cx| {
            cx.on_behalf_of(by.as_ref(), |cx| {
                let outcome = init(cx);
                outcome.finish(cx)
            })
        }));
    }

    /// Makes a process. Its body begins at the port's first turn.
    pub fn start_process<F>(&mut self, body: impl FnOnce(Inbox) -> F + Send + 'static)
    where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        let by = self.by();
        self.make::<Process>(Box::new(move |cx| {
            cx.on_behalf_of(by.as_ref(), |cx| Ok(Process::spawned(cx, body)))
        }));
    }

    /// The other node that spawns the port.
    fn by(&self) -> Option<NodeId> {
        let by = self.given.and_then(|given| given.by);
        by.map(|by| by.id().clone())
    }

    fn make<P: Port>(&mut self, init: Init<P>) {
        let port = self.insert(init);
        scheduler::schedule(port);
    }

    fn insert<P: Port>(&mut self, init: Init<P>) -> Arc<Cell<P>> {
        let extras = spawn_extras(self.given.map(|given| given.name), init);
        let node = self.node;
        let make = |number| Arc::new(Cell::spawning(node.clone(), number, extras));
        let port = match self.given {
            Some(given) => node.insert_named(given, make),
            None => node.insert(make),
        };
        *self.made = Some(Arc::<Cell<P>>::clone(&port));
        port
    }

    /// Makes the port. The future of `init` runs in its context, and the port handles messages when the future is done.
    pub fn start_async<O, F>(&mut self, init: F)
    where
        O: InitOutcome + 'static,
        F: for<'c> FnOnce(&'c mut Cx<'_>) -> InitFuture<'c, O> + Send + 'static,
    {
        let port = self.insert::<O::Port>(Box::new(|_| Err(Reason::normal())));
        port.with_extras(&mut |extras| extras.init = None);
        if port.died().is_some() {
            // The node is ending.
            return;
        }
        let task = run_init(port, self.by(), init);
        self.node.scheduler().spawn(task);
    }
}

/// Runs an async init function. Its port counts as at work until the function has returned.
async fn run_init<O, F>(port: Arc<Cell<O::Port>>, by: Option<NodeId>, init: F)
where
    O: InitOutcome,
    F: for<'c> FnOnce(&'c mut Cx<'_>) -> InitFuture<'c, O> + Send + 'static,
{
    let mut cx = Cx::of(&port, by.as_ref());
    let mut killed = None;
    let done = {
        let mut future: Option<InitFuture<'_, O>> = None;
        let mut init = Some(init);
        let cx = &mut cx;
        let mut start = Some(cx);
        let done = poll_fn(|task| {
            let _scope = current::Scope::enter(&*port);
            let polled = guard::run(|| {
                if let (Some(init), Some(cx)) = (init.take(), start.take()) {
                    future = Some(init(cx));
                }
                future.as_mut().map(|future| future.as_mut().poll(task))
            });
            killed = killed.take().or_else(current::take_killed);
            match polled {
                Ok(Some(Poll::Ready(outcome))) => Poll::Ready(Ok(outcome)),
                Ok(_) if is_killed(&port, task.waker()) => Poll::Ready(Err(Reason::normal())),
                Ok(_) => Poll::Pending,
                Err(reason) => Poll::Ready(Err(reason)),
            }
        })
        .await;
        // The state of a cancelled function is dropped here.
        guard::discard(future);
        done
    };
    // The `Display` of an error is user code as well.
    let made = done.and_then(|outcome| guard::run(|| outcome.finish(&mut cx))?);
    let made = cx.take_ended().or(killed).map_or(made, Err);
    drop(cx);
    match made {
        Ok(state) => {
            let waiting;
            {
                let mut inner = port.lock();
                if inner.queue.is_dead() {
                    // The port has perished meanwhile.
                    drop(inner);
                    return guard::discard(state);
                }
                waiting = inner.extras().waiting.take();
                if O::Port::STARTS {
                    let init: Init<O::Port> = Box::new(|_| Ok(state));
                    inner.extras().init = Some(Box::new(init));
                } else {
                    inner.state = Some(state);
                }
            }
            drop(waiting);
            scheduler::schedule(port);
        }
        Err(reason) => {
            // A kill that was queued while the function ran gives the reason.
            let reason = port.queued_kill().unwrap_or(reason);
            death::die_unborn(&port, &reason);
        }
    }
}

/// True if a kill is queued. Otherwise a kill will wake the task.
fn is_killed<P: Port>(port: &Cell<P>, waker: &Waker) -> bool {
    let mut inner = port.lock();
    if inner.queued_kill().is_some() {
        return true;
    }
    // The waker is one of the node's runtime.
    let before = inner.extras().waiting.replace(waker.clone());
    drop(inner);
    drop(before);
    false
}

impl Node {
    /// Spawns a port on a node by the fully-qualified name of its init function. Returns the port's ID, which is
    /// usable at once.
    ///
    /// `node` may be this node, and the ID of a port stands for its node. The init function runs in the context of
    /// the new port. If the function does not exist or fails, the port dies with `die, TEXT`. A monitor or a call
    /// right after the spawn gets this reason; for ports of this node that holds for at least some seconds. The same
    /// holds if `node` is not a valid name.
    ///
    /// On this node, the init function runs when a worker is free to run the port. It never runs within the call of
    /// `spawn`, but another thread may run it before `spawn` has returned. An init function that must have no effect
    /// before the caller knows the port should leave the effect to a message.
    ///
    /// See the [protocol](aemp_proto::protocol::requests#spawning). In secure mode the other node refuses.
    pub fn spawn(&self, node: &str, function: &str, args: crate::Args) -> PortId {
        match self.node_port(node) {
            Ok(node) if self.port_is_local(&node) => self
                .spawn_here(function, None, PacketReader::values(args))
                .port_id(),
            Ok(node) => self.spawn_there(&node, function, |out| {
                args.iter().try_for_each(|value| out.value(value))
            }),
            Err(error) => self.spawn_failing(None, Reason::die(error)).port_id(),
        }
    }

    /// As [`spawn`](Self::spawn), with arguments that `write` writes. The generated `on` functions call it.
    #[doc(hidden)]
    pub fn spawn_with(
        &self,
        node: &str,
        function: &str,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> PortId {
        match self.node_port(node) {
            Ok(node) if self.port_is_local(&node) => self.spawn_locally(function, write),
            Ok(node) => self.spawn_there(&node, function, write),
            Err(error) => self.spawn_failing(None, Reason::die(error)).port_id(),
        }
    }

    fn spawn_there(
        &self,
        node: &PortId,
        function: &str,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> PortId {
        let name = self.names().spawned();
        let id = PortId::new(&node.node_id(), &name);
        let sent = self.send_with(node, |out| {
            out.str(SPAWN)?;
            out.str(&name)?;
            out.str(function)?;
            write(out)
        });
        sent.log("a spawn", &id);
        id
    }

    fn spawn_locally(
        &self,
        function: &str,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> PortId {
        let mut args = Vec::new();
        let mut out = PacketWriter::values(&mut args, self.limits());
        let written = write(&mut out).and_then(|()| out.finish());
        let port = match written {
            Ok(()) => self.spawn_here(function, None, PacketReader::values(args)),
            Err(error) => self.spawn_failing(None, Reason::die(error)),
        };
        port.port_id()
    }

    /// Makes a port whose init function runs at its first turn. A fault kills the port.
    pub(crate) fn spawn_here(
        &self,
        function: &str,
        given: Option<Given<'_>>,
        args: PacketReader<'_>,
    ) -> Arc<dyn AnyPort> {
        let Some(start) = self.registry().init(function) else {
            let hint = self.registry().nearest(function);
            let hint = hint.map(|near| format!("; did you mean `{near}`?"));
            let text = format!(
                "unknown init function `{}`{}",
                short(function),
                hint.unwrap_or_default()
            );
            return self.spawn_failing(given, Reason::die(text));
        };
        let _scope = self.decoding();
        let mut made = None;
        let spawning = Spawning {
            node: self,
            given,
            args,
            function,
            made: &mut made,
        };
        // Decoding of arguments runs user code.
        let started = guard::run(|| start(spawning));
        let started = match started {
            Ok(started) => started,
            Err(reason) => return self.spawn_failing(given, reason),
        };
        match (started, made) {
            (Ok(()), Some(port)) => port,
            (Ok(()), None) => self.spawn_failing(given, Reason::die("no port was made")),
            (Err(undecoded), _) => {
                let reason = undecoded.into_reason(function).unwrap_or_else(Reason::die);
                self.spawn_failing(given, reason)
            }
        }
    }

    /// Makes a port that dies of `reason`.
    ///
    /// A port of this node dies at its first turn, so that a monitor right after the spawn hears the reason. For another
    /// node it dies at once: the reason is kept for its monitor, and is on its way before the answer to a later request.
    fn spawn_failing(&self, given: Option<Given<'_>>, reason: Reason) -> Arc<dyn AnyPort> {
        if let Some(given) = given.filter(|given| given.by.is_some()) {
            let extras = Extras {
                name: Some(given.name.into()),
                ..Extras::default()
            };
            let make = |number| Arc::new(Cell::<Untyped>::spawning(self.clone(), number, extras));
            let port = self.insert_named(given, make);
            death::die_unborn(&port, &reason);
            return port;
        }
        let init: Init<Untyped> = Box::new(move |_| Err(reason));
        let extras = spawn_extras(given.map(|given| given.name), init);
        let make = |number| Arc::new(Cell::spawning(self.clone(), number, extras));
        let port: Arc<Cell<Untyped>> = match given {
            Some(given) => self.insert_named(given, make),
            None => self.insert(make),
        };
        scheduler::schedule(Arc::<Cell<Untyped>>::clone(&port));
        port
    }
}
