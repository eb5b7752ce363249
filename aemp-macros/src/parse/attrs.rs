//! Our attributes, among others.

use quote::ToTokens;
use syn::{
    Attribute, FnArg, ImplItem, Item, Signature, TraitItem,
    visit_mut::{self, VisitMut},
};

use crate::{errors::Errors, expand};

/// True if an attribute has this name, after any path.
pub(crate) fn is(attr: &Attribute, name: &str) -> bool {
    let last = attr.path().segments.last();
    last.is_some_and(|segment| segment.ident == name)
}

/// The attributes that remove an item. Generated items get them as well.
pub(super) fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs
        .iter()
        .filter(|attr| is(attr, "cfg"))
        .cloned()
        .collect()
}

/// The attributes that inform people about an item.
pub(super) fn docs(attrs: &[Attribute]) -> Vec<Attribute> {
    let told = attrs
        .iter()
        .filter(|attr| is(attr, "doc") || is(attr, "deprecated"));
    told.cloned().collect()
}

/// Reports `#[rcv]` on anything but a method.
pub(super) fn reject_rcv(item: &ImplItem, errors: &mut Errors) {
    let attrs = match item {
        ImplItem::Const(item) => &item.attrs,
        ImplItem::Type(item) => &item.attrs,
        ImplItem::Macro(item) => &item.attrs,
        _ => return,
    };
    for attr in attrs.iter().filter(|attr| is(attr, "rcv")) {
        errors.at(
            attr,
            "`#[rcv]` goes on a method: `#[rcv] fn name(&mut self, argument: Type)`",
        );
    }
}

/// The reason why a method cannot be an init function.
pub(super) const INIT_IS_FREE: &str =
    "an init function is free, since others spawn it by name: move it out of the `impl` block";

/// Reports an init function in an `impl` block.
pub(super) fn reject_spawnable(attrs: &[Attribute], errors: &mut Errors) {
    for attr in named(attrs, "spawnable") {
        errors.at(attr, INIT_IS_FREE);
    }
}

/// Removes our attributes from the item, because the compiler does not know them, and silences lints against our
/// rules.
pub(crate) fn strip(item: &mut Item) {
    match item {
        Item::Fn(item) => {
            item.attrs.push(expand::dictated());
            Strip.visit_signature_mut(&mut item.sig);
        }
        item => Strip.visit_item_mut(item),
    }
}

struct Strip;

impl VisitMut for Strip {
    fn visit_impl_item_mut(&mut self, item: &mut ImplItem) {
        match item {
            ImplItem::Fn(item) => {
                let count = item.attrs.len();
                item.attrs
                    .retain(|attr| !marks(attr) && !is_hook(attr) && !is(attr, "spawnable"));
                if item.attrs.len() < count {
                    item.attrs.push(expand::dictated());
                }
                self.visit_signature_mut(&mut item.sig);
            }
            ImplItem::Const(item) => item.attrs.retain(|attr| !marks(attr)),
            ImplItem::Type(item) => item.attrs.retain(|attr| !marks(attr)),
            ImplItem::Macro(item) => item.attrs.retain(|attr| !marks(attr)),
            _ => {}
        }
    }

    fn visit_trait_item_mut(&mut self, item: &mut TraitItem) {
        if let TraitItem::Fn(item) = item {
            item.attrs.retain(|attr| !marks(attr));
            self.visit_signature_mut(&mut item.sig);
        }
    }

    fn visit_signature_mut(&mut self, signature: &mut Signature) {
        visit_mut::visit_signature_mut(self, signature);
    }

    fn visit_fn_arg_mut(&mut self, arg: &mut FnArg) {
        if let FnArg::Typed(arg) = arg {
            arg.attrs.retain(|attr| !is(attr, "rest"));
        }
    }
}

/// The attributes with this name, in order.
pub(super) fn named<'a>(
    attrs: &'a [Attribute],
    name: &'a str,
) -> impl Iterator<Item = &'a Attribute> {
    attrs.iter().filter(move |attr| is(attr, name))
}

/// Reports a conditional attribute that must know its item before the compiler evaluates the condition.
pub(super) fn reject_conditional(attrs: &[Attribute], errors: &mut Errors) {
    for attr in attrs {
        if marks(attr) && is(attr, "cfg_attr") {
            errors.at(attr, "a handler cannot be one under a condition: put `#[cfg(...)]` beside a plain `#[rcv]`");
        }
    }
}

/// True if an attribute marks a method of the port's life.
fn is_hook(attr: &Attribute) -> bool {
    attr.path().is_ident("start") || attr.path().is_ident("stop")
}

/// True if an attribute is a `#[rcv]`, or would be one under a condition.
fn marks(attr: &Attribute) -> bool {
    let is_conditional = || {
        let text = attr.meta.to_token_stream().to_string();
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        is(attr, "cfg_attr") && words.any(|word| word == "rcv")
    };
    is(attr, "rcv") || is_conditional()
}
