//! `receive!`: one of several messages from a mailbox, with arguments of given types.
//!
//! It is a procedural macro because its patterns are no Rust patterns (`by: i64` has a type, `"add"` is compared as Perl
//! compares), and because mistakes in them are told at their place. The patterns are tested in a closure, which returns
//! the arguments as a variant of a local enum, one for each arm. The bodies stand in a `match` behind the `.await`, so that
//! `return`, `break`, `?` and `.await` work in them, and the borrows of the guards have ended.

mod expand;
mod parse;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Expr, Lit, Token, Type};

use crate::errors::Errors;

/// All of `receive! { inbox, arms }`.
struct Receive {
    inbox: Expr,
    arms: Vec<Arm>,
    after: Option<After>,
}

/// `pattern if guard => body`.
struct Arm {
    pattern: Pattern,
    guard: Option<Expr>,
    body: Expr,
}

/// `after limit => body`.
struct After {
    limit: Expr,
    body: Expr,
}

enum Pattern {
    /// `_`, or a name for the whole message.
    Whole(Option<Binding>),
    /// `(elements)`.
    Elements(Vec<Element>),
}

/// A name, and the `mut` before it.
struct Binding {
    mutability: Option<Token![mut]>,
    name: Ident,
}

/// An element of a message.
enum Element {
    /// A value to compare with.
    Value { minus: Option<Token![-]>, lit: Lit },
    /// `name: Type`.
    Typed(Binding, Box<Type>),
    /// `_`.
    Skipped,
    /// `..` or `name @ ..`: all further elements.
    Rest(Option<Binding>),
}

/// The expansion. `krate` is the path of the `aemp` crate.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let parsed = match parse::receive(input, &mut errors) {
        Ok((krate, receive)) if errors.is_empty() => return expand::receive(&krate, &receive),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    parsed.into_iter().for_each(|error| errors.push(error));
    let errors = errors.into_tokens();
    // An expression of any type, so that one mistake is one diagnostic.
    quote!({
        #errors
        ::core::unreachable!()
    })
}

impl Arm {
    /// The tag of all messages that the arm takes.
    fn tag(&self) -> Option<&syn::LitStr> {
        match &self.pattern {
            Pattern::Elements(elements) => match elements.first()? {
                Element::Value {
                    lit: Lit::Str(tag), ..
                } => Some(tag),
                _ => None,
            },
            Pattern::Whole(_) => None,
        }
    }

    /// True if the arm takes every message.
    fn takes_all(&self) -> bool {
        matches!(self.pattern, Pattern::Whole(_)) && self.guard.is_none()
    }
}
