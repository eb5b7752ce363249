//! The procedural macros of the `aemp` crate, which re-exports them. Use them from there.
//!
//! An item goes through four steps: `parse` makes a `model` of it, `check` compares the parts of the model, and
//! `expand` turns it into tokens. The fourth, `fallback`, keeps the item itself and adds all mistakes. The parts
//! without mistakes are expanded as well, so that one mistake is one diagnostic.
//!
//! Generated code names only `::aemp::__private` (or the module of that name in the crate that `crate = path` gives),
//! `::core` and `::std`.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod args;
mod check;
mod errors;
mod expand;
mod fallback;
mod model;
mod names;
mod parse;
mod paths;
mod receive;
mod reserved;
#[cfg(test)]
mod tests;
mod twice;

use std::path::Path;

use proc_macro2::{Span, TokenStream};
use syn::Item;

use crate::errors::Errors;

/// Makes a type a port: each method under `#[rcv]` handles one message.
///
/// ```ignore
/// use aemp::{Args, Cx, port};
///
/// #[derive(Default)]
/// struct Counter {
///     n: i64,
/// }
///
/// #[port]
/// impl Counter {
///     #[rcv]
///     fn inc(&mut self, by: i64) {
///         self.n += by;
///     }
///
///     #[rcv]
///     fn get(&self) -> i64 {
///         self.n
///     }
///
///     #[rcv("sleep a while", try)]
///     async fn slow(&mut self, cx: &mut Cx<'_>, ms: u64) -> Result<String, SleepError> {
///         sleep(ms).await?;
///         Ok(cx.id().to_string())
///     }
///
///     #[rcv(default)]
///     fn other(&mut self, tag: &str, args: Args) {
///         println!("{tag} {args:?}");
///     }
/// }
///
/// let counter: CounterRef = node.port(Counter::default());
/// counter.inc(5);
/// let n: i64 = counter.get().await?;
/// ```
///
/// The block stays as it is, and its methods can still be called. The macro adds the message enum `CounterMsg`, the
/// handle `CounterRef` with a method for each handler, and the `Port` impl that connects them.
///
/// # Handlers
///
/// The tag of a message is the method's name, or the text in `#[rcv("tag")]` or `#[rcv(tag = "tag")]`.
/// `#[rcv(default)]` accepts all messages without a handler of their own. Without a default handler, the port does
/// not understand such messages. The handle's method has the method's name as well. So the name must not be a method
/// of every handle, such as `id`, `send` or `kill`: rename the method, and keep the tag with `#[rcv("send")]`.
///
/// The parameters, behind `&self` or `&mut self`:
///
/// | parameter | value |
/// | --- | --- |
/// | `cx: &mut Cx<'_>` | the context: the port's ID, node, timers, ... |
/// | `origin: Origin` | the origin of the message |
/// | `name: Type` | one argument: any owned type with serde's `Serialize` and `Deserialize`; an `Option` may be left out |
/// | `#[rest] rest: Args` | all further arguments |
/// | `reply: Reply<Type>` | the reply, for a later answer; the last parameter |
/// | `tag: &str, args: Args` | the whole message, of a default handler |
///
/// `Cx`, `Origin`, `Reply`, `Args` and `Reason` are recognised by these names, after any path.
///
/// Return types:
///
/// | return type | meaning |
/// | --- | --- |
/// | none, `()`, `!` | the message has no answer (with the word `call`: the answer `()`) |
/// | `Type` | the message is a call with this answer: any owned type with serde's `Serialize` and `Deserialize` |
///
/// The macro does not know aliases: an alias of `()` is a `Type` like any other.
///
/// A handler that returns nothing, and whose caller waits until it has returned, has the word `call`. Its answer is `()`,
/// and its call fails like any other:
///
/// ```ignore
/// #[rcv(call)]
/// async fn flush(&mut self) {
///     self.store.write(self.changes.drain(..)).await;
/// }
///
/// port.flush().await?;
/// ```
///
/// Callers may leave optional arguments out. The reply port is the last element in any case. So in that case, and in
/// a handler with `#[rest]`, a text with a `#` in it at the end is taken for the reply port.
///
/// # Errors
///
/// A `Result` is an answer like any other. `fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn>` gives its
/// caller `Ok` or `Err`, with the error as it is, and the port lives on. An error kills the port if an attribute says
/// so:
///
/// | attribute | return type | meaning |
/// | --- | --- | --- |
/// | `#[rcv(try)]` | `Result<Type, E>` | the message is a call, and the `Ok` is the answer; an `Err` kills the port |
/// | `#[rcv(try, send)]` | `Result<(), E>` | the message has no answer; an `Err` kills the port |
/// | `#[rcv(try)]`, with a `Reply` parameter | `Result<(), E>` | the message is a call, and the `Reply` gives the answer; an `Err` kills the port |
/// | `#[rcv(default, try)]` | `Result<(), E>` | an `Err` kills the port |
///
/// So `#[rcv(try)]` with a `Result<(), E>` is a call whose answer is `()`, and needs no `call`.
/// The words follow the tag, if there is one: `#[rcv("tag", try)]`. The reason is `die, TEXT`, with the `Display`
/// text of the error. An error of the type `aemp::Reason` is the reason itself. The caller of a port that dies gets
/// `CallError::Died`.
///
/// ```ignore
/// #[port]
/// impl Account {
///     /// Answers with an error.
///     #[rcv]
///     fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn> {
///         self.has = self.has.checked_sub(amount).ok_or(Overdrawn)?;
///         Ok(self.has)
///     }
///
///     /// Dies of an error.
///     #[rcv(try)]
///     fn statement(&self) -> std::io::Result<String> {
///         std::fs::read_to_string(&self.file)
///     }
/// }
/// ```
///
/// # Senders of another version
///
/// A message gets a new argument as an `Option` at the end. It may be left out, and is not sent if it is `None`. (In
/// a call to a node of another implementation it is sent, because the reply port follows it.) A port survives
/// messages that it does not know yet:
///
/// - A *call* with an unknown tag, with too many arguments, or with arguments of other types is refused. The caller
///   gets `CallError::Refused`, with the reason as a text. A call with an unknown tag is recognised by its reply
///   port. Perl nodes do not mark reply ports, so such calls of theirs count as plain messages.
/// - A plain *message* with an unknown tag, or with too many arguments, is dropped and logged, at a limited rate.
///   Nulls behind the known arguments do not count.
/// - A plain message with arguments of the wrong type, or with too few arguments, kills the port (`die, TEXT`): such
///   a sender is not new, but wrong.
///
/// With the option `strict` all of these kill the port, with `unhandled_message` or `die`. Ports in Perl and untyped
/// ports do the same.
///
/// # Async handlers
///
/// A handler may be an `async fn`. The port handles no other message until it has ended, and killing the port cancels
/// it. With `&self`, the state must be `Sync`; with `&mut self` it need not be. Handlers that are not `async` cost no
/// future.
///
/// # Many at once
///
/// A handler under `#[rcv(concurrent = 8)]` runs beside its port. Up to eight of it run at the same time, the port goes on
/// handling other messages, and each answer goes to its caller:
///
/// ```ignore
/// #[derive(Clone)]
/// struct Crawler {
///     client: Client,
///     seen: Arc<Mutex<HashSet<String>>>,
/// }
///
/// #[port]
/// impl Crawler {
///     #[rcv(concurrent = 8)]
///     async fn fetch(&self, url: String) -> String {
///         self.client.get(&url).await
///     }
/// }
/// ```
///
/// It is an `async fn`, and runs on a copy of the state, which is made when the port comes to its message. So the state is
/// `Clone`, and contains large or shared parts in an `Arc`. A handler that needs no state takes no `self`, and no
/// copy is made. To change the state, the handler sends its port a message (`cx.me()`). The number is any expression, also
/// of the state: `concurrent = self.most`.
///
/// A failure ends the port, and the handler's call fails with `Died`. If the handler takes a `Reply`, its call may fail
/// with `NoReply` instead. The handbook (`aemp::handbook::lifecycle`) has semantics and limits.
///
/// A `#[cfg]` on a handler applies to its message as well.
///
/// # Calls without a waiting caller
///
/// A call whose caller has left, or whose time limit is over, is handled all the same, because it may change the state.
/// Under `#[rcv(wanted)]` it is not: the handler begins only if a caller may still wait for the answer. The handbook
/// (`aemp::handbook::calls`) has semantics and limits.
///
/// # Urgent messages
///
/// A message for a handler under `#[rcv(urgent)]` is handled before others that wait, in order with other urgent ones.
/// While both wait, at most 16 urgent messages come between two others. The tag decides, so this holds for all senders,
/// also on other nodes. The handbook (`aemp::handbook::urgency`) has semantics and limits.
///
/// # The life of a port
///
/// ```ignore
/// #[port]
/// impl Session {
///     #[start]
///     async fn load(&mut self, cx: &mut Cx<'_>) -> Result<(), LoadError> {
///         self.cart = self.store.load(self.user).await?;
///         cx.idle_after(Duration::from_secs(600));
///         Ok(())
///     }
///
///     #[stop(within = 10)]
///     async fn save(&mut self, reason: &Reason) {
///         self.store.save(self.user, &self.cart).await;
///     }
/// }
/// ```
///
/// The method under `#[start]` runs before the first message. The one under `#[stop]` runs when the port ends, before
/// its monitors fire, for at most five seconds, or the seconds of `within`. Both may be `async`, may take the context,
/// and may return a `Result<(), E>`. An error of the start is the port's death; an error of the stop is logged. A port
/// has at most one of each. A port without them pays nothing for the possibility. The handbook
/// (`aemp::handbook::lifecycle`) says when they run.
///
/// # Options
///
/// - `msg = Name`, `handle = Name`: the names of the message enum and the handle type.
/// - `vis = pub(crate)`: their visibility. The default is `pub`, because an `impl` block does not contain the type's.
/// - `strict`: the port dies of messages that it does not understand (see [above](#senders-of-another-version)).
/// - `crate = path`: the path of the `aemp` crate, if it is not `::aemp`.
/// - `blocking`: the handlers block their thread, or compute for long. They run on tokio's threads for blocking code
///   from the start, and never on a worker of the runtime. None of them may be `async`. See the handbook,
///   `aemp::handbook::execution`.
/// - `owned`: the port ends when there is no handle of it in this process any more, as by `stop`. Without it, a port lives
///   until it is stopped or killed. See the handbook, `aemp::handbook::lifecycle`.
/// - `local`: only this process sends to the port. See [below](#local-ports).
///
/// # Local ports
///
/// Arguments and answers of a port with `#[port(local)]` need no `serde`. Any `Send` type will do, such as channels,
/// sockets and errors as they are. In return, other nodes cannot reach it:
///
/// - Its handle is neither `Serialize` nor `Deserialize`, so it cannot be an argument or answer of a port that is not
///   local. (`aemp::Local` passes it on within the process.)
/// - A message that another node sends to its ID is treated like a message with an unknown tag: calls are refused,
///   plain messages are dropped and logged. The same holds for untyped messages within this process. Monitors and
///   kills work from anywhere.
/// - It has no `#[rcv(default)]` and is not `strict`, and no `#[spawnable]` function returns it.
///
/// ```ignore
/// #[port(local)]
/// impl Pool {
///     #[rcv]
///     fn put(&mut self, connection: TcpStream) {
///         self.free.push(connection);
///     }
///
///     #[rcv]
///     fn take(&mut self) -> Option<TcpStream> {
///         self.free.pop()
///     }
/// }
/// ```
///
/// # On a struct or an enum
///
/// `#[port]` on the type itself makes a port without handlers. It can be monitored and killed, and timers and
/// closures can be bound to it. Its handle is `<Type as Port>::Ref`; `handle = Name` names it. A type has one
/// `#[port]`: on itself, or on one `impl` block.
///
/// # Generic types
///
/// The message enum and the handle have the parameters of the `impl` block. Messages must be able to travel, so the
/// bounds of `serde` are added for parameters that occur in a message.
///
/// <details><summary>The expansion</summary>
///
/// Shortened; the helper functions are in `aemp::__private`.
///
/// ```ignore
/// pub enum CounterMsg {
///     Inc(i64),
///     Get(Reply<i64>),
///     // ...
/// }
///
/// impl Message for CounterMsg {
///     const USES_ORIGIN: bool = true;
///
///     fn decode(tag: &str, args: &mut PacketReader<'_>, cx: &Decoding<'_>) -> Result<Self, Undecoded> {
///         match tag {
///             "inc" => {
///                 let by = args.required::<i64>().map_err(|e| Undecoded::argument("inc", 1, "by", e))?;
///                 end::<Self>("inc", 1, args)?;
///                 Ok(Self::Inc(by))
///             }
///             "get" => {
///                 let call = call::<Self>("get", 0, 0, args)?;
///                 let reply = reply::<Self, _>("get", 0, call.more, cx, args)?;
///                 Ok(Self::Get(reply))
///             }
///             // ...
///             _ => Ok(Self::Other(tag.into(), args.rest().map_err(Undecoded::Malformed)?)),
///         }
///     }
///
///     fn encode(self, out: &mut PacketWriter<'_>, cx: &mut Encoding<'_>) -> Result<(), EncodeError> {
///         match self {
///             Self::Inc(by) => {
///                 out.str("inc")?;
///                 out.arg::<i64>(&by)?;
///                 Ok(())
///             }
///             // ...
///         }
///     }
/// }
///
/// // Clone, Debug, Eq, Deref to the handle, From and to a port ID, Serialize and Deserialize.
/// pub struct CounterRef(Handle<CounterMsg>);
///
/// impl CounterRef {
///     pub fn inc(&self, by: i64) -> Sent {
///         Handle::post(&self.0, CounterMsg::Inc(by))
///     }
///
///     pub fn get(&self) -> Call<CounterMsg, i64> {
///         Handle::call(&self.0, |reply| CounterMsg::Get(reply))
///     }
/// }
///
/// impl Port for Counter {
///     type Msg = CounterMsg;
///     type Ref = CounterRef;
///
///     fn handle(&mut self, cx: &mut Cx<'_>, message: CounterMsg) -> Result<(), Reason> {
///         match message {
///             CounterMsg::Inc(by) => {
///                 Self::inc(self, by);
///                 Ok(())
///             }
///             CounterMsg::Get(reply) => {
///                 let answer = Self::get(self);
///                 reply.send(answer);
///                 Ok(())
///             }
///             // ...
///         }
///     }
///
///     // With `async` handlers, `waits` and `handle_async` as well.
/// }
/// ```
///
/// </details>
#[proc_macro_attribute]
pub fn port(
    attr: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    let file = proc_macro::Span::call_site().local_file();
    expand_port(attr.into(), item.into(), file.as_deref()).into()
}

/// Makes a typed handle for a service that is written in another language, or in another program. The methods of a
/// trait are its messages.
///
/// ```ignore
/// use aemp::{Value, protocol};
///
/// #[protocol]
/// trait Shelf {
///     /// How many there are.
///     fn count(&self) -> i64;
///
///     #[rcv("put it")]
///     fn put(&self, key: String, value: Value);
/// }
///
/// let shelf: ShelfRef = node.handle(&port_id);
/// shelf.put("a".into(), Value::Null);
/// let n: i64 = shelf.count().await?;
/// ```
///
/// Methods have the form of handlers of [`macro@port`], but take only `&self`, arguments and `#[rest]`. A method with
/// a return type is a call with that answer; a `Result` is for ports in Rust that answer with one. `#[rcv]` is needed
/// only for a tag that is not the method's name, and for `#[rcv(call)]`, a call whose answer is `()`. The trait itself stays as a description, and nothing needs to
/// implement it.
///
/// The options are those of [`macro@port`] without `strict`, `local`, `owned` and `blocking`. The default visibility is the
/// trait's.
///
/// <details><summary>The expansion</summary>
///
/// The message enum `ShelfMsg` and the handle `ShelfRef`, as those of [`macro@port`], and no `Port` impl.
///
/// </details>
#[proc_macro_attribute]
pub fn protocol(
    attr: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand_protocol(attr.into(), item.into()).into()
}

/// Registers an init function by name. Every node of a program that contains it can be asked to make a port with it.
///
/// ```ignore
/// use aemp::{Cx, spawnable};
///
/// #[spawnable(name = "My::Counter::start")]
/// fn start(cx: &mut Cx<'_>, n: i64) -> Counter {
///     Counter { n }
/// }
///
/// let counter: CounterRef = start::on(&node, "other-node", 5);
/// counter.inc(2);
/// ```
///
/// The function is free, sync or `async`. Its parameters are the context of the new port, if it wants it, then
/// arguments as those of handlers, and `#[rest] rest: Args` at the end. It returns a port, a `Result` of one, whose
/// error kills the port, or nothing. In the last case the port is untyped, and the function sets its handlers with
/// `cx.rcv`. The port ignores messages for which there is no handler, and lives even if the function sets none.
///
/// An `async fn` whose first parameter is `inbox: Inbox` is the body of a process: a port that receives from its mailbox until the
/// function returns. It returns nothing or a `Result<(), E>`, whose error kills the port. See `aemp::Node::process`.
///
/// ```ignore
/// #[spawnable(name = "My::echo")]
/// async fn echo(inbox: Inbox, times: u32) -> Result<(), Reason> {
///     for _ in 0..times {
///         let message = inbox.recv().await;
///         // ...
///     }
///     Ok(())
/// }
/// ```
///
/// It stays an ordinary function. The macro adds a type with the same name. It has `NAME`, and the function `on`,
/// whose arguments are a node (or the context of a handler), the ID of the node to spawn on, and the arguments.
///
/// # Options
///
/// - `name = "My::function"`: the name for spawning. The default is the path of its module and its name. The name
///   must contain `::`. If two functions have the same name, nodes do not start.
/// - `crate = path`: the path of the `aemp` crate, if it is not `::aemp`.
///
/// <details><summary>The expansion</summary>
///
/// ```ignore
/// struct start {}
///
/// impl start {
///     pub const NAME: &'static str = "My::Counter::start";
///
///     pub fn on(node: &impl AsRef<Node>, target: impl AsRef<str>, n: i64) -> CounterRef {
///         let id = node.as_ref().spawn_with(target.as_ref(), Self::NAME, |out| {
///             out.arg::<i64>(&n)?;
///             Ok(())
///         });
///         node.as_ref().handle(&id)
///     }
/// }
///
/// const _: () = {
///     fn __start(mut spawning: Spawning<'_>) -> Result<(), Undecoded> {
///         let n = spawning.arg::<i64>(1, "n")?;
///         spawning.end(1)?;
///         spawning.start(move |cx| start(cx, n));
///         Ok(())
///     }
///
///     inventory::submit! {
///         InitFn {
///             name: start::NAME,
///             signature: "fn start(cx: &mut Cx<'_>, n: i64) -> Counter",
///             file: file!(),
///             line: line!(),
///             start: __start,
///         }
///     }
/// };
/// ```
///
/// </details>
#[proc_macro_attribute]
pub fn spawnable(
    attr: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand_spawnable(attr.into(), item.into()).into()
}

/// Marks a method of a [`macro@port`] block as the handler of a message: `#[rcv]`, `#[rcv("tag")]`, `#[rcv(tag = "tag")]` or
/// `#[rcv(default)]`, each also with [`try`](macro@port#errors).
///
/// No import is needed, because [`macro@port`] and [`macro@protocol`] remove it. The macro exists to report a
/// `#[rcv]` outside of them.
#[proc_macro_attribute]
pub fn rcv(
    _attr: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand_rcv(item.into()).into()
}

/// The expansion of the macro `receive!` of the `aemp` crate, which adds the path of the crate.
#[doc(hidden)]
#[proc_macro]
pub fn receive(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    receive::expand(input.into()).into()
}

/// `file` is the source file of the block, if it is known.
fn expand_port(attr: TokenStream, item: TokenStream, file: Option<&Path>) -> TokenStream {
    with_item(item, |item, errors| {
        if let (Item::Impl(item), Some(file)) = (item, file)
            && twice::reject(file, item, errors)
        {
            return None;
        }
        let mut model = parse::port(attr, item, errors)?;
        check::interface(&mut model, errors);
        if matches!(item, Item::Impl(_)) {
            check::has_handlers(&model, Span::call_site(), errors);
        }
        Some(expand::interface(&model))
    })
}

fn expand_protocol(attr: TokenStream, item: TokenStream) -> TokenStream {
    with_item(item, |item, errors| {
        let mut model = parse::protocol(attr, item, errors)?;
        check::interface(&mut model, errors);
        Some(expand::interface(&model))
    })
}

fn expand_spawnable(attr: TokenStream, item: TokenStream) -> TokenStream {
    with_item(item, |item, errors| {
        let model = parse::init(attr, item, errors)?;
        check::init(&model, errors);
        errors.is_empty().then(|| expand::init(&model))
    })
}

/// Reached only outside of `#[port]`, which removes every `#[rcv]` inside.
fn expand_rcv(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let message = "`#[rcv]` works inside of a block under `#[port]` only: put `#[aemp::port]` on the `impl` block";
    errors.push(syn::Error::new(Span::call_site(), message));
    let mut tokens = item;
    tokens.extend(errors.into_tokens());
    tokens
}

fn with_item(
    item: TokenStream,
    expand: impl FnOnce(&Item, &mut Errors) -> Option<TokenStream>,
) -> TokenStream {
    let item = match syn::parse2::<Item>(item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => return fallback::not_an_item(item, &error),
    };
    let mut errors = Errors::default();
    let generated = expand(&item, &mut errors);
    fallback::output(item, generated, errors)
}
