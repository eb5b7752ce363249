//! Items that wait.

use std::{
    collections::VecDeque,
    ops::{Deref, DerefMut},
};

use crate::guard;

/// A queue of items. Each is dropped as foreign code of its own, because two that panic in one drop would end the process.
pub(super) struct Items<T>(VecDeque<T>);

impl<T> Items<T> {
    /// Drops the oldest item.
    pub(super) fn discard_first(&mut self) {
        guard::discard(self.0.pop_front());
    }
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Deref for Items<T> {
    type Target = VecDeque<T>;

    fn deref(&self) -> &VecDeque<T> {
        &self.0
    }
}

impl<T> DerefMut for Items<T> {
    fn deref_mut(&mut self) -> &mut VecDeque<T> {
        &mut self.0
    }
}

impl<T> Drop for Items<T> {
    fn drop(&mut self) {
        while !self.0.is_empty() {
            self.discard_first();
        }
    }
}
