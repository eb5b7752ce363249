//! The room for reads that the connections of a thread share.

use std::cell::RefCell;

use aemp_proto::link::{Link, Spare};

thread_local! {
    static SPARE: RefCell<Spare> = RefCell::default();
}

/// Lends the link room for one read.
pub(super) fn borrow(link: &mut Link) {
    SPARE.with_borrow_mut(|spare| link.borrow_room(spare));
}

/// Takes the room back that the link does not need until the next read.
pub(super) fn give_back(link: &mut Link) {
    SPARE.with_borrow_mut(|spare| link.give_back(spare));
}
