//! The procedural macros of the `aemp` crate, which re-exports them; see there.

mod args;
mod check;
mod errors;
mod expand;
mod fallback;
mod model;
mod names;
mod parse;
mod paths;
#[cfg(test)]
mod tests;

use proc_macro2::{Span, TokenStream};
use syn::Item;

use crate::errors::Errors;

/// Makes a type a port.
#[proc_macro_attribute]
pub fn port(
    attr: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand_port(attr.into(), item.into()).into()
}

/// Makes a typed handle for a service that is not written in Rust.
#[proc_macro_attribute]
pub fn protocol(
    attr: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand_protocol(attr.into(), item.into()).into()
}

/// Registers a function by name, so that other nodes can spawn ports with it.
#[proc_macro_attribute]
pub fn spawnable(
    attr: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand_spawnable(attr.into(), item.into()).into()
}

/// Marks a method of a `#[port]` block as the handler of a message.
#[proc_macro_attribute]
pub fn rcv(
    _attr: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand_rcv(item.into()).into()
}

fn expand_port(attr: TokenStream, item: TokenStream) -> TokenStream {
    with_item(item, |item, errors| {
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
