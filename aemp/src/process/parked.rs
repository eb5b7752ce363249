//! The messages that wait in a mailbox, in the order in which they came.
//!
//! A few messages are a list, which is searched. From [`FEW`] on they are a map by number, with an index by tag, until
//! all of them are gone. So a mailbox that mostly has a message or none costs no index, and a receive by tag among very
//! many messages costs a logarithm. The index has the hash of the tag instead of its text, because tags may be long;
//! the text of each message that the index finds is compared.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::{BuildHasher, RandomState},
};

use aemp_codec::Value;

use crate::{
    exec::spans::Task,
    message::{Args, Origin},
};

/// The greatest number of messages without an index.
const FEW: usize = 32;

/// A message in a mailbox, tag first.
pub(super) struct Letter {
    pub(super) origin: Option<Origin>,
    pub(super) message: Args,
    /// The span of its handling, which begins when it gets into the mailbox.
    pub(super) span: Task,
}

/// The messages that a receive looks at.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    Any,
    Tag(&'a str),
    OneOf(&'static [&'static str]),
}

/// The messages of a mailbox, numbered in the order in which they came.
#[derive(Default)]
pub(super) struct Parked {
    /// The number of the next message.
    next: u64,
    store: Store,
}

enum Store {
    Few(VecDeque<(u64, Letter)>),
    Many(Box<Many>),
}

#[derive(Default)]
struct Many {
    letters: BTreeMap<u64, Letter>,
    /// The hash of the tag, and the number.
    by_tag: BTreeSet<(u64, u64)>,
    hasher: RandomState,
}

/// The tag of a message.
pub(super) fn tag(message: &[Value]) -> Cow<'_, str> {
    message.first().and_then(Value::text).unwrap_or_default()
}

impl Wanted<'_> {
    /// True if a message with this tag is looked at.
    pub(super) fn takes(self, tag: &str) -> bool {
        #[cfg(test)]
        LOOKS.set(LOOKS.get() + 1);
        match self {
            Self::Any => true,
            Self::Tag(wanted) => wanted == tag,
            Self::OneOf(wanted) => wanted.contains(&tag),
        }
    }
}

impl Parked {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        match &self.store {
            Store::Few(letters) => letters.len(),
            Store::Many(many) => many.letters.len(),
        }
    }

    pub(super) fn push(&mut self, letter: Letter) {
        let number = self.next;
        self.next += 1;
        match &mut self.store {
            Store::Few(letters) if letters.len() < FEW => letters.push_back((number, letter)),
            Store::Few(letters) => {
                let mut many = Box::<Many>::default();
                for (number, letter) in letters.drain(..) {
                    many.insert(number, letter);
                }
                many.insert(number, letter);
                self.store = Store::Many(many);
            }
            Store::Many(many) => many.insert(number, letter),
        }
    }

    /// The number of the first wanted message whose number is at least `from`.
    pub(super) fn find(&self, wanted: Wanted<'_>, from: u64) -> Option<u64> {
        match &self.store {
            Store::Few(letters) => {
                let start = letters.partition_point(|(number, _)| *number < from);
                let mut rest = letters.range(start..);
                let found = rest.find(|(_, letter)| wanted.takes(&tag(&letter.message)));
                found.map(|(number, _)| *number)
            }
            Store::Many(many) => many.find(wanted, from),
        }
    }

    /// The message with this number.
    pub(super) fn get(&self, number: u64) -> Option<&Args> {
        let letter = match &self.store {
            Store::Few(letters) => {
                let at = letters.binary_search_by_key(&number, |(number, _)| *number);
                letters.get(at.ok()?).map(|(_, letter)| letter)
            }
            Store::Many(many) => many.letters.get(&number),
        };
        letter.map(|letter| &letter.message)
    }

    /// Removes the message with this number.
    pub(super) fn take(&mut self, number: u64) -> Option<Letter> {
        match &mut self.store {
            Store::Few(letters) => {
                let at = letters.binary_search_by_key(&number, |(number, _)| *number);
                letters.remove(at.ok()?).map(|(_, letter)| letter)
            }
            Store::Many(many) => {
                let letter = many.remove(number);
                if many.letters.is_empty() {
                    self.store = Store::default();
                }
                letter
            }
        }
    }
}

impl Many {
    fn hash(&self, tag: &str) -> u64 {
        self.hasher.hash_one(tag)
    }

    fn insert(&mut self, number: u64, letter: Letter) {
        let hash = self.hash(&tag(&letter.message));
        self.by_tag.insert((hash, number));
        self.letters.insert(number, letter);
    }

    fn remove(&mut self, number: u64) -> Option<Letter> {
        let letter = self.letters.remove(&number)?;
        let hash = self.hash(&tag(&letter.message));
        self.by_tag.remove(&(hash, number));
        Some(letter)
    }

    fn find(&self, wanted: Wanted<'_>, from: u64) -> Option<u64> {
        match wanted {
            Wanted::Any => self.letters.range(from..).next().map(|(number, _)| *number),
            Wanted::Tag(tag) => self.find_tag(tag, from),
            Wanted::OneOf(tags) => tags.iter().filter_map(|tag| self.find_tag(tag, from)).min(),
        }
    }

    fn find_tag(&self, wanted: &str, from: u64) -> Option<u64> {
        let hash = self.hash(wanted);
        let mut found = self.by_tag.range((hash, from)..=(hash, u64::MAX));
        // Two tags may have the same hash.
        let found = found.find(|(_, number)| {
            let letter = self.letters.get(number);
            letter.is_some_and(|letter| Wanted::Tag(wanted).takes(&tag(&letter.message)))
        });
        found.map(|(_, number)| *number)
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::Few(VecDeque::new())
    }
}

#[cfg(test)]
thread_local! {
    /// The number of messages that this thread has looked at.
    static LOOKS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(tag: &str, n: u64) -> Letter {
        Letter {
            origin: None,
            message: vec![tag.into(), n.into()],
            span: Task::default(),
        }
    }

    fn number(letter: Option<Letter>) -> Option<u64> {
        letter.and_then(|letter| letter.message.last().and_then(Value::as_u64))
    }

    /// Behaves like a list that is searched from its beginning, however many messages there are.
    #[test]
    fn is_a_list() {
        const TAGS: [&str; 4] = ["a", "b", "c", "d"];
        let (mut parked, mut list) = (Parked::default(), Vec::<(&str, u64)>::new());
        let mut random = 1u64;
        for step in 0..20_000u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let chosen = TAGS[(random >> 33) as usize % 4];
            // First more come than go, then more go.
            let comes = if step % 4000 < 2000 { 5 } else { 2 };
            if (random >> 40) % 8 < comes {
                parked.push(letter(chosen, step));
                list.push((chosen, step));
                continue;
            }
            let wanted = match (random >> 50) % 3 {
                0 => Wanted::Any,
                1 => Wanted::Tag(chosen),
                _ => Wanted::OneOf(&["b", "d", "e"]),
            };
            let at = list.iter().position(|(tag, _)| wanted.takes(tag));
            let found = parked.find(wanted, 0);
            let taken = found.and_then(|found| parked.take(found));
            assert_eq!(number(taken), at.map(|at| list.remove(at).1));
            assert_eq!(parked.len(), list.len());
        }
    }

    #[test]
    fn each_number_is_found_from_any_start() {
        let mut parked = Parked::default();
        for n in 0..1000 {
            parked.push(letter(if n % 10 == 0 { "ten" } else { "other" }, n));
            let last = n / 10 * 10;
            assert_eq!(parked.find(Wanted::Tag("ten"), last), Some(last));
            assert_eq!(parked.find(Wanted::Tag("ten"), last + 1), None);
            assert_eq!(parked.find(Wanted::Any, n), Some(n));
        }
        assert_eq!(parked.find(Wanted::OneOf(&["ten", "x"]), 11), Some(20));
        assert!(parked.take(20).is_some() && parked.take(20).is_none());
        assert!(parked.get(20).is_none() && parked.get(21).is_some());
        assert_eq!(parked.find(Wanted::OneOf(&["ten", "x"]), 11), Some(30));
    }

    #[test]
    fn a_receive_by_tag_looks_at_its_own_messages_alone() {
        let mut parked = Parked::default();
        for n in 0..100_000 {
            let tag = if n % 100 == 99 { "wanted" } else { "other" };
            parked.push(letter(tag, n));
        }
        LOOKS.set(0);
        for n in 0..1000 {
            let found = parked.find(Wanted::OneOf(&["wanted", "none"]), 0);
            let taken = found.and_then(|found| parked.take(found));
            assert_eq!(number(taken), Some(100 * n + 99));
        }
        assert_eq!(parked.find(Wanted::Tag("wanted"), 0), None);
        assert_eq!(LOOKS.get(), 1000);
    }
}
