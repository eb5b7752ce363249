//! Our attributes among those of others.

use quote::ToTokens;
use syn::{
    Attribute, FnArg, ImplItem, Item, Signature, TraitItem,
    visit_mut::{self, VisitMut},
};

use crate::{errors::Errors, expand};

/// True if an attribute is ours of that name, by whatever path.
pub(crate) fn is(attr: &Attribute, name: &str) -> bool {
    let last = attr.path().segments.last();
    last.is_some_and(|segment| segment.ident == name)
}

/// The attributes that remove an item, which what is generated for it shares.
pub(super) fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs
        .iter()
        .filter(|attr| is(attr, "cfg"))
        .cloned()
        .collect()
}

/// The attributes that tell people about an item.
pub(super) fn docs(attrs: &[Attribute]) -> Vec<Attribute> {
    let told = attrs
        .iter()
        .filter(|attr| is(attr, "doc") || is(attr, "deprecated"));
    told.cloned().collect()
}

/// Says that `#[rcv]` on anything but a method is a mistake.
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

/// Why a method cannot be an init function.
pub(super) const INIT_IS_FREE: &str =
    "an init function is free, since others spawn it by name: move it out of the `impl` block";

/// Says that an init function does not stand in an `impl` block.
pub(super) fn reject_spawnable(attrs: &[Attribute], errors: &mut Errors) {
    for attr in named(attrs, "spawnable") {
        errors.at(attr, INIT_IS_FREE);
    }
}

/// The item without our attributes, which the compiler does not know, and without lints for what we ask for.
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
                    .retain(|attr| !marks(attr) && !is(attr, "spawnable"));
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

/// The attributes of this name, in order.
pub(super) fn named<'a>(
    attrs: &'a [Attribute],
    name: &'a str,
) -> impl Iterator<Item = &'a Attribute> {
    attrs.iter().filter(move |attr| is(attr, name))
}

/// Says that an attribute which must know its item before the compiler does cannot be conditional.
pub(super) fn reject_conditional(attrs: &[Attribute], errors: &mut Errors) {
    for attr in attrs {
        if marks(attr) && is(attr, "cfg_attr") {
            errors.at(attr, "a handler cannot be one under a condition: put `#[cfg(...)]` beside a plain `#[rcv]`");
        }
    }
}

/// True if an attribute is, or under a condition would be, a `#[rcv]`.
fn marks(attr: &Attribute) -> bool {
    let is_conditional = || {
        let text = attr.meta.to_token_stream().to_string();
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        is(attr, "cfg_attr") && words.any(|word| word == "rcv")
    };
    is(attr, "rcv") || is_conditional()
}
