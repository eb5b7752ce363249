//! The expansion of an item with mistakes: the item without our attributes, its valid parts, and the errors.
//!
//! Handlers that are right keep their messages and methods when others are wrong, so that one mistake is one
//! diagnostic and not also an error at every use of the handle.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Item;

use crate::{errors::Errors, expand, parse};

/// The user's item, what was generated for it, and the mistakes.
pub(crate) fn output(
    mut item: Item,
    generated: Option<TokenStream>,
    errors: Errors,
) -> TokenStream {
    parse::strip(&mut item);
    if let Item::Trait(item) = &mut item {
        item.attrs.push(expand::never_implemented());
    }
    let mut tokens = item.into_token_stream();
    tokens.extend(generated);
    tokens.extend(errors.into_tokens());
    tokens
}

/// An item that is no Rust: the compiler's own message, and the tokens as they were.
pub(crate) fn not_an_item(item: TokenStream, error: &syn::Error) -> TokenStream {
    let mut tokens = error.to_compile_error();
    tokens.extend(item);
    tokens
}
