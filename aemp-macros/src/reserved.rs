//! The methods of every handle. A handler with such a name would hide one.

use proc_macro2::Ident;
use syn::ext::IdentExt;

use crate::model::{Handler, Tag};

/// The methods of `aemp::Handle`, which generated handles dereference to. A test compares them.
const METHODS: &[&str] = &[
    "bound",
    "call",
    "closed",
    "id",
    "is_local",
    "kil",
    "kill",
    "link",
    "mon",
    "mon_guard",
    "mon_kil",
    "mon_snd",
    "monitor",
    "monitor_guard",
    "monitor_send",
    "node",
    "peval",
    "post",
    "queue_len",
    "send",
    "stop",
    "stop_within",
    "try_send",
];

/// The methods of the traits of every handle.
const OF_TRAITS: &[&str] = &[
    "clone",
    "cmp",
    "deref",
    "eq",
    "fmt",
    "handle",
    "hash",
    "into",
    "ne",
    "partial_cmp",
    "serialize",
    "to_owned",
    "to_string",
];

/// The error for a handler with the name of a method of every handle.
pub(crate) fn check(handler: &Handler) -> Result<(), String> {
    let name = &handler.ident;
    if !is_reserved(name) {
        return Ok(());
    }
    let name = name.unraw();
    let rcv = match &handler.tag {
        Tag::Named(tag) => format!("#[rcv({:?})]", tag.value()),
        Tag::Default => "#[rcv(default)]".into(),
    };
    Err(format!(
        "`{name}` is a method of every handle: give this one another name and keep the tag, such as `{rcv} fn on_{name}`"
    ))
}

fn is_reserved(name: &Ident) -> bool {
    let mut reserved = METHODS.iter().chain(OF_TRAITS);
    let name = name.unraw();
    reserved.any(|reserved| name == reserved)
}
