//! `#[spawnable]` functions.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{FnArg, Item, ReturnType, Type};

use super::{
    attrs, first_token, handler,
    params::{self, Place},
    types,
};
use crate::{args::SpawnableArgs, errors::Errors, model::Init};

/// The init function of an item; `None` if the item cannot be one.
pub(crate) fn init(attr: TokenStream, item: &Item, errors: &mut Errors) -> Option<Init> {
    let args = SpawnableArgs::parse(attr, errors);
    let Item::Fn(item) = item else {
        let message =
            "`#[spawnable]` goes on a free function that makes a port: `fn start(...) -> Port`";
        errors.at(first_token(item), message);
        return None;
    };
    let sig = &item.sig;
    if let Some(FnArg::Receiver(receiver)) = sig.inputs.first() {
        let message = "an init function has no port yet: make it a free function that returns one";
        errors.at(receiver, message);
        return None;
    }
    if let Some(word) = self_type(sig.to_token_stream()) {
        errors.at(word, attrs::INIT_IS_FREE);
        return None;
    }
    handler::reject_unusual(sig, errors);
    let output = match &sig.output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some(Type::clone(ty)),
    };
    if let Some(ty) = &output {
        types::check_owned(ty, "a port", errors);
    }
    Some(Init {
        krate: args.krate,
        vis: item.vis.clone(),
        ident: sig.ident.clone(),
        name: args.name,
        signature: handler::shown(sig),
        cfgs: attrs::cfgs(&item.attrs),
        is_async: sig.asyncness.is_some(),
        params: params::params(Place::Init, &sig.inputs, errors),
        output,
    })
}

/// The first `Self` of a signature. Only a function in an `impl` block has one, and the block itself cannot be seen.
fn self_type(tokens: TokenStream) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(word) if word == "Self" => Some(word),
        TokenTree::Group(group) => self_type(group.stream()),
        _ => None,
    })
}
