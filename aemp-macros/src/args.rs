//! The options of our attributes.

use proc_macro2::{Ident, TokenStream};
use syn::{
    Attribute, LitStr, Meta, Token, Visibility,
    ext::IdentExt,
    parse::{ParseStream, Parser},
};

use crate::{errors::Errors, paths::Crate};

/// The options of `#[port]` and `#[protocol]`.
#[derive(Debug, Default)]
pub(crate) struct PortArgs {
    pub(crate) krate: Crate,
    pub(crate) vis: Option<Visibility>,
    pub(crate) msg: Option<Ident>,
    pub(crate) handle: Option<Ident>,
    /// Where it says that the port dies of what it does not understand.
    pub(crate) strict: Option<Ident>,
    /// The word, if it is there.
    pub(crate) blocking: Option<Ident>,
}

/// The options of `#[spawnable]`.
#[derive(Debug, Default)]
pub(crate) struct SpawnableArgs {
    pub(crate) krate: Crate,
    pub(crate) name: Option<LitStr>,
}

/// What a `#[rcv]` says.
#[derive(Debug)]
pub(crate) enum RcvArgs {
    /// The tag is the method's name.
    Plain,
    Tag(LitStr),
    Default,
}

impl PortArgs {
    pub(crate) fn parse(attr: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let known = "`blocking`, `strict`, `msg = Name`, `handle = Name`, `vis = pub(crate)` and `crate = path`";
        options(attr, known, errors, |key, value| {
            match &*key.to_string() {
                "msg" => args.msg = Some(assigned(key, value, Ident::parse_any)?),
                "handle" => args.handle = Some(assigned(key, value, Ident::parse_any)?),
                "vis" => args.vis = Some(assigned(key, value, |input| input.parse())?),
                "strict" => args.strict = Some(key.clone()),
                "crate" => args.krate = assigned(key, value, |input| input.parse())?,
                "blocking" => args.blocking = Some(key.clone()),
                _ => return Ok(false),
            }
            Ok(true)
        });
        args
    }
}

impl SpawnableArgs {
    pub(crate) fn parse(attr: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let known = "`name = \"My::function\"` and `crate = path`";
        options(attr, known, errors, |key, value| {
            match &*key.to_string() {
                "name" => args.name = Some(assigned(key, value, text)?),
                "crate" => args.krate = assigned(key, value, |input| input.parse())?,
                _ => return Ok(false),
            }
            Ok(true)
        });
        args
    }
}

impl RcvArgs {
    /// What `#[rcv]`, `#[rcv("tag")]`, `#[rcv(tag = "tag")]` or `#[rcv(default)]` says.
    pub(crate) fn parse(attr: &Attribute, errors: &mut Errors) -> Self {
        match &attr.meta {
            Meta::Path(_) => Self::Plain,
            Meta::NameValue(meta) => {
                errors.at(meta, "the tag goes into parentheses: `#[rcv(\"tag\")]`");
                Self::Plain
            }
            Meta::List(list) => Self::parse_list(list.tokens.clone(), errors),
        }
    }

    fn parse_list(tokens: TokenStream, errors: &mut Errors) -> Self {
        if let Ok(tag) = syn::parse2::<LitStr>(tokens.clone()) {
            return Self::Tag(tag);
        }
        let mut args = Self::Plain;
        let mut told = false;
        let known = "`\"tag\"`, `tag = \"tag\"` and `default`";
        options(tokens, known, errors, |key, value| {
            let said = match &*key.to_string() {
                "tag" => Self::Tag(assigned(key, value, text)?),
                "default" => Self::Default,
                _ => return Ok(false),
            };
            if told {
                let message = "a handler takes one tag, or is the default: write one of them";
                return Err(syn::Error::new(key.span(), message));
            }
            told = true;
            args = said;
            Ok(true)
        });
        args
    }
}

/// Reads `key = value, key, ...`; `take` reads what follows a key, and knows which keys there are.
fn options(
    tokens: TokenStream,
    known: &str,
    errors: &mut Errors,
    mut take: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<bool>,
) {
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            if let Err(error) = option(input, known, &mut take) {
                errors.push(error);
                skip_option(input)?;
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        errors.push(error);
    }
}

fn option(
    input: ParseStream<'_>,
    known: &str,
    take: &mut impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<bool>,
) -> syn::Result<()> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format_args!("what can be written here is {known}")));
    }
    let key = Ident::parse_any(input)?;
    if take(&key, input)? {
        return Ok(());
    }
    let message = format_args!("unknown option `{key}`: there are {known}").to_string();
    Err(syn::Error::new(key.span(), message))
}

fn skip_option(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}

fn assigned<T>(
    key: &Ident,
    input: ParseStream<'_>,
    value: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<T> {
    let equals = input.parse::<Option<Token![=]>>()?;
    if equals.is_none() || input.is_empty() || input.peek(Token![,]) {
        let message = format!("`{key}` needs a value: `{key} = ...`");
        return Err(syn::Error::new(key.span(), message));
    }
    value(input)
}

fn text(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input
        .parse()
        .map_err(|_| input.error("a text in quotes belongs here"))
}
