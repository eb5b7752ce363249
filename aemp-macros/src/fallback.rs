//! The expansion of an item with mistakes: the item without our attributes, its valid parts, and the errors.
//!
//! Handlers without mistakes keep their messages and methods. So one mistake is one diagnostic, and not also an error
//! at every use of the handle.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Item;

use crate::{errors::Errors, expand, parse};

/// The user's item, the generated code, and the mistakes.
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

/// For tokens that are not a Rust item: the compiler's own message, and the tokens unchanged.
pub(crate) fn not_an_item(item: TokenStream, error: &syn::Error) -> TokenStream {
    let mut tokens = error.to_compile_error();
    tokens.extend(item);
    tokens
}
