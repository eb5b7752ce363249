//! The procedural macros of the `aemp` crate, which re-exports them: use them from there.
//!
//! An item goes through four steps: `parse` makes a `model` of it, `check` compares the parts of the model, `expand` turns it
//! into tokens. All mistakes of an item are told at once; what is right about it is expanded all the same, and the item
//! itself is always kept, so that one mistake is one diagnostic (`fallback`).
//!
//! Generated code names nothing but `::aemp::__private` (or the module of that name in the crate that `crate = path` gives),
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
/// The block stays as it is, and its methods can be called as ever. Beside it stand the message enum `CounterMsg`, the handle
/// `CounterRef` with a method for each handler, and the `Port` impl that leads from one to the other.
///
/// # Handlers
///
/// The tag of a message is the method's name, or what `#[rcv("tag")]` or `#[rcv(tag = "tag")]` says. `#[rcv(default)]`
/// takes all that no other handler takes; without one, such a message is not understood. The method's name is also that of the handle's method, so
/// it must not be one that every handle has, such as `id`, `send` or `kill`: call it otherwise, and keep the tag with `#[rcv("send")]`.
///
/// The parameters, behind `&self` or `&mut self`:
///
/// | parameter | is given |
/// | --- | --- |
/// | `cx: &mut Cx<'_>` | the context: the port's ID, node, timers, ... |
/// | `origin: Origin` | where the message came from |
/// | `name: Type` | one argument: any owned type that `serde` can write and read; an `Option` may be left out |
/// | `#[rest] rest: Args` | all further arguments |
/// | `reply: Reply<Type>` | as the last one: the call, to be answered later |
/// | `tag: &str, args: Args` | the whole message, of a default handler |
///
/// `Cx`, `Origin`, `Reply` and `Args` are known by these names, whatever path is before them.
///
/// Return types:
///
/// | return type | means |
/// | --- | --- |
/// | none, `()`, `!` | the message is sent, and not answered |
/// | `Type` | the message is a call, answered with this: any owned type that `serde` can write and read |
///
/// How an alias is spelled makes no difference: one of `()` is a `Type` like any other.
///
/// A caller from elsewhere that leaves optional arguments out gives the reply port as the last argument all the same: then, and with
/// `#[rest]`, a last argument that is a text with a `#` in it is taken for the reply port.
///
/// # Errors
///
/// A `Result` is an answer like any other: `fn withdraw(&mut self, amount: u64) -> Result<u64, Overdrawn>` gives its caller `Ok` or
/// `Err`, with the error as it is, and the port lives on. An error kills the port where that is asked for:
///
/// | attribute | return type | means |
/// | --- | --- | --- |
/// | `#[rcv(try)]` | `Result<Type, E>` | the message is a call, answered with the `Ok`; an `Err` kills the port |
/// | `#[rcv(try, send)]` | `Result<(), E>` | the message is sent, and not answered; an `Err` kills the port |
/// | `#[rcv(try)]`, with a `Reply` parameter | `Result<(), E>` | the message is a call, answered by the `Reply`; an `Err` kills the port |
/// | `#[rcv(default, try)]` | `Result<(), E>` | an `Err` kills the port |
///
/// The words stand behind a tag, if there is one: `#[rcv("tag", try)]`. The reason is `die, TEXT`, with the text that `Display` gives; an error
/// that is an `aemp::Reason` is the reason itself. The caller of a port that dies gets `CallError::Died`.
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
/// An `Option` at the end is how a message gets a new argument: it may be left out, and is not sent if it is `None`. (In a call to a
/// node that is not of this project it is, because its reply port stands behind it.) A port lives on if it is sent what it does not
/// know yet:
///
/// - A *call* of an unknown tag, with more arguments than are known or with others, is refused: the caller gets
///   `CallError::Refused`, with the reason in words. A call of an unknown tag is known by its reply port, which Perl nodes do not mark: theirs
///   count as plain messages.
/// - A plain *message* of an unknown tag, or with more arguments than are known, is dropped, which is logged in measure. What is null
///   beyond the known arguments is none.
/// - A plain message with arguments of the wrong type, or with too few of them, kills the port (`die, TEXT`): its sender is not new, but wrong.
///
/// With the option `strict` all of these kill the port, with `unhandled_message` or `die`, as ports in Perl and untyped ones die of
/// what they do not handle.
///
/// # Async handlers
///
/// A handler may be an `async fn`: the port handles no other message until it is done, and killing the port cancels it. One with
/// `&self` needs a state that is `Sync`; with `&mut self` it need not be. Handlers that are not `async` cost no future.
///
/// Under `#[cfg]` a handler comes and goes with its message.
///
/// # Options
///
/// - `msg = Name`, `handle = Name`: names of the message enum and the handle type.
/// - `vis = pub(crate)`: their visibility; `pub` by default, since an `impl` block does not tell the type's.
/// - `strict`: the port dies of what it does not understand (see [above](#senders-of-another-version)).
/// - `crate = path`: where the `aemp` crate is, if not at `::aemp`.
/// - `blocking`: its handlers block their thread, or compute for long, so they run on tokio's threads for that from the start, and
///   never on a worker of the runtime. None of them may be `async`. See the handbook, `aemp::handbook::execution`.
/// - `local`: only this process talks to the port. See [below](#local-ports).
///
/// # Local ports
///
/// Arguments and answers of a port that is `#[port(local)]` need no `serde`: anything that is `Send` will do, such as channels, sockets and errors
/// as they are. In return, other nodes cannot reach it:
///
/// - Its handle is neither `Serialize` nor `Deserialize`, so it is no argument or answer of a port that is not local. (`aemp::Local` passes it on
///   within the process.)
/// - What another node sends to its ID is treated as a message with an unknown tag: a call is refused, and a message is dropped and logged. So is what is
///   sent untyped within this process. Monitors and kills work from anywhere.
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
/// A port without any handler, to be monitored and killed, or whose work is bound to it from elsewhere, is made by
/// `#[port]` on the type itself. Its handle is `<Type as Port>::Ref`; `handle = Name` makes a name for it. A type has
/// one `#[port]`: on itself, or on one `impl` block.
///
/// # Generic types
///
/// The message enum and the handle have the parameters of the `impl` block. What they hold must be able to travel, so the
/// bounds of `serde` are added where a message mentions a parameter.
///
/// <details><summary>What it becomes</summary>
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

/// Makes a typed handle for a service that is not written in Rust, or not here: the methods of a trait are its messages.
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
/// Methods are written as handlers of [`macro@port`] are, but they take `&self`, arguments and `#[rest]` only, and those that return
/// something are calls, which are answered with that: a `Result` of a port in Rust that answers with one. `#[rcv]` is needed only for a tag that is not the name. The trait itself stays, as a description:
/// nothing needs to implement it.
///
/// The options are those of [`macro@port`] but `strict`, `local` and `blocking`; the visibility is the trait's.
///
/// <details><summary>What it becomes</summary>
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

/// Registers an init function by name, so that every node that has it linked in can be told to make a port with it.
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
/// The function is free, sync or `async`. It may take the context of the new port first, then arguments as handlers do, and
/// `#[rest] rest: Args` at the end. It returns a port, a `Result` of one, whose error kills the port, or nothing: then the port is an
/// untyped one, whose handlers the function sets with `cx.rcv`.
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
/// It stays an ordinary function. Beside it stands a type of the same name with `NAME`, and with `on`, which takes a node (or
/// the context of a handler), the ID of the node to spawn on, and the arguments.
///
/// # Options
///
/// - `name = "My::function"`: what others spawn it by. The default is the path of its module and its name. It must
///   contain `::`; two of one name keep a node from starting.
/// - `crate = path`: where the `aemp` crate is, if not at `::aemp`.
///
/// <details><summary>What it becomes</summary>
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
/// It need not be imported, since [`macro@port`] and [`macro@protocol`] take it away. It exists to say so where it stands alone.
#[proc_macro_attribute]
pub fn rcv(
    _attr: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand_rcv(item.into()).into()
}

/// What the macro `receive!` of the `aemp` crate becomes: that one gives it the path of the crate.
#[doc(hidden)]
#[proc_macro]
pub fn receive(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    receive::expand(input.into()).into()
}

/// `file` is where it stands, if that can be known.
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

/// Reached only outside of `#[port]`, which takes every `#[rcv]` inside away.
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
