//! Conflicts between the parts of an item, each of which is valid.

use std::collections::HashMap;

use proc_macro2::{Ident, Span};
use syn::LitStr;

use crate::{
    errors::Errors,
    model::{Handler, Init, Interface, Param, Tag},
    names, reserved,
};

/// Checks the messages of a port or protocol, and removes those that would collide.
pub(crate) fn interface(model: &mut Interface, errors: &mut Errors) {
    if model.msg == model.handle {
        let message = "the message enum and the handle need names of their own";
        errors.at(&model.handle, message);
        // One mistake, one diagnostic: the check continues with another name.
        model.handle = names::with_suffix(&model.handle, "Handle");
    }
    if model.is_local() {
        reject_default(model, errors);
    }
    let mut seen = Seen::default();
    model.handlers.retain(|handler| seen.check(handler, errors));
}

fn reject_default(model: &Interface, errors: &mut Errors) {
    for handler in model.handlers.iter().filter(|handler| handler.is_default()) {
        let message = "only the handle of a `local` port sends to it, so all its messages are known: remove this handler, or `local`";
        errors.at(&handler.ident, message);
    }
}

/// Reports an `impl` block without handlers, unless other mistakes are the reason for that.
pub(crate) fn has_handlers(model: &Interface, item: Span, errors: &mut Errors) {
    if model.handlers.is_empty() && model.hooks.count() == 0 && errors.is_empty() {
        let message = "no handlers: put `#[rcv]` on the methods that handle messages; \
             for a port that takes none, put `#[port]` on the struct instead";
        errors.push(syn::Error::new(item, message));
    }
}

/// The tags and variants of the handlers above.
#[derive(Default)]
struct Seen {
    tags: HashMap<String, Ident>,
    variants: HashMap<String, Ident>,
    default: Option<Ident>,
}

impl Seen {
    /// True if no earlier handler has the same tag or variant.
    fn check(&mut self, handler: &Handler, errors: &mut Errors) -> bool {
        let mut found = Errors::default();
        self.check_tag(handler, &mut found);
        check_default(handler, &mut found);
        if let Err(message) = reserved::check(handler) {
            found.at(&handler.ident, message);
        }
        let ident = handler.ident.clone();
        // Handlers under conditions may be alternatives: the compiler sees only one of them.
        if handler.cfgs.is_empty()
            && let Some(first) = self.variants.insert(handler.variant.to_string(), ident)
            && first != handler.ident
        {
            let (name, variant) = (&handler.ident, &handler.variant);
            let message = format!(
                "`{first}` and `{name}` would both become the variant `{variant}`: rename one of them"
            );
            found.at(&handler.ident, message);
        }
        !errors.absorb(found)
    }

    fn check_tag(&mut self, handler: &Handler, errors: &mut Errors) {
        let ident = handler.ident.clone();
        if !handler.cfgs.is_empty() {
            return;
        }
        match &handler.tag {
            Tag::Named(tag) => {
                if let Some(first) = self.tags.insert(tag.value(), ident) {
                    let tag_text = tag.value();
                    let message = format!(
                        "`{first}` takes the tag {tag_text:?} already: give this one another with `#[rcv(\"tag\")]`"
                    );
                    errors.at(tag, message);
                }
            }
            Tag::Default => {
                if let Some(first) = self.default.replace(ident) {
                    let message =
                        format!("`{first}` is the default handler already: one port has one");
                    errors.at(&handler.ident, message);
                }
            }
        }
    }
}

fn check_default(handler: &Handler, errors: &mut Errors) {
    if !handler.is_default() {
        return;
    }
    let has = |wanted: fn(&Param) -> bool| handler.params.iter().any(wanted);
    if !has(|param| matches!(param, Param::Tag(_))) || !has(|param| matches!(param, Param::Rest(_)))
    {
        let message = "a default handler takes the tag and all arguments: \
             write `fn name(&mut self, tag: &str, args: Args)`";
        errors.at(&handler.ident, message);
    }
    if handler.is_answered() {
        let message = "a default handler answers nothing by returning: if a caller waits, its reply port is the last of `args`; \
             for an error that kills the port, write `#[rcv(default, try)]`";
        errors.at(&handler.ident, message);
    }
}

/// Checks an init function.
pub(crate) fn init(model: &Init, errors: &mut Errors) {
    if let Some(name) = &model.name {
        check_name(name, errors);
    }
    if model.is_process() && !model.is_async {
        let message = "a function with an `Inbox` is the body of a process, which waits for messages: make it an `async fn`";
        errors.at(&model.ident, message);
    }
}

fn check_name(name: &LitStr, errors: &mut Errors) {
    let text = name.value();
    if !text.contains("::") {
        let message =
            format!("a name that other nodes spawn by contains `::`, such as \"My::{text}\"");
        errors.at(name, message);
    }
}
