//! The names of generated items, derived from the user's names.

use proc_macro2::{Ident, Span};
use quote::{ToTokens, format_ident};
use syn::ext::IdentExt;

/// The variant of a handler: `set_value` becomes `SetValue`.
pub(crate) fn variant(handler: &Ident) -> Ident {
    let mut name = String::new();
    for word in handler.unraw().to_string().split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(letters.as_str());
    }
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    if name == "Self" {
        name.push('_');
    }
    Ident::new(&name, handler.span())
}

/// `CounterMsg`, `CounterRef`.
pub(crate) fn with_suffix(name: &Ident, suffix: &str) -> Ident {
    format_ident!("{}{}", name.unraw(), suffix, span = Span::call_site())
}

/// The name of a handler's parameter in the handle's method, where it is always used.
pub(crate) fn parameter(name: &Ident) -> Ident {
    let text = name.to_string();
    let bare = text.trim_start_matches('_');
    match syn::parse_str::<Ident>(bare) {
        Ok(_) if bare.len() < text.len() => Ident::new(bare, name.span()),
        // The leading underscores stay if the rest is no identifier: it is empty, begins with a digit, or is a
        // keyword.
        _ => name.clone(),
    }
}

/// The local variable for field number `index` of a message, in generated code.
pub(crate) fn local(index: usize) -> Ident {
    format_ident!("__{index}")
}

/// Tokens as a person would write them, independent of the compiler's spacing.
pub(crate) fn readable(tokens: impl ToTokens) -> String {
    let spaced = tokens.into_token_stream().to_string();
    let mut text = String::with_capacity(spaced.len());
    let mut words = spaced.split_whitespace().peekable();
    while let Some(word) = words.next() {
        text.push_str(word);
        let Some(next) = words.peek() else { break };
        if blank_between(word, next) {
            text.push(' ');
        }
    }
    text
}

fn blank_between(left: &str, right: &str) -> bool {
    if left.ends_with("->") || right.starts_with("->") {
        return true;
    }
    let opens = left.ends_with("::") || left.ends_with(['<', '(', '[', '&', '!']);
    let closes =
        right.starts_with("::") || right.starts_with(['<', '>', '(', ')', ']', ',', ';', ':']);
    !opens && !closes
}
