//! The parameters of handlers and init functions.

use proc_macro2::Ident;
use quote::format_ident;
use syn::{FnArg, Pat, PatType, Token, Type, punctuated::Punctuated, spanned::Spanned};

use super::{attrs, types};
use crate::{
    errors::Errors,
    model::{Field, Param},
    names,
};

/// The function that the parameters belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Handler,
    /// A default handler.
    Default,
    Protocol,
    Init,
}

/// All parameters except `self`.
pub(super) fn params(
    place: Place,
    inputs: &Punctuated<FnArg, Token![,]>,
    errors: &mut Errors,
) -> Vec<Param> {
    let typed = inputs.iter().filter_map(|input| match input {
        FnArg::Typed(input) => Some(input),
        FnArg::Receiver(_) => None,
    });
    let inputs: Vec<&PatType> = typed.collect();
    let params: Vec<Param> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| param(place, index, input, errors))
        .collect();
    check_order(place, &inputs, &params, errors);
    params
}

fn param(place: Place, index: usize, input: &PatType, errors: &mut Errors) -> Param {
    for attr in input.attrs.iter().filter(|attr| !is_ours(attr)) {
        errors.at(attr, "attributes on single parameters do not reach the message: put it on the whole function");
    }
    let name = name(index, &input.pat);
    let ty = &*input.ty;
    if let Some(rest) = attrs::named(&input.attrs, "rest").next() {
        if place == Place::Default {
            errors.at(
                rest,
                "remove `#[rest]`: the default handler's `args` are all arguments anyway",
            );
        } else if !types::is_values(ty) {
            errors.at(
                ty,
                "further arguments are values: write `#[rest] rest: Args`",
            );
        }
        return Param::Rest(Field {
            name,
            ty: ty.clone(),
        });
    }
    special(place, ty, errors).unwrap_or_else(|| plain(place, name, ty, errors))
}

fn is_ours(attr: &syn::Attribute) -> bool {
    ["rest", "allow", "expect", "doc"]
        .iter()
        .any(|name| attrs::is(attr, name))
}

/// A parameter that the runtime fills in.
fn special(place: Place, ty: &Type, errors: &mut Errors) -> Option<Param> {
    let referent = match ty {
        Type::Reference(reference) => &*reference.elem,
        ty => ty,
    };
    let param = match types::last_segment(referent)?.ident.to_string().as_str() {
        "Cx" => {
            if !matches!(ty, Type::Reference(_)) {
                errors.at(
                    ty,
                    "the context is lent to the function: write `cx: &mut Cx<'_>`",
                );
            }
            Param::Cx
        }
        "Inbox" if place == Place::Init => {
            if matches!(ty, Type::Reference(_)) {
                errors.at(ty, "the process owns its mailbox: write `inbox: Inbox`");
            }
            Param::Inbox
        }
        "Origin" if place != Place::Init => {
            if matches!(ty, Type::Reference(_)) {
                errors.at(
                    ty,
                    "where the message came from is given as a value: write `origin: Origin`",
                );
            }
            Param::Origin
        }
        _ => return None,
    };
    if place == Place::Protocol {
        errors.at(
            ty,
            "a protocol shows the arguments of senders, and they do not give this one: remove the parameter",
        );
    }
    Some(param)
}

fn plain(place: Place, name: Ident, ty: &Type, errors: &mut Errors) -> Param {
    if place == Place::Default {
        return default_param(name, ty, errors);
    }
    if types::is_named(ty, "Reply")
        && let Some(answer) = types::first_argument(ty)
    {
        match place {
            Place::Protocol => errors.at(ty, "write the answer as the return type: `-> Type`"),
            Place::Init => errors.at(
                ty,
                "an init function has no caller to answer: the spawner of a port has its handle at once",
            ),
            _ => types::check_owned(answer, "an answer", errors),
        }
        return Param::Reply(Field {
            name,
            ty: answer.clone(),
        });
    }
    if types::is_named(ty, "Args") {
        let message = "write `#[rest] rest: Args` for all further arguments, or `Vec<Value>` for one that is a list";
        errors.at(ty, message);
    }
    types::check_owned(ty, "an argument", errors);
    Param::Arg(Field {
        name,
        ty: ty.clone(),
    })
}

pub(super) const DEFAULT: &str = "a default handler takes the tag and all arguments: \
     write `fn name(&mut self, tag: &str, args: Args)`, with `cx: &mut Cx<'_>` or `origin: Origin` if needed";

fn default_param(name: Ident, ty: &Type, errors: &mut Errors) -> Param {
    let is_text = match ty {
        Type::Reference(reference) => types::is_named(&reference.elem, "str"),
        ty => types::is_named(ty, "String"),
    };
    if is_text {
        return Param::Tag(Field {
            name,
            ty: ty.clone(),
        });
    }
    if !types::is_values(ty) {
        errors.at(ty, DEFAULT);
    }
    Param::Rest(Field {
        name,
        ty: ty.clone(),
    })
}

/// The name of the parameter for senders.
fn name(index: usize, pattern: &Pat) -> Ident {
    match pattern {
        Pat::Ident(pattern) => names::parameter(&pattern.ident),
        _ => format_ident!("arg{}", index + 1, span = pattern.span()),
    }
}

fn check_order(place: Place, inputs: &[&PatType], params: &[Param], errors: &mut Errors) {
    let mut before: Option<&Param> = None;
    for (index, (input, param)) in inputs.iter().zip(params).enumerate() {
        let repeated = params
            .iter()
            .take(index)
            .any(|other| is_same_kind(other, param));
        if repeated && !matches!(param, Param::Arg(_)) {
            errors.at(input, "there is one of it: remove the second");
        } else if matches!(param, Param::Inbox) && index > 0 {
            let message = match params.first() {
                Some(Param::Cx) => {
                    "a process has its inbox instead of a context: remove the `Cx`, the inbox has the port's ID and its node"
                }
                _ => "the inbox comes first: `async fn name(inbox: Inbox, ...)`",
            };
            errors.at(input, message);
        } else if place == Place::Init && matches!(param, Param::Cx) && index > 0 {
            errors.at(
                input,
                "the context comes first: `fn name(cx: &mut Cx<'_>, ...)`",
            );
        } else if place != Place::Default {
            follows(before, input, param, errors);
        }
        if matches!(param, Param::Rest(_) | Param::Reply(_)) {
            before = Some(param);
        }
    }
}

/// Checks that a parameter may follow one that must be at or near the end.
fn follows(before: Option<&Param>, input: &PatType, param: &Param, errors: &mut Errors) {
    match (before, param) {
        (Some(Param::Rest(_)), Param::Arg(_)) => {
            errors.at(
                input,
                "`#[rest]` takes all further arguments: move this parameter before it",
            );
        }
        (Some(Param::Reply(_)), Param::Arg(_) | Param::Rest(_)) => {
            errors.at(input, "the reply port is a message's last argument: move this parameter before the `Reply`");
        }
        _ => {}
    }
}

fn is_same_kind(a: &Param, b: &Param) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}
