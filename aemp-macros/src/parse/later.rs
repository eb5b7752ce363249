//! Closures of handlers that run later, when `self` is not available.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Block, Expr, ExprMethodCall, FnArg, Pat, Signature, Type,
    visit_mut::{self, VisitMut},
};

use super::types;
use crate::errors::Errors;

/// The methods of a context whose closures run later.
const LATER: [&str; 12] = [
    "after",
    "after_with",
    "blocking",
    "every",
    "every_with",
    "psub",
    "rcv",
    "rcv_default",
    "spawn",
    "stream",
    "then",
    "timer",
];

/// Explains the alternative to a closure that borrows `self`, because the compiler only reports the borrow. `handle`
/// is the port's handle.
pub(super) fn reject_self(sig: &Signature, body: &Block, handle: &Ident, errors: &mut Errors) {
    if let Some(cx) = context(sig) {
        let mut search = Search { cx, handle, errors };
        search.visit_block_mut(&mut body.clone());
    }
}

/// The name of the context in the handler.
fn context(sig: &Signature) -> Option<&Ident> {
    sig.inputs.iter().find_map(|input| match input {
        FnArg::Typed(input) => match (&*input.pat, &*input.ty) {
            (Pat::Ident(name), Type::Reference(ty)) if types::is_named(&ty.elem, "Cx") => {
                Some(&name.ident)
            }
            _ => None,
        },
        FnArg::Receiver(_) => None,
    })
}

struct Search<'a> {
    cx: &'a Ident,
    handle: &'a Ident,
    errors: &'a mut Errors,
}

impl VisitMut for Search<'_> {
    fn visit_expr_method_call_mut(&mut self, call: &mut ExprMethodCall) {
        let is_of_context =
            matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident(self.cx));
        if is_of_context && LATER.iter().any(|later| call.method == later) {
            call.args
                .iter()
                .for_each(|argument| self.check(&call.method, argument));
        }
        visit_mut::visit_expr_method_call_mut(self, call);
    }
}

impl Search<'_> {
    fn check(&mut self, method: &Ident, argument: &Expr) {
        if !matches!(argument, Expr::Closure(_) | Expr::Async(_)) {
            return;
        }
        if let Some(word) = find_self(argument.to_token_stream()) {
            let (cx, handle) = (self.cx, self.handle);
            let instead = match method.to_string().as_str() {
                "after" | "every" => {
                    format!("write `{cx}.{method}_with(.., |me: &mut Self, cx| ..)`")
                }
                "blocking" => format!(
                    "give the closure values of its own, and use the result in `{cx}.then(.., |me: &mut Self, cx, result| ..)`"
                ),
                "spawn" => format!(
                    "write `{cx}.then(future, |me: &mut Self, cx, output| ..)`, whose closure has the state when the future is ready"
                ),
                "psub" | "rcv" | "rcv_default" => format!(
                    "take the port's handle before, with `{cx}.me::<{handle}>()`, and send the port a message from here"
                ),
                _ => "use the state that the closure gets as its first argument".into(),
            };
            let message =
                format_args!("this runs later, when `self` is not borrowed any more: {instead}");
            self.errors.at(word, message);
        }
    }
}

fn find_self(tokens: TokenStream) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(word) if word == "self" => Some(word),
        TokenTree::Group(group) => find_self(group.stream()),
        _ => None,
    })
}
