//! Collecting mistakes, so that one build shows all of them.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// Every mistake of one item.
#[derive(Debug, Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    /// Adds a mistake at these tokens. `message` says how to correct it.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Adds the mistakes of a part. Returns true if there were any.
    pub(crate) fn absorb(&mut self, part: Self) -> bool {
        let any = !part.is_empty();
        part.0.into_iter().for_each(|error| self.push(error));
        any
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The tokens that make the compiler show the errors.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0
            .map(syn::Error::into_compile_error)
            .unwrap_or_default()
    }
}
