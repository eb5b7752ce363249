//! From tokens to the arms of a `receive!`.

use proc_macro2::{Ident, Span, TokenStream};
use syn::{
    Error, Expr, Lit, Result, Token, bracketed, ext::IdentExt, parenthesized, parse::ParseStream,
    parse::Parser, punctuated::Punctuated, token,
};

use super::{After, Arm, Binding, Element, Pattern, Receive};
use crate::errors::Errors;

const PATTERN: &str = "a message is written as `(\"tag\", name: Type)`, a name takes any message, and `after DURATION` \
     limits the time";

const NO_INBOX: &str =
    "write the inbox first, and then the patterns: `receive! { inbox, (\"tag\") => ... }`";

/// Parses `[path of the crate] inbox, arms`.
pub(super) fn receive(input: TokenStream, errors: &mut Errors) -> Result<(TokenStream, Receive)> {
    let parse = |input: ParseStream<'_>| {
        let krate;
        bracketed!(krate in input);
        let krate = krate.parse::<TokenStream>()?;
        Ok((krate, parts(input, errors)?))
    };
    parse.parse2(input)
}

fn parts(input: ParseStream<'_>, errors: &mut Errors) -> Result<Receive> {
    let is_arm = input.peek(token::Paren) && (input.peek2(Token![=>]) || input.peek2(Token![if]));
    if input.is_empty() || is_arm {
        return Err(Error::new(input.span(), NO_INBOX));
    }
    let inbox: Expr = input.parse()?;
    if !input.peek(Token![,]) {
        return Err(input.error("a comma stands between the inbox and the first message"));
    }
    input.parse::<Token![,]>()?;
    let mut receive = Receive {
        inbox,
        arms: Vec::new(),
        after: None,
    };
    while !input.is_empty() {
        if is_after(input) {
            let after = input.parse::<Ident>()?;
            let limit = input.parse()?;
            let body = body(input)?;
            if receive.after.replace(After { limit, body }).is_some() {
                errors.at(after, "there is one `after`: remove the second");
            }
            continue;
        }
        let start = input.span();
        let arm = arm(input, errors)?;
        if receive.after.is_some() {
            errors.push(Error::new(
                start,
                "`after` stands behind all messages: move it to the end",
            ));
        } else if receive.arms.last().is_some_and(Arm::takes_all) {
            errors.push(Error::new(
                start,
                "no message gets here, because the arm before takes all of them",
            ));
        }
        receive.arms.push(arm);
    }
    if receive.arms.is_empty() {
        return Err(Error::new(
            input.span(),
            "there is nothing to receive: write `(\"tag\", name: Type) => ...`",
        ));
    }
    Ok(receive)
}

/// True for `after LIMIT =>`, and not for a message named `after`.
fn is_after(input: ParseStream<'_>) -> bool {
    let word = input.fork().parse::<Ident>();
    word.is_ok_and(|word| word == "after") && !input.peek2(Token![=>]) && !input.peek2(Token![if])
}

fn arm(input: ParseStream<'_>, errors: &mut Errors) -> Result<Arm> {
    let pattern = pattern(input, errors)?;
    let guard = if input.peek(Token![if]) {
        input.parse::<Token![if]>()?;
        Some(input.parse()?)
    } else {
        None
    };
    Ok(Arm {
        pattern,
        guard,
        body: body(input)?,
    })
}

/// `=> expression`, and the comma behind it, which a block does not need.
fn body(input: ParseStream<'_>) -> Result<Expr> {
    input.parse::<Token![=>]>()?;
    let is_block = input.peek(token::Brace);
    let body = Expr::parse_with_earlier_boundary_rule(input)?;
    if !input.is_empty() && (!is_block || input.peek(Token![,])) {
        input.parse::<Token![,]>()?;
    }
    Ok(body)
}

fn pattern(input: ParseStream<'_>, errors: &mut Errors) -> Result<Pattern> {
    if input.peek(token::Paren) {
        let content;
        let paren = parenthesized!(content in input);
        let parse = |input: ParseStream<'_>| element(input);
        let elements = Punctuated::<Element, Token![,]>::parse_terminated_with(&content, parse)?;
        return Ok(Pattern::Elements(check(
            elements,
            paren.span.join(),
            errors,
        )));
    }
    if input.peek(Token![_]) {
        input.parse::<Token![_]>()?;
        return Ok(Pattern::Whole(None));
    }
    if input.peek(Lit) {
        return Err(input.error("put the message into parentheses: `(\"tag\", name: Type) => ...`"));
    }
    if !input.peek(Token![mut]) && !input.peek(Ident::peek_any) {
        return Err(input.error(PATTERN));
    }
    let binding = binding(input)?;
    if !input.peek(Token![=>]) && !input.peek(Token![if]) {
        return Err(input.error(PATTERN));
    }
    Ok(Pattern::Whole(Some(binding)))
}

fn binding(input: ParseStream<'_>) -> Result<Binding> {
    Ok(Binding {
        mutability: input.parse()?,
        name: input.parse()?,
    })
}

fn element(input: ParseStream<'_>) -> Result<Element> {
    if input.peek(Token![..]) {
        input.parse::<Token![..]>()?;
        return Ok(Element::Rest(None));
    }
    if input.peek(Lit) || input.peek(Token![-]) {
        return Ok(Element::Value {
            minus: input.parse()?,
            lit: input.parse()?,
        });
    }
    if input.peek(Token![_]) {
        input.parse::<Token![_]>()?;
        return Ok(Element::Skipped);
    }
    let binding = binding(input)?;
    if input.peek(Token![@]) {
        input.parse::<Token![@]>()?;
        input.parse::<Token![..]>()?;
        return Ok(Element::Rest(Some(binding)));
    }
    if !input.peek(Token![:]) {
        let name = &binding.name;
        let message = format!(
            "an element needs its type, with which it is read: write `{name}: Type`, or `{name} @ ..` for all further elements"
        );
        return Err(Error::new(name.span(), message));
    }
    input.parse::<Token![:]>()?;
    Ok(Element::Typed(binding, input.parse()?))
}

/// Checks the order of the elements.
fn check(
    elements: Punctuated<Element, Token![,]>,
    whole: Span,
    errors: &mut Errors,
) -> Vec<Element> {
    let elements: Vec<Element> = elements.into_iter().collect();
    if elements.is_empty() {
        errors.push(Error::new(
            whole,
            "a message has a tag: write `(\"tag\")`, or `_` for any message",
        ));
    }
    let rest = elements
        .iter()
        .rev()
        .skip(1)
        .find(|element| matches!(element, Element::Rest(_)));
    if let Some(Element::Rest(binding)) = rest {
        let span = binding
            .as_ref()
            .map_or(whole, |binding| binding.name.span());
        errors.push(Error::new(
            span,
            "`..` takes all further elements: move it to the end",
        ));
    }
    elements
}
