//! One key: the values of its owners, in the order in which they wrote.

use aemp_codec::Value;

/// The values of one key.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) shown: Holding,
    /// The values that are not visible. The next visible one is the last.
    #[expect(
        clippy::box_collection,
        reason = "hardly any entry has others, and a vector would cost every one of them 16 bytes more"
    )]
    others: Option<Box<Vec<Holding>>>,
}

/// The value of one owner.
#[derive(Debug)]
pub(super) struct Holding {
    owner: u32,
    pub(super) value: Value,
}

impl Holding {
    pub(super) fn owner(&self) -> u32 {
        self.owner
    }
}

/// The owner's value before it sets the key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    New,
    Same,
    Other,
}

/// The state of a key after an owner's value was removed.
pub(super) enum Left {
    /// The visible value is the same.
    Shown,
    /// The value of another owner is visible now. True if it differs.
    Another(bool),
    Nothing,
}

impl Entry {
    pub(super) fn new(owner: u32, value: Value) -> Self {
        let (shown, others) = (Holding { owner, value }, None);
        Self { shown, others }
    }

    /// Sets an owner's value, which becomes visible. Returns true if the visible value has changed, and the owner's old
    /// state.
    pub(super) fn set(&mut self, owner: u32, value: Value) -> (bool, Known) {
        let changed = self.shown.value != value;
        if self.shown.owner == owner {
            self.shown.value = value;
            let known = if changed { Known::Other } else { Known::Same };
            return (changed, known);
        }
        let others = self.others.get_or_insert_default();
        let old = others.iter().position(|holding| holding.owner == owner);
        let known = match old.map(|at| others.remove(at)) {
            None => Known::New,
            Some(old) if old.value == value => Known::Same,
            Some(_) => Known::Other,
        };
        let shown = std::mem::replace(&mut self.shown, Holding { owner, value });
        others.push(shown);
        (changed, known)
    }

    pub(super) fn remove(&mut self, owner: u32) -> Left {
        if self.shown.owner != owner {
            if let Some(others) = &mut self.others {
                others.retain(|holding| holding.owner != owner);
                if others.is_empty() {
                    self.others = None;
                }
            }
            return Left::Shown;
        }
        let Some(others) = &mut self.others else {
            return Left::Nothing;
        };
        let Some(next) = others.pop() else {
            return Left::Nothing;
        };
        if others.is_empty() {
            self.others = None;
        }
        let changed = self.shown.value != next.value;
        self.shown = next;
        Left::Another(changed)
    }

    /// The last value of an owner for which `counts` returns true.
    pub(super) fn last(&self, counts: impl Fn(u32) -> bool) -> Option<&Value> {
        self.holdings()
            .find(|holding| counts(holding.owner))
            .map(|holding| &holding.value)
    }

    /// All values, the last written first.
    pub(super) fn holdings(&self) -> impl Iterator<Item = &Holding> {
        let others = self.others.iter().flat_map(|others| others.iter().rev());
        std::iter::once(&self.shown).chain(others)
    }
}
