//! From syntax to model. This module reports mistakes of single tokens and types. Mistakes between parts of the model
//! are reported by `check`.

mod attrs;
mod handler;
mod hook;
mod init;
mod later;
mod params;
mod types;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{
    Attribute, GenericParam, Generics, ImplItem, Item, ItemImpl, ItemStruct, ItemTrait,
    PathArguments, TraitItem, Type, Visibility, parse_quote,
};

pub(crate) use self::{
    attrs::{is, strip},
    init::init,
};
use self::{
    handler::{Context, handler},
    types::last_segment,
};
use crate::{
    args::PortArgs,
    errors::Errors,
    model::{Bare, Hooks, Interface, Reach},
    names,
};

/// The messages of a `#[port]`; `None` if the item cannot be a port.
pub(crate) fn port(attr: TokenStream, item: &Item, errors: &mut Errors) -> Option<Interface> {
    let args = PortArgs::parse(attr, errors);
    if let (Some(_), Some(word)) = (&args.local, &args.strict) {
        let message = "remove `strict`: only the handle of a `local` port sends to it, and that knows its messages";
        errors.at(word, message);
    }
    match item {
        Item::Impl(item) => port_impl(args, item, errors),
        Item::Struct(ItemStruct {
            attrs,
            vis,
            ident,
            generics,
            ..
        }) => Some(port_type(args, attrs, vis, ident, generics))
            .filter(|_| is_static(generics, errors)),
        Item::Enum(item) => Some(port_type(
            args,
            &item.attrs,
            &item.vis,
            &item.ident,
            &item.generics,
        ))
        .filter(|_| is_static(&item.generics, errors)),
        Item::Trait(item) => {
            let token = item.trait_token;
            errors.at(
                token,
                "the messages of a trait alone are made by `#[protocol]`",
            );
            None
        }
        other => {
            let message = "`#[port]` goes on the `impl` block that has the handlers, or on a struct that has none";
            errors.at(first_token(other), message);
            None
        }
    }
}

fn first_token(item: &Item) -> TokenStream {
    item.to_token_stream().into_iter().take(1).collect()
}

/// A port without handlers of its own.
fn port_type(
    args: PortArgs,
    attrs: &[Attribute],
    vis: &Visibility,
    ident: &Ident,
    generics: &Generics,
) -> Interface {
    let (_, arguments, _) = generics.split_for_impl();
    let port = parse_quote!(#ident #arguments);
    let vis = args.vis.clone().unwrap_or_else(|| vis.clone());
    let name = ident.clone();
    let bare = Bare {
        names_msg: args.msg.is_some(),
        names_handle: args.handle.is_some(),
    };
    Interface {
        bare: Some(bare),
        ..interface(args, vis, name, generics.clone(), Some(port), attrs)
    }
}

fn port_impl(args: PortArgs, item: &ItemImpl, errors: &mut Errors) -> Option<Interface> {
    if let Some((path, _)) = &item.trait_ {
        let message = "`#[port]` goes on an `impl` block of the type itself: move the handlers to `impl Type { ... }`";
        errors.at(path, message);
        return None;
    }
    let Some(segment) = last_segment(&item.self_ty) else {
        errors.at(
            &item.self_ty,
            "a port is a struct or an enum: write `impl Name { ... }`",
        );
        return None;
    };
    let lifetimes =
        is_static(&item.generics, errors) && has_no_lifetimes(&segment.arguments, errors);
    let vis = args.vis.clone().unwrap_or_else(|| parse_quote!(pub));
    let port = Some(Type::clone(&item.self_ty));
    let name = segment.ident.clone();
    let blocking = args.blocking.clone();
    let mut model = interface(args, vis, name, item.generics.clone(), port, &item.attrs);
    let context = Context::Port {
        port: &item.self_ty,
        local: model.is_local(),
    };
    for member in &item.items {
        match member {
            ImplItem::Fn(method) => {
                let found = handler(&context, &method.attrs, &method.sig, errors);
                if let (Some(_), Some(_), Some(word)) = (&found, &blocking, &method.sig.asyncness) {
                    let message = "an `async` handler waits without blocking its thread: remove `async`, or `blocking` from `#[port(blocking)]`";
                    errors.at(word, message);
                }
                let before = model.hooks.count();
                hook::hook(method, blocking.is_some(), &mut model.hooks, errors);
                if found.is_some() || model.hooks.count() > before {
                    later::reject_self(&method.sig, &method.block, &model.handle, errors);
                }
                attrs::reject_spawnable(&method.attrs, errors);
                model.handlers.extend(found);
            }
            other => attrs::reject_rcv(other, errors),
        }
    }
    lifetimes.then_some(model)
}

/// The messages of a `#[protocol]`.
pub(crate) fn protocol(attr: TokenStream, item: &Item, errors: &mut Errors) -> Option<Interface> {
    let args = PortArgs::parse(attr, errors);
    if let Some(strict) = &args.strict {
        let message = "a protocol only sends: `strict` is for the port that receives";
        errors.at(strict, message);
    }
    let Item::Trait(item) = item else {
        let message = "`#[protocol]` goes on a trait whose methods are the messages; a port in Rust is made by `#[port]`";
        errors.at(first_token(item), message);
        return None;
    };
    if let Some(word) = &args.local {
        let message = "remove `local`: the service is elsewhere, so its messages travel";
        errors.at(word, message);
    }
    if let Some(word) = &args.blocking {
        let message = "the service is elsewhere: `blocking` belongs into its `#[port(..)]`";
        errors.at(word, message);
    }
    if let Some(word) = &args.owned {
        let message = "the service is elsewhere, and handles here do not hold it: `owned` belongs into its `#[port(..)]`";
        errors.at(word, message);
    }
    let usable = is_plain(item, errors);
    let vis = args.vis.clone().unwrap_or_else(|| item.vis.clone());
    let name = item.ident.clone();
    let mut model = interface(args, vis, name, Generics::default(), None, &item.attrs);
    for member in &item.items {
        match member {
            TraitItem::Fn(method) => {
                if let Some(body) = &method.default {
                    let message =
                        "the service is elsewhere: end the method with `;` instead of a body";
                    errors.at(body, message);
                }
                let found = handler(&Context::Protocol, &method.attrs, &method.sig, errors);
                model.handlers.extend(found);
            }
            other => errors.at(
                other,
                "a protocol consists of methods only: each is a message",
            ),
        }
    }
    usable.then_some(model)
}

fn is_plain(item: &ItemTrait, errors: &mut Errors) -> bool {
    let before = Errors::default();
    let mut found = before;
    if !item.generics.params.is_empty() {
        let message = "a protocol cannot be generic: write the types that are sent";
        found.at(&item.generics.params, message);
    }
    if !item.supertraits.is_empty() {
        let message = "a protocol has no supertraits: nothing implements it here";
        found.at(&item.supertraits, message);
    }
    !errors.absorb(found)
}

fn interface(
    args: PortArgs,
    vis: Visibility,
    name: Ident,
    generics: Generics,
    port: Option<Type>,
    attrs: &[Attribute],
) -> Interface {
    let suffixed = |suffix| names::with_suffix(&name, suffix);
    let reach = match args.local {
        Some(_) => Reach::Local,
        None => Reach::Network {
            strict: args.strict.is_some(),
        },
    };
    Interface {
        krate: args.krate,
        vis,
        msg: args.msg.unwrap_or_else(|| suffixed("Msg")),
        handle: args.handle.unwrap_or_else(|| suffixed("Ref")),
        name,
        generics,
        port,
        bare: None,
        blocking: args.blocking.is_some(),
        owned: args.owned.is_some(),
        cfgs: attrs::cfgs(attrs),
        handlers: Vec::new(),
        hooks: Hooks::default(),
        reach,
    }
}

const STATIC: &str = "a port must be 'static, because it lives on after the code that makes it: \
     let it own its data, or share it with an `Arc`";

fn is_static(generics: &Generics, errors: &mut Errors) -> bool {
    let mut lifetimes = generics
        .params
        .iter()
        .filter(|param| matches!(param, GenericParam::Lifetime(_)));
    let first = lifetimes.next();
    if let Some(lifetime) = first {
        errors.at(lifetime, STATIC);
    }
    first.is_none()
}

fn has_no_lifetimes(arguments: &PathArguments, errors: &mut Errors) -> bool {
    let found = types::borrow_in_tokens(arguments.to_token_stream());
    if let Some(lifetime) = &found {
        errors.at(lifetime, STATIC);
    }
    found.is_none()
}
