//! Credit and windows, without I/O: the number of items that one half of a stream may send to the other.
//!
//! Each half has a part of one account. The consumer's [`Window`] is the number of items that may be on their way or
//! wait for the consumer. It grants this number, and later the items that the consumer has taken, in amounts of at
//! least half a window. The sender's [`Credit`] is the granted number, less the spent one. The port of a consumer has a
//! `Credit` as well, by which it recognizes a sender that sends too much.

/// The number of items that may still be sent, or may still arrive.
#[derive(Debug, Default)]
pub(super) struct Credit(u64);

impl Credit {
    pub(super) fn left(&self) -> u64 {
        self.0
    }

    /// Adds a grant. The number may be any, because a peer has named it.
    pub(super) fn add(&mut self, items: u64) {
        self.0 = self.0.saturating_add(items);
    }

    /// Spends credit. If there is too little, nothing is spent and the result is false.
    #[must_use]
    pub(super) fn spend(&mut self, items: u64) -> bool {
        match self.0.checked_sub(items) {
            Some(left) => self.0 = left,
            None => return false,
        }
        true
    }
}

/// The consumer's account: the size of the window, and the part of it that is not granted.
#[derive(Debug)]
pub(super) struct Window {
    size: i64,
    /// Negative after the window was made smaller: so many items will not be granted again.
    due: i64,
}

impl Window {
    /// A window of which nothing has been granted.
    pub(super) fn new(size: usize) -> Self {
        let size = clamped(size);
        Self { size, due: size }
    }

    /// Changes the size.
    pub(super) fn resize(&mut self, size: usize) {
        let size = clamped(size);
        self.due += size - self.size;
        self.size = size;
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
        let mut window = Window::new(4);
        assert_eq!((window.grant(), window.grant()), (Some(4), None));
        window.took_one();
        assert_eq!(window.grant(), None);
        window.took_one();
        assert_eq!((window.grant(), window.grant()), (Some(2), None));
    }

    #[test]
    fn a_window_of_zero_is_one_and_a_huge_one_has_a_limit() {
        let mut none = Window::new(0);
        assert_eq!(none.grant(), Some(1));
        none.took_one();
        assert_eq!(none.grant(), Some(1));
        let most = super::super::MOST_WINDOW as u64;
        assert_eq!(Window::new(usize::MAX).grant(), Some(most));
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
            steps in prop::collection::vec((0..3_u8, 0_usize..20), 0..200),
        ) {
            let (mut window, mut credit, mut waiting) = (Window::new(first), Credit::default(), 0);
            let mut largest = first.max(1) as u64;
            credit.add(window.grant().unwrap());
            for (step, size) in steps {
                match step {
                    0 if credit.spend(1) => waiting += 1,
                    1 if waiting > 0 => {
                        waiting -= 1;
                        window.took_one();
                    }
                    2 => {
                        window.resize(size);
                        largest = largest.max(size.max(1) as u64);
                    }
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
