//! Credit and windows, without I/O: the number of items that one half of a stream may send to the other.
//!
//! Each half has a part of one account. The consumer's [`Window`] is the number of items that may be on their way or
//! wait for the consumer. It grants this number, and later the items that the consumer has taken, in amounts of at
//! least half a window. The sender's [`Credit`] is the granted number, less the spent one. The port of a consumer has a
//! `Credit` as well, by which it recognizes a sender that sends too much.
//!
//! A window that was not set grows, because between nodes a window of items is all that travels in a round trip. It
//! grows only while it is the limit: the consumer waits, and the items that came last were the last ones that the sender
//! could send by then ([`Credit::is_used_up`]), several times in a row. Those of a slow sender are so by chance, once in
//! half a window. A consumer that is slower than the network never waits, so its window stays as it was.

/// The number of items that may still be sent, or may still arrive.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    left: u64,
    /// The last grant.
    last: u64,
}

impl Credit {
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Adds a grant. The number may be any, because a peer has named it.
    pub(crate) fn add(&mut self, items: u64) {
        self.left = self.left.saturating_add(items);
        self.last = items;
    }

    /// True if all of it has been spent, or all but the last grant, which may still be on its way.
    pub(crate) fn is_used_up(&self) -> bool {
        self.left == 0 || self.left == self.last
    }

    /// Spends credit. If there is too little, nothing is spent and the result is false.
    #[must_use]
    pub(crate) fn spend(&mut self, items: u64) -> bool {
        match self.left.checked_sub(items) {
            Some(left) => self.left = left,
            None => return false,
        }
        true
    }
}

/// The largest window that was not set.
const MOST_GROWN: i64 = 512;
/// The size of the items of a window, in bytes, up to which it grows.
const MOST_BYTES: i64 = 64 << 10;
/// The number of times in a row that the consumer must have waited for credit to reach its sender.
const WAITS: u8 = 4;

/// The consumer's account: the size of the window, and the part of it that is not granted.
#[derive(Debug)]
pub(super) struct Window {
    size: i64,
    /// Negative after the window was made smaller: so many items will not be granted again.
    due: i64,
    /// The size at first, and the number of waits for credit in a row. `None` if the size has been set.
    grows: Option<(i64, u8)>,
}

impl Window {
    /// A window of which nothing has been granted, and that grows.
    pub(super) fn growing(size: usize) -> Self {
        let size = clamped(size);
        Self {
            size,
            due: size,
            grows: Some((size, 0)),
        }
    }

    /// Sets the size, for good.
    pub(super) fn set(&mut self, size: usize) {
        self.grows = None;
        self.resize(clamped(size));
    }

    fn resize(&mut self, size: i64) {
        self.due += size - self.size;
        self.size = size;
    }

    /// The consumer waits, and the last items were so large, in bytes. `for_credit` is true if the sender may be waiting for
    /// credit.
    pub(super) fn waits(&mut self, for_credit: bool, bytes: usize) {
        let Some((_, waits)) = &mut self.grows else {
            return;
        };
        *waits = if for_credit { *waits + 1 } else { 0 };
        if *waits < WAITS {
            return;
        }
        *waits = 0;
        let size = (self.size * 2).min(MOST_GROWN);
        if size.saturating_mul(bytes_of(bytes)) <= MOST_BYTES {
            self.resize(size);
        }
    }

    /// Items of this size in bytes have come. If they are too large for a window that has grown, it becomes as small as it
    /// was.
    pub(super) fn came(&mut self, bytes: usize) {
        if let Some((first, _)) = self.grows
            && self.size > first
            && self.size.saturating_mul(bytes_of(bytes)) > MOST_BYTES
        {
            self.resize(first);
        }
    }

    /// The consumer has taken an item.
    pub(super) fn took_one(&mut self) {
        self.due += 1;
    }

    /// The credit to grant now, if it is enough to be worth a message.
    pub(super) fn grant(&mut self) -> Option<u64> {
        let due = self.due;
        if due < 1 || due * 2 < self.size {
            return None;
        }
        self.due = 0;
        u64::try_from(due).ok()
    }
}

fn bytes_of(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn clamped(size: usize) -> i64 {
    let size = size.clamp(1, super::MOST_WINDOW);
    i64::try_from(size).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_window_grants_itself_and_then_taken_items_in_halves() {
        let mut window = Window::growing(4);
        assert_eq!((window.grant(), window.grant()), (Some(4), None));
        window.took_one();
        assert_eq!(window.grant(), None);
        window.took_one();
        assert_eq!((window.grant(), window.grant()), (Some(2), None));
    }

    #[test]
    fn a_window_of_zero_is_one_and_a_huge_one_has_a_limit() {
        let mut none = Window::growing(0);
        assert_eq!(none.grant(), Some(1));
        none.took_one();
        assert_eq!(none.grant(), Some(1));
        let most = super::super::MOST_WINDOW as u64;
        assert_eq!(Window::growing(usize::MAX).grant(), Some(most));
    }

    fn wait(window: &mut Window, for_credit: impl IntoIterator<Item = bool>) -> i64 {
        for for_credit in for_credit {
            window.waits(for_credit, 16);
        }
        window.size
    }

    #[test]
    fn a_window_grows_when_it_is_the_limit_again_and_again() {
        let mut window = Window::growing(64);
        assert_eq!(window.grant(), Some(64));
        let by_chance = [true, true, true, false];
        assert_eq!(
            wait(&mut window, by_chance.into_iter().cycle().take(400)),
            64
        );
        assert_eq!(window.grant(), None);
        assert_eq!(wait(&mut window, [true; 4]), 128);
        assert_eq!(window.grant(), Some(64));
        assert_eq!(wait(&mut window, [true; 400]), MOST_GROWN);
    }

    #[test]
    fn a_window_that_was_set_does_not_grow() {
        let mut window = Window::growing(64);
        window.set(65);
        assert_eq!(wait(&mut window, [true; 400]), 65);
    }

    #[test]
    fn a_window_of_large_items_does_not_stay_large() {
        let mut window = Window::growing(64);
        (0..400).for_each(|_| window.waits(true, 1 << 10));
        assert_eq!(window.size, 64, "the next size would be 128 KiB");
        assert_eq!(wait(&mut window, [true; 400]), MOST_GROWN);
        assert_eq!(window.grant(), Some(512));
        window.came(100);
        assert_eq!(window.size, MOST_GROWN);
        window.came(1 << 10);
        assert_eq!((window.size, window.due), (64, 64 - 512));
    }

    #[test]
    fn credit_is_used_up_when_all_but_the_last_grant_is_spent() {
        let mut credit = Credit::default();
        credit.add(64);
        assert!(credit.spend(32) && !credit.is_used_up());
        credit.add(32);
        assert!(credit.spend(32) && credit.is_used_up());
        assert!(credit.spend(1) && !credit.is_used_up());
        assert!(credit.spend(31) && credit.is_used_up());
    }

    #[test]
    fn credit_is_spent_whole_or_not_at_all() {
        let mut credit = Credit::default();
        credit.add(3);
        assert!(!credit.spend(4) && credit.left() == 3);
        assert!(credit.spend(3) && !credit.spend(1));
        credit.add(u64::MAX);
        credit.add(u64::MAX);
        assert_eq!(credit.left(), u64::MAX, "peers may name any number");
    }

    proptest! {
        /// In every order of events, there are never more items on their way than the largest window allowed, and a
        /// sender without credit gets some when the consumer has taken everything.
        #[test]
        fn items_on_their_way_fit_into_the_window(
            first in 1_usize..20,
            steps in prop::collection::vec((0..4_u8, 0_usize..20), 0..200),
        ) {
            let (mut window, mut credit, mut waiting) = (Window::growing(first), Credit::default(), 0);
            let mut largest = first.max(1) as u64;
            credit.add(window.grant().unwrap());
            for (step, size) in steps {
                match step {
                    0 if credit.spend(1) => waiting += 1,
                    1 if waiting > 0 => {
                        waiting -= 1;
                        window.took_one();
                    }
                    2 if size > 15 => {
                        window.set(size);
                        largest = largest.max(size as u64);
                    }
                    3 if waiting == 0 => {
                        window.waits(credit.is_used_up(), size * 100);
                        largest = largest.max(window.size as u64);
                    }
                    3 => window.came(size * 1000),
                    _ => {}
                }
                credit.add(window.grant().unwrap_or(0));
                prop_assert!(credit.left() + waiting <= largest);
                prop_assert!(credit.left() + waiting > 0 || window.due < 1 || window.due * 2 < window.size);
            }
            for _ in 0..waiting {
                window.took_one();
                credit.add(window.grant().unwrap_or(0));
            }
            prop_assert!(credit.left() > 0, "{window:?}");
        }
    }
}
