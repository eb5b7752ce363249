//! The methods of a port's life: `#[start]` and `#[stop]`.

use proc_macro2::Ident;
use syn::{
    Attribute, FnArg, ImplItemFn, Lit, Meta, Receiver, ReceiverKind, ReturnType, Token, Type,
    parse::ParseStream,
};

use super::{
    attrs,
    handler::reject_unusual,
    types::{self, is_named},
};
use crate::{
    errors::Errors,
    model::{Ending, Hook, HookParam, Hooks},
};

/// The time limit of a `#[stop]` method, in milliseconds, unless the attribute gives another.
const LIMIT: u64 = 5000;
/// The longest time limit: a day.
const LONGEST: u64 = 86_400_000;

/// Takes up the method if it is one of the port's life.
pub(super) fn hook(method: &ImplItemFn, blocking: bool, hooks: &mut Hooks, errors: &mut Errors) {
    let start = attrs::named(&method.attrs, "start").next();
    let stop = attrs::named(&method.attrs, "stop").next();
    let (attr, kind) = match (start, stop) {
        (None, None) => return,
        (Some(attr), None) => (attr, Kind::Start),
        (None, Some(attr)) => (attr, Kind::Stop),
        (Some(_), Some(attr)) => {
            let message = "a method starts a port or stops it: write two methods";
            return errors.at(attr, message);
        }
    };
    let mut found = Errors::default();
    if let Some(rcv) = attrs::named(&method.attrs, "rcv").next() {
        let message = "the runtime calls this method, and no message does: remove `#[rcv]`, or let a handler call it";
        found.at(rcv, message);
    }
    let limit = kind.limit(attr, &mut found);
    let taken = match kind {
        Kind::Start => hooks.start.is_some(),
        Kind::Stop => hooks.stop.is_some(),
    };
    if taken {
        let message = format!("a port has one `#[{}]` method", kind.name());
        found.at(&method.sig.ident, message);
    }
    let hook = signature(kind, method, blocking, &mut found);
    if errors.absorb(found) {
        return;
    }
    match kind {
        Kind::Start => hooks.start = Some(hook),
        Kind::Stop => hooks.stop = Some((hook, limit)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Start,
    Stop,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }

    /// The form of the method, for errors.
    fn form(self) -> &'static str {
        match self {
            Self::Start => "`#[start] fn name(&mut self, cx: &mut Cx<'_>)`, with or without `cx`",
            Self::Stop => {
                "`#[stop] fn name(&mut self, cx: &mut Cx<'_>, reason: &Reason)`, with or without each of the two"
            }
        }
    }

    /// Reads the attribute: the time limit in milliseconds.
    fn limit(self, attr: &Attribute, errors: &mut Errors) -> u64 {
        match &attr.meta {
            Meta::Path(_) => LIMIT,
            Meta::List(list) if self == Self::Stop => {
                list.parse_args_with(within).unwrap_or_else(|error| {
                    errors.push(error);
                    LIMIT
                })
            }
            Meta::List(_) | Meta::NameValue(_) => {
                let message = match self {
                    Self::Start => "`#[start]` has no options",
                    Self::Stop => {
                        "write `#[stop]`, or `#[stop(within = 10)]` for a limit in seconds"
                    }
                };
                errors.at(attr, message);
                LIMIT
            }
        }
    }
}

/// Reads `within = SECONDS`.
fn within(input: ParseStream<'_>) -> syn::Result<u64> {
    let key: Ident = input.parse()?;
    if key != "within" {
        let message = format!("unknown option `{key}`: there is `within = 10`, a limit in seconds");
        return Err(syn::Error::new(key.span(), message));
    }
    input.parse::<Token![=]>()?;
    let given: Lit = input.parse()?;
    let seconds: Option<f64> = match &given {
        Lit::Int(number) => number.base10_parse().ok(),
        Lit::Float(number) => number.base10_parse().ok(),
        _ => None,
    };
    let millis = seconds.map_or(0.0, |seconds| seconds * 1000.0);
    if !(1.0..=LONGEST as f64).contains(&millis) {
        let message = "the limit is a number of seconds, such as `within = 10` or `within = 0.5`, and at most a day";
        return Err(syn::Error::new(given.span(), message));
    }
    if !input.is_empty() {
        return Err(input.error("`within = SECONDS` is the only option"));
    }
    Ok(millis as u64)
}

fn signature(kind: Kind, method: &ImplItemFn, blocking: bool, errors: &mut Errors) -> Hook {
    let sig = &method.sig;
    reject_unusual(sig, errors);
    receiver(kind, method, errors);
    if let (true, Some(word)) = (blocking, &sig.asyncness) {
        let message = "this port runs on threads for blocking code: remove `async`, or `blocking` from `#[port(blocking)]`";
        errors.at(word, message);
    }
    let mut params: Vec<HookParam> = Vec::new();
    for input in &sig.inputs {
        let FnArg::Typed(input) = input else { continue };
        match param(kind, &input.ty) {
            Some(param) if params.contains(&param) => {
                errors.at(input, "there is one of it: remove the second");
            }
            Some(param) => params.push(param),
            None => {
                let message = format!(
                    "the runtime calls this method, without arguments: write {}",
                    kind.form()
                );
                errors.at(input, message);
            }
        }
    }
    let ending = match &sig.output {
        ReturnType::Type(_, ty) if !types::is_unit(ty) && !matches!(**ty, Type::Never(_)) => {
            if types::is_no_result(ty) {
                let message = format!("`#[{}]` returns nothing, or a `Result<(), E>`", kind.name());
                errors.at(ty, message);
            }
            Ending::Tried(ty.clone())
        }
        _ => Ending::Plain,
    };
    Hook {
        ident: sig.ident.clone(),
        is_async: sig.asyncness.is_some(),
        params,
        ending,
        cfgs: attrs::cfgs(&method.attrs),
    }
}

fn receiver(kind: Kind, method: &ImplItemFn, errors: &mut Errors) {
    match method.sig.receiver() {
        Some(Receiver {
            kind: ReceiverKind::Reference(..),
            ..
        }) => {}
        Some(receiver) => {
            let message = format!("the runtime keeps the port: write {}", kind.form());
            errors.at(receiver, message);
        }
        None => {
            let message = format!("a port exists by then: write {}", kind.form());
            errors.at(&method.sig.ident, message);
        }
    }
}

fn param(kind: Kind, ty: &Type) -> Option<HookParam> {
    let Type::Reference(reference) = ty else {
        return None;
    };
    if is_named(&reference.elem, "Cx") && reference.mutability.is_some() {
        return Some(HookParam::Cx);
    }
    let is_reason = is_named(&reference.elem, "Reason") && reference.mutability.is_none();
    (is_reason && kind == Kind::Stop).then_some(HookParam::Reason)
}
