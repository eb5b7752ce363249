//! The options of our attributes.

use proc_macro2::{Ident, Span, TokenStream};
use syn::{
    Attribute, Expr, Lit, LitStr, Meta, Token, Visibility,
    ext::IdentExt,
    parse::{ParseStream, Parser},
};

use crate::{errors::Errors, names, paths::Crate};

/// The options of `#[port]` and `#[protocol]`.
#[derive(Debug, Default)]
pub(crate) struct PortArgs {
    pub(crate) krate: Crate,
    pub(crate) vis: Option<Visibility>,
    pub(crate) msg: Option<Ident>,
    pub(crate) handle: Option<Ident>,
    /// The word `strict`, if it is there: the port dies of messages that it does not understand.
    pub(crate) strict: Option<Ident>,
    /// The word `blocking`, if it is there.
    pub(crate) blocking: Option<Ident>,
    /// The word `owned`, if it is there: the port ends with its handles.
    pub(crate) owned: Option<Ident>,
    /// The word `local`, if it is there: only this process sends to the port.
    pub(crate) local: Option<Ident>,
}

/// The options of `#[spawnable]`.
#[derive(Debug, Default)]
pub(crate) struct SpawnableArgs {
    pub(crate) krate: Crate,
    pub(crate) name: Option<LitStr>,
}

/// The options of a `#[rcv]`.
#[derive(Debug, Default)]
pub(crate) struct RcvArgs {
    pub(crate) tag: RcvTag,
    pub(crate) words: Words,
    /// The word `concurrent` and its value, if it is there: the handler runs beside the port.
    pub(crate) concurrent: Option<(Ident, Expr)>,
    /// The word `urgent`, if it is there: the message is handled before others.
    pub(crate) urgent: Option<Ident>,
    /// The word `wanted`, if it is there: a call is handled only if its caller still waits.
    pub(crate) wanted: Option<Ident>,
}

/// The words about the answer of a handler, as far as they are there.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// The word `try`: an error kills the port.
    pub(crate) tries: Option<Ident>,
    /// The word `send`: the message has no answer.
    pub(crate) sends: Option<Ident>,
    /// The word `call`: the message has the answer `()`.
    pub(crate) calls: Option<Ident>,
}

/// The tags that the handler of a `#[rcv]` accepts.
#[derive(Debug, Default)]
pub(crate) enum RcvTag {
    /// The method's name.
    #[default]
    Name,
    Text(LitStr),
    /// All tags without a handler of their own.
    Default,
}

impl PortArgs {
    pub(crate) fn parse(attr: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let known = "`blocking`, `local`, `owned`, `strict`, `msg = Name`, `handle = Name`, `vis = pub(crate)` and `crate = path`";
        options(attr, known, errors, |key, value| {
            match &*key.to_string() {
                "msg" => args.msg = Some(assigned(key, value, Ident::parse_any)?),
                "handle" => args.handle = Some(assigned(key, value, Ident::parse_any)?),
                "vis" => args.vis = Some(assigned(key, value, |input| input.parse())?),
                "strict" => args.strict = Some(key.clone()),
                "crate" => args.krate = assigned(key, value, |input| input.parse())?,
                "blocking" => args.blocking = Some(key.clone()),
                "local" => args.local = Some(key.clone()),
                "owned" => args.owned = Some(key.clone()),
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
    /// Parses `#[rcv]`, `#[rcv("tag")]`, `#[rcv(tag = "tag", try)]` or `#[rcv(default)]`.
    pub(crate) fn parse(attr: &Attribute, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        match &attr.meta {
            Meta::Path(_) => {}
            Meta::NameValue(meta) => {
                errors.at(meta, "the tag goes into parentheses: `#[rcv(\"tag\")]`");
            }
            Meta::List(list) => each(list.tokens.clone(), errors, |input| args.take(input)),
        }
        args
    }

    /// Parses the next word or tag.
    fn take(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        if input.peek(Lit) {
            let tag = tag(input)?;
            return self.set_tag(tag.span(), RcvTag::Text(tag));
        }
        let known = "`\"tag\"`, `tag = \"tag\"`, `default`, `try`, `send`, `call`, `urgent`, `wanted` and `concurrent = 8`";
        option(input, known, &mut |key, value| {
            match &*key.to_string() {
                "tag" => self.set_tag(key.span(), RcvTag::Text(assigned(key, value, tag)?))?,
                "default" => self.set_tag(key.span(), RcvTag::Default)?,
                "try" => self.words.tries = Some(key.clone()),
                "send" => self.words.sends = Some(key.clone()),
                "call" => self.words.calls = Some(key.clone()),
                "urgent" => self.urgent = Some(key.clone()),
                "wanted" => self.wanted = Some(key.clone()),
                "concurrent" => {
                    let limit = assigned(key, value, |input| input.parse())?;
                    self.concurrent = Some((key.clone(), limit));
                }
                _ => return Ok(false),
            }
            Ok(true)
        })
    }

    fn set_tag(&mut self, place: Span, tag: RcvTag) -> syn::Result<()> {
        if !matches!(self.tag, RcvTag::Name) {
            let message = "a handler takes one tag, or is the default: write one of them";
            return Err(syn::Error::new(place, message));
        }
        self.tag = tag;
        Ok(())
    }
}

fn tag(input: ParseStream<'_>) -> syn::Result<LitStr> {
    let given: Expr = input.parse()?;
    if let Expr::Lit(literal) = &given
        && let Lit::Str(text) = &literal.lit
    {
        return Ok(text.clone());
    }
    let shown = names::readable(&given);
    let message = format!("a tag is a text: write it in quotes, such as `\"{shown}\"`");
    Err(syn::Error::new_spanned(given, message))
}

/// Reads `key = value, key, ...`. `take` knows the keys, and reads the part behind a key.
fn options(
    tokens: TokenStream,
    known: &str,
    errors: &mut Errors,
    mut take: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<bool>,
) {
    each(tokens, errors, |input| option(input, known, &mut take));
}

/// Reads a list with commas. `take` reads an element.
fn each(
    tokens: TokenStream,
    errors: &mut Errors,
    mut take: impl FnMut(ParseStream<'_>) -> syn::Result<()>,
) {
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            if let Err(error) = take(input) {
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
        return Err(input.error(format_args!("the options here are {known}")));
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
