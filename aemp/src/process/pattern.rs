//! The functions behind the macro [`receive!`](crate::receive), whose patterns read arguments of given types.

use std::time::Duration;

use aemp_codec::{PacketReader, Value};
use serde::de::DeserializeOwned;

use super::{
    Inbox, Verdict,
    parked::{self, Wanted},
    verdict::sealed,
};
use crate::message::Args;

/// The mailbox that the macro's first argument is or refers to.
pub fn inbox(inbox: &Inbox) -> &Inbox {
    inbox
}

/// The tags of a receive. An empty list stands for all tags.
fn wanted(tags: &'static [&'static str]) -> Wanted<'static> {
    match tags {
        [] => Wanted::Any,
        tags => Wanted::OneOf(tags),
    }
}

/// The answer of the arms for a message, which is kept beside the message.
struct Taken<T>(Option<T>);

impl<T> sealed::Verdict for Taken<T> {}

impl<T> Verdict for Taken<T> {
    type Output = (T, Args);
    type Kept = T;

    fn kept(self) -> Option<T> {
        self.0
    }

    fn output(kept: T, message: Args) -> (T, Args) {
        (kept, message)
    }
}

/// Receives the first message for which one of the arms returns a value.
pub async fn receive<T>(
    inbox: &Inbox,
    tags: &'static [&'static str],
    mut arms: impl FnMut(&[Value]) -> Option<T>,
) -> (T, Args) {
    let arms = |message: &[Value]| Taken(arms(message));
    inbox.judged(wanted(tags), arms).await
}

/// As [`receive`], for at most `limit`.
pub async fn receive_within<T>(
    inbox: &Inbox,
    tags: &'static [&'static str],
    limit: Duration,
    mut arms: impl FnMut(&[Value]) -> Option<T>,
) -> Option<(T, Args)> {
    let arms = |message: &[Value]| Taken(arms(message));
    inbox.judged_within(wanted(tags), arms, limit).await
}

/// A type that an element of a message can be read as.
#[diagnostic::on_unimplemented(
    message = "an element of a message cannot be read as `{Self}`",
    label = "elements are read with `serde`, and own their content: this type needs `serde::de::DeserializeOwned`",
    note = "if the type is yours, derive it: `#[derive(serde::Deserialize)]`"
)]
pub trait Element: Sized {
    /// Reads the only element of a list, or none.
    fn read(element: PacketReader<'_>) -> Option<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> Element for T {
    fn read(mut element: PacketReader<'_>) -> Option<Self> {
        element.required().ok()
    }
}

/// The elements of a message that a pattern reads, one after the other.
#[derive(Debug)]
pub struct Fields<'a> {
    rest: &'a [Value],
}

impl<'a> Fields<'a> {
    /// The elements after a tag, if the message has this tag.
    pub fn after(message: &'a [Value], tag: &str) -> Option<Self> {
        let rest = message.get(1..).unwrap_or_default();
        (parked::tag(message) == tag).then_some(Self { rest })
    }

    /// All elements of a message.
    pub fn all(message: &'a [Value]) -> Self {
        Self { rest: message }
    }

    /// Checks the number of elements: at least `least`, and at most `most`. Nulls behind them are not counted, because
    /// a newer sender sends them for optional arguments that were not given.
    pub fn number(self, least: usize, most: usize) -> Option<Self> {
        let surplus = self.rest.get(most..).unwrap_or_default();
        let fits = self.rest.len() >= least && surplus.iter().all(Value::is_null);
        fits.then_some(self)
    }

    /// Reads the next element. If there is none, an `Option` is `None`.
    pub fn read<T: Element>(&mut self) -> Option<T> {
        T::read(PacketReader::from(self.next()))
    }

    /// Compares the next element. Numbers and their texts are equal.
    pub fn is(&mut self, value: impl Into<Value>) -> Option<()> {
        let next = self.next().first()?;
        next.loose_eq(&value.into()).then_some(())
    }

    /// Passes over the next element.
    pub fn skip(&mut self) -> Option<()> {
        self.next().first().map(|_| ())
    }

    /// All elements that are left.
    pub fn rest(self) -> Args {
        self.rest.to_vec()
    }

    /// A list of the next element, or of none.
    fn next(&mut self) -> &'a [Value] {
        let (next, rest) = self.rest.split_at(self.rest.len().min(1));
        self.rest = rest;
        next
    }
}
