//! The path by which generated code reaches the `aemp` crate.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Path,
    parse::{Parse, ParseStream},
};

/// The path of the `aemp` crate: `::aemp`, unless `crate = path` says otherwise.
///
/// As tokens, it is the module that generated code may name, so nothing else can be named by accident.
#[derive(Debug, Clone, Default)]
pub(crate) struct Crate(Option<Path>);

impl Parse for Crate {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Path::parse_mod_style(input).map(|path| Self(Some(path)))
    }
}

impl ToTokens for Crate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match &self.0 {
            Some(path) => quote!(#path::__private),
            None => quote!(::aemp::__private),
        });
    }
}
