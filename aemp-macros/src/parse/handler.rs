//! One method: which messages it handles, and how.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{
    Attribute, FnArg, LitStr, Receiver, ReceiverKind, ReturnType, Safety, Signature, Type,
    ext::IdentExt,
};

use super::{
    attrs,
    params::{self, Place},
    types,
};
use crate::{
    args::RcvArgs,
    errors::Errors,
    model::{Answer, Handler, Param, Tag},
    names,
};

/// Where the method stands.
pub(super) enum Context<'a> {
    /// In the `impl` block of a port of this type: the method is the handler.
    Port(&'a Type),
    /// In a protocol: the method is a description.
    Protocol,
}

/// The handler that a method is; `None` if it is none, or a wrong one.
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
        (None, Context::Protocol) => RcvArgs::Plain,
        (None, Context::Port(_)) => {
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
    let tag = match said {
        RcvArgs::Plain => {
            let name = sig.ident.unraw();
            Tag::Named(LitStr::new(&name.to_string(), name.span()))
        }
        RcvArgs::Tag(tag) => Tag::Named(tag),
        RcvArgs::Default => Tag::Default,
    };
    let handler = signature(context, attributes, sig, tag, &mut found);
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
    tag: Tag,
    errors: &mut Errors,
) -> Handler {
    reject_unusual(sig, errors);
    receiver(context, sig, errors);
    let place = match (&tag, context) {
        (Tag::Default, _) => Place::Default,
        (_, Context::Port(_)) => Place::Handler,
        (_, Context::Protocol) => Place::Protocol,
    };
    if let (Some(token), Context::Protocol) = (sig.asyncness, context) {
        errors.at(
            token,
            "remove `async`: the handle's method returns a call, which is awaited, anyway",
        );
    }
    let mut params = params::params(place, &sig.inputs, errors);
    let (mut answer, fails) = answer(&params, sig, errors);
    let mut output = match &sig.output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some(Type::clone(ty)),
    };
    match context {
        Context::Port(port) => {
            write_self_out(port, &mut params, &mut answer);
            output = output.map(|ty| types::without_self(&ty, port));
        }
        Context::Protocol if fails => {
            let message =
                "errors do not travel, they kill the port: write the type of the answer alone";
            errors.at(&sig.output, message);
        }
        Context::Protocol => {}
    }
    Handler {
        ident: sig.ident.clone(),
        variant: names::variant(&sig.ident),
        tag,
        cfgs: attrs::cfgs(attributes),
        docs: attrs::docs(attributes),
        is_async: sig.asyncness.is_some(),
        params,
        answer,
        fails,
        output,
    }
}

/// Says what the signature must not be, whoever it belongs to.
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
        let message = "remove the type parameters: what is sent has certain types, so write those";
        errors.at(&generics.params, message);
    }
}

fn receiver(context: &Context<'_>, sig: &Signature, errors: &mut Errors) {
    let what = match context {
        Context::Port(_) => "`&self` or `&mut self`",
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
                "a handler borrows its port, which handles more messages: write {what}"
            );
            errors.at(receiver, message);
        }
        None => {
            let message =
                format_args!("a handler is a method: write {what} as its first parameter");
            errors.at(&sig.ident, message);
        }
    }
}

fn is_self_reference(ty: &Type) -> bool {
    matches!(ty, Type::Reference(reference) if types::is_named(&reference.elem, "Self"))
}

/// How it answers, and whether it returns a `Result`.
fn answer(params: &[Param], sig: &Signature, errors: &mut Errors) -> (Answer, bool) {
    let (answer, fails) = returned(&sig.output, errors);
    let deferred = params.iter().any(|param| matches!(param, Param::Reply(_)));
    match answer {
        Answer::Nothing if deferred => (Answer::Deferred, fails),
        answer if deferred => {
            let message = "either the return value answers or the `Reply` does: remove one of them";
            errors.at(&sig.output, message);
            (answer, fails)
        }
        answer => (answer, fails),
    }
}

fn returned(output: &ReturnType, errors: &mut Errors) -> (Answer, bool) {
    let ReturnType::Type(_, ty) = output else {
        return (Answer::Nothing, false);
    };
    if types::is_unit(ty) || matches!(**ty, Type::Never(_)) {
        return (Answer::Nothing, false);
    }
    types::check_owned(ty, "an answer", errors);
    if !types::is_named(ty, "Result") {
        return (Answer::Returned(Type::clone(ty)), false);
    }
    let answer = match types::first_argument(ty) {
        Some(ok) if types::is_unit(ok) => Answer::Nothing,
        Some(ok) => Answer::Returned(ok.clone()),
        None => Answer::ReturnedOkOf(Type::clone(ty)),
    };
    (answer, true)
}

fn write_self_out(port: &Type, params: &mut [Param], answer: &mut Answer) {
    for param in params {
        if let Param::Arg(field) | Param::Rest(field) | Param::Reply(field) = param {
            field.ty = types::without_self(&field.ty, port);
        }
    }
    if let Answer::Returned(ty) | Answer::ReturnedOkOf(ty) = answer {
        *ty = types::without_self(ty, port);
    }
}

/// The tokens of a signature, without our attributes, as a person would write them.
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
