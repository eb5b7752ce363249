//! The numbers of port types, and the texts of their labels.

use std::{
    any::{TypeId, type_name},
    cell::RefCell,
    collections::HashMap,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{super::pace::HANDLERS, MOST_TYPES};
use crate::{
    Untyped, UntypedMsg,
    lock::Lock,
    message::{Message, Port},
    process::Process,
};

/// The label of everything beyond a bound.
pub(crate) const OTHER: &str = "(other)";
/// The label of code that is not a handler.
const CLOSURE: &str = "(closure)";
/// The longest text of a label, in bytes.
const LONGEST: usize = 200;

/// The number of the types that share counts.
pub(crate) const SHARED: u32 = 1;
/// The number of numbers, with the one of a type that has not got one.
pub(super) const NUMBERS: usize = MOST_TYPES + 2;

/// The types from number 2 on. The program decides how many there are, and no peer.
static TYPES: Lock<Vec<Named>> = Lock::new(Vec::new());

#[derive(Clone, Copy)]
struct Named {
    name: &'static str,
    /// The type of the messages. Several types of ports may have the same.
    messages: TypeId,
    handlers: &'static [&'static str],
}

/// The number of a port type, in its `Record`.
#[derive(Debug)]
pub(crate) struct Number(AtomicU32);

impl Number {
    /// For a type that gets its number at its first message.
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// For a record that belongs to several types.
    pub(crate) const fn shared() -> Self {
        Self(AtomicU32::new(SHARED))
    }

    /// Zero if the type has not got one.
    #[inline]
    pub(super) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Gives a number to the type.
    #[cold]
    fn give<P: Port>(&self) -> u32 {
        let mut types = TYPES.lock();
        // Another thread may have been here.
        if self.get() == 0 {
            let number = add(
                &mut types,
                Named {
                    name: type_name::<P>(),
                    messages: TypeId::of::<P::Msg>(),
                    handlers: P::Msg::HANDLERS,
                },
            );
            self.0.store(number, Ordering::Relaxed);
        }
        self.get()
    }
}

/// The number of a new type.
fn add(types: &mut Vec<Named>, named: Named) -> u32 {
    if types.len() >= MOST_TYPES {
        return SHARED;
    }
    types.push(named);
    types.len() as u32 + 1
}

/// The number of a port type. The type gets it now, if it has none.
#[inline]
pub(crate) fn of<P: Port>() -> u32 {
    match P::record().number() {
        number if number.get() == 0 => number.give::<P>(),
        number => number.get(),
    }
}

/// The number of the type of a port on another node, of which this process knows only the messages.
pub(super) fn of_messages<M: Message>() -> u32 {
    thread_local! {
        static KNOWN: RefCell<HashMap<TypeId, u32>> = RefCell::default();
    }
    let messages = TypeId::of::<M>();
    let known =
        KNOWN.try_with(|known| *known.borrow_mut().entry(messages).or_insert_with(find::<M>));
    known.unwrap_or(SHARED)
}

#[cold]
fn find<M: Message>() -> u32 {
    let messages = TypeId::of::<M>();
    let mut types = TYPES.lock();
    let known = types.iter().position(|named| named.messages == messages);
    match known {
        Some(at) => at as u32 + 2,
        None => add(
            &mut types,
            Named {
                name: port_of(type_name::<M>()),
                messages,
                handlers: M::HANDLERS,
            },
        ),
    }
}

/// The port type that messages with this name are made for.
fn port_of(messages: &'static str) -> &'static str {
    let name = messages.split('<').next().unwrap_or_default();
    name.strip_suffix("Msg").unwrap_or(messages)
}

fn entry(number: u32) -> Option<Named> {
    let at = number.checked_sub(2)?;
    TYPES.lock().get(at as usize).copied()
}

/// The handlers of a type that have counts of their own. One more count is for all the rest.
pub(super) fn handlers(number: u32) -> usize {
    entry(number).map_or(0, |named| named.handlers.len().min(HANDLERS))
}

/// The label of the type with this number.
pub(crate) fn type_label(number: u32) -> String {
    entry(number).map_or_else(|| OTHER.into(), |named| label(named.name))
}

/// The labels of a count: the type, and the handler at this place.
pub(crate) fn named(number: u32, place: usize) -> (String, &'static str) {
    let Some(named) = entry(number) else {
        return (OTHER.into(), OTHER);
    };
    let own = handlers(number);
    let handler = match named.handlers.get(place) {
        Some(handler) if place < own => handler,
        _ if own < named.handlers.len() => OTHER,
        _ => CLOSURE,
    };
    (label(named.name), handler)
}

/// The label of a type: its name without the arguments of generic types, which share their counts.
pub(crate) fn label(name: &str) -> String {
    if name == type_name::<Untyped>() || name == type_name::<UntypedMsg>() {
        return "untyped".into();
    }
    if name == type_name::<Process>() {
        return "process".into();
    }
    let name = name.split('<').next().unwrap_or_default();
    let end = |(at, character): (usize, char)| at + character.len_utf8();
    let ends = name.char_indices().map(end);
    match name.len() {
        ..=LONGEST => name.into(),
        _ => name[..ends.take_while(|end| *end <= LONGEST).last().unwrap_or(0)].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_without_arguments() {
        assert_eq!(label("my::Cache<alloc::string::String>"), "my::Cache");
        assert_eq!(label(type_name::<Untyped>()), "untyped");
        assert_eq!(label(type_name::<Process>()), "process");
        assert_eq!(label(type_name::<UntypedMsg>()), "untyped");
        assert_eq!(port_of("my::CacheMsg<u8>"), "my::Cache");
        assert_eq!(label(&"ä".repeat(150)), "ä".repeat(100));
    }
}
