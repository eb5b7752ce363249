//! One method: its messages, and its answer.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{
    Attribute, Expr, FnArg, Lit, LitStr, Receiver, ReceiverKind, ReturnType, Safety, Signature,
    Type, ext::IdentExt, parse_quote_spanned,
};

use super::{
    attrs,
    params::{self, Place},
    types,
};
use crate::{
    args::{RcvArgs, RcvTag, Words},
    errors::Errors,
    model::{Answer, Concurrent, Ending, Handler, Param, Returned, Tag, Way},
    names,
};

/// The place of the method.
pub(super) enum Context<'a> {
    /// The `impl` block of a port of this type: the method is the handler.
    Port {
        port: &'a Type,
        /// True if only this process sends to the port.
        local: bool,
    },
    /// A protocol: the method is a description.
    Protocol,
}

/// The handler of a method; `None` if the method is not a handler, or has a mistake.
pub(super) fn handler(
    context: &Context<'_>,
    attributes: &[Attribute],
    sig: &Signature,
    errors: &mut Errors,
) -> Option<Handler> {
    attrs::reject_conditional(attributes, errors);
    let mut marks = attrs::named(attributes, "rcv");
    let mut found = Errors::default();
    let said = match (marks.next(), context) {
        (Some(mark), _) => RcvArgs::parse(mark, &mut found),
        (None, Context::Protocol) => RcvArgs::default(),
        (None, Context::Port { .. }) => {
            reject_rest(sig, errors);
            return None;
        }
    };
    for again in marks {
        found.at(
            again,
            "one `#[rcv]` is enough: a second tag needs a method of its own that calls this one",
        );
    }
    let handler = signature(context, attributes, sig, said, &mut found);
    (!errors.absorb(found)).then_some(handler)
}

fn reject_rest(sig: &Signature, errors: &mut Errors) {
    for input in &sig.inputs {
        if let FnArg::Typed(input) = input {
            for attr in attrs::named(&input.attrs, "rest") {
                errors.at(
                    attr,
                    "`#[rest]` belongs to handlers, and this method has no `#[rcv]`: put one on it",
                );
            }
        }
    }
}

fn signature(
    context: &Context<'_>,
    attributes: &[Attribute],
    sig: &Signature,
    said: RcvArgs,
    errors: &mut Errors,
) -> Handler {
    reject_unusual(sig, errors);
    let RcvArgs {
        tag,
        words,
        concurrent,
        urgent,
        wanted,
    } = said;
    if let Context::Protocol = context {
        for word in urgent.iter().chain(&wanted) {
            let message =
                format_args!("the queue is elsewhere: `{word}` belongs into its `#[port]`");
            errors.at(word, message);
        }
    }
    let way = match concurrent {
        Some((word, limit)) => concurrency(context, &word, limit, sig, errors),
        None => {
            receiver(context, sig, errors);
            match sig.asyncness {
                Some(_) => Way::Async,
                None => Way::Sync,
            }
        }
    };
    let tag = match tag {
        RcvTag::Name => {
            let name = sig.ident.unraw();
            Tag::Named(LitStr::new(&name.to_string(), name.span()))
        }
        RcvTag::Text(tag) => Tag::Named(tag),
        RcvTag::Default => Tag::Default,
    };
    let place = match (&tag, context) {
        (Tag::Default, _) => Place::Default,
        (_, Context::Port { .. }) => Place::Handler,
        (_, Context::Protocol) => Place::Protocol,
    };
    if let (Some(token), Context::Protocol) = (sig.asyncness, context) {
        errors.at(
            token,
            "remove `async`: the handle's method returns a call, which is awaited, anyway",
        );
    }
    let mut params = params::params(place, &sig.inputs, errors);
    let mut answer = match context {
        Context::Port { local, .. } => answer(*local, &tag, &words, &params, sig, errors),
        Context::Protocol => {
            reject_words(words.tries.iter().chain(&words.sends), errors);
            let unit = unit(words.calls.as_ref(), sig, errors);
            let returned = returned(&sig.output, errors).or(unit).map(Returned::Whole);
            returned.map_or(Answer::Nothing(Ending::Plain), Answer::Returned)
        }
    };
    if let (Some(word), Context::Port { .. }, Answer::Nothing(_)) = (&wanted, context, &answer) {
        errors.at(word, WANTED_SENT);
    }
    if let Context::Port { port, .. } = context {
        write_self_out(port, &mut params, &mut answer);
    }
    Handler {
        ident: sig.ident.clone(),
        variant: names::variant(&sig.ident),
        tag,
        cfgs: attrs::cfgs(attributes),
        docs: attrs::docs(attributes),
        way,
        urgent: urgent.is_some(),
        wanted: wanted.is_some(),
        params,
        answer,
    }
}

/// The way of a handler with the word `concurrent`.
fn concurrency(
    context: &Context<'_>,
    word: &Ident,
    limit: Expr,
    sig: &Signature,
    errors: &mut Errors,
) -> Way {
    if let Context::Protocol = context {
        errors.at(
            word,
            "the service is elsewhere: `concurrent` belongs into its `#[port]`",
        );
    } else if sig.asyncness.is_none() {
        errors.at(word, CONCURRENT_NOT_ASYNC);
    }
    if let Expr::Lit(literal) = &limit
        && let Lit::Int(number) = &literal.lit
        && number
            .base10_parse::<usize>()
            .is_ok_and(|number| number == 0)
    {
        errors.at(
            number,
            "with no place, no message is ever handled: write `concurrent = 1` or more",
        );
    }
    let receiver = sig.receiver();
    match receiver {
        Some(Receiver {
            kind: ReceiverKind::Reference(_, _, None),
            ..
        })
        | None => {}
        Some(receiver) => errors.at(receiver, CONCURRENT_RECEIVER),
    }
    Way::Concurrent(Box::new(Concurrent {
        limit,
        receiver: receiver.cloned(),
    }))
}

const CONCURRENT_NOT_ASYNC: &str = "`concurrent` is for handlers that wait, beside the port: make it an `async fn`, or remove \
     `concurrent`, since a handler that returns at once holds nothing up";

const CONCURRENT_RECEIVER: &str = "it runs beside the port's other handlers, on a copy of the state: write `&self`, \
     share the state that it changes by an `Arc`, or send the port a message with the result";

fn reject_words<'a>(words: impl Iterator<Item = &'a Ident>, errors: &mut Errors) {
    for word in words {
        let message = format_args!(
            "remove `{word}`: a protocol shows the answers of callers, which are of the return type, and not how its port treats errors"
        );
        errors.at(word, message);
    }
}

/// Reports signatures that are not possible in any place.
pub(super) fn reject_unusual(sig: &Signature, errors: &mut Errors) {
    let Signature {
        constness,
        safety,
        abi,
        generics,
        variadic,
        ..
    } = sig;
    if let Some(token) = constness {
        errors.at(token, "remove `const`: messages are handled when they come");
    }
    if !matches!(safety, Safety::Default) {
        errors.at(
            safety,
            "remove `unsafe`: senders, also on other nodes, cannot keep a contract",
        );
    }
    if let Some(abi) = abi {
        errors.at(abi, "remove `extern`: a handler is called from Rust only");
    }
    if let Some(variadic) = variadic {
        errors.at(
            variadic,
            "write `#[rest] rest: Args` for all further arguments",
        );
    }
    if !generics.params.is_empty() {
        let message = "remove the type parameters: a message has certain types, so write those";
        errors.at(&generics.params, message);
    }
}

fn receiver(context: &Context<'_>, sig: &Signature, errors: &mut Errors) {
    let first = match context {
        Context::Port { .. } => "`&self` or `&mut self`",
        Context::Protocol => "`&self`",
    };
    match sig.receiver() {
        Some(Receiver {
            kind: ReceiverKind::Reference(_, _, mutability),
            ..
        }) => {
            if let (Context::Protocol, Some(token)) = (context, mutability) {
                errors.at(token, "write `&self`: the handle only sends");
            }
        }
        Some(Receiver {
            kind: ReceiverKind::Typed(_, ty),
            ..
        }) if is_self_reference(ty) => {}
        Some(receiver) => {
            let message = format_args!(
                "a handler borrows its port, which handles more messages: write {first}"
            );
            errors.at(receiver, message);
        }
        None => {
            let message =
                format_args!("a handler is a method: write {first} as its first parameter");
            errors.at(&sig.ident, message);
        }
    }
}

fn is_self_reference(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if types::is_named(&reference.elem, "Self"))
}

/// The kind of answer: the return value, unless a word says otherwise.
fn answer(
    local: bool,
    tag: &Tag,
    words: &Words,
    params: &[Param],
    sig: &Signature,
    errors: &mut Errors,
) -> Answer {
    let Words {
        tries,
        sends,
        calls,
    } = words;
    let defers = params.iter().any(|param| matches!(param, Param::Reply(_)));
    match (calls, sends) {
        (Some(word), _) if defers => errors.at(word, CALL_AND_REPLY),
        (Some(word), Some(_)) => errors.at(word, CALL_AND_SEND),
        (Some(_), None) if tries.is_none() => {
            if let Some(answer) = unit(calls.as_ref(), sig, errors) {
                return Answer::Returned(Returned::Whole(answer));
            }
        }
        (Some(word), None) => errors.at(word, CALL_RETURNS),
        (None, _) => {}
    }
    match (sends, tries) {
        (Some(word), _) if defers => errors.at(word, SEND_AND_REPLY),
        (Some(word), None) if calls.is_none() => errors.at(word, SEND_ALONE),
        _ => {}
    }
    let ending = match (returned(&sig.output, errors), tries) {
        (Some(ty), Some(_)) => {
            if types::is_no_result(&ty) {
                errors.at(&ty, TRY_NO_RESULT);
            }
            let sent = sends.is_some() || matches!(tag, Tag::Default);
            if !defers && !sent {
                return Answer::Returned(Returned::Tried(ty));
            }
            Ending::Tried(ty)
        }
        (Some(ty), None) if !defers => {
            if !local && let Some(object) = types::error_object(&ty) {
                errors.at(object, ERROR_OBJECT);
            }
            return Answer::Returned(Returned::Whole(ty));
        }
        (Some(_), None) => {
            errors.at(&sig.output, RETURN_AND_REPLY);
            Ending::Plain
        }
        (None, tries) => {
            tries.iter().for_each(|word| errors.at(word, TRY_NOTHING));
            Ending::Plain
        }
    };
    if defers {
        Answer::Deferred(ending)
    } else {
        Answer::Nothing(ending)
    }
}

/// The answer `()` of a handler with the word `call`, which returns nothing else.
fn unit(calls: Option<&Ident>, sig: &Signature, errors: &mut Errors) -> Option<Box<Type>> {
    let word = calls?;
    match &sig.output {
        ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => errors.at(word, CALL_NEVER),
        ReturnType::Type(_, ty) if !types::is_unit(ty) => errors.at(word, CALL_RETURNS),
        _ => return Some(parse_quote_spanned!(word.span()=> ())),
    }
    None
}

const CALL_AND_REPLY: &str = "the `Reply` answers: remove `call`, or the parameter";

const CALL_AND_SEND: &str = "a message is sent, or it is a call: remove `call` or `send`";

const CALL_NEVER: &str = "it never returns, so it never answers: remove `call`";

const CALL_RETURNS: &str = "`call` is for a handler that returns nothing: remove it, since the returned value is the answer anyway";

const SEND_AND_REPLY: &str = "the `Reply` answers: remove `send`, or the parameter";

const SEND_ALONE: &str = "`send` belongs to `try`: `#[rcv(try, send)]` is for a handler that answers nothing and \
     whose error kills the port; one that returns nothing is sent to anyway";

const WANTED_SENT: &str = "`wanted` is for calls, whose callers may leave: a message that is sent is always handled, so remove it, \
     or write `#[rcv(wanted, call)]` if callers wait until it is handled";

const RETURN_AND_REPLY: &str = "either the return value answers or the `Reply` does: remove one of them, or write \
     `#[rcv(try)]` if it returns a `Result<(), E>` whose error kills the port";

const TRY_NOTHING: &str = "`try` is for a handler that can fail: let it return a `Result`, whose error kills the port, \
     or remove `try`";

const TRY_NO_RESULT: &str = "`try` is for a handler that returns a `Result`, whose error kills the port: remove `try`, \
     since the returned value is the answer anyway";

/// The compiler reports the same, four times, and in terms of threads.
const ERROR_OBJECT: &str = "an answer travels to the caller, and `dyn Error` cannot: write `#[rcv(try)]` if an error is to kill \
     the port (`#[rcv(try, send)]` if there is no answer either), or answer with an error that `serde` can write and read";

/// The return type, if any. Nothing, `()` and `!` count as none.
fn returned(output: &ReturnType, errors: &mut Errors) -> Option<Box<Type>> {
    match output {
        ReturnType::Type(_, ty) if !types::is_unit(ty) && !matches!(**ty, Type::Never(_)) => {
            types::check_owned(ty, "an answer", errors);
            Some(ty.clone())
        }
        _ => None,
    }
}

fn write_self_out(port: &Type, params: &mut [Param], answer: &mut Answer) {
    for param in params {
        if let Param::Arg(field) | Param::Rest(field) | Param::Reply(field) = param {
            field.ty = types::without_self(&field.ty, port);
        }
    }
    if let Some(ty) = answer.output_mut() {
        *ty = types::without_self(ty, port);
    }
}

/// The tokens of a signature without our attributes, as a person would write them.
pub(super) fn shown(sig: &Signature) -> String {
    let mut sig = sig.clone();
    for input in &mut sig.inputs {
        if let FnArg::Typed(input) = input {
            input.attrs.retain(|attr| !attrs::is(attr, "rest"));
        }
    }
    let tokens: TokenStream = sig.into_token_stream();
    names::readable(tokens)
}
