//! The room for reads.
//!
//! The connections of a thread share it, and need none of their own while they wait. A turn of a connection is shorter
//! than a large read, so a busy connection holds bytes for its next turns. That pays for a few connections. Hundreds of
//! them would hold hundreds of times 256 KiB, so they read less at a time while all of them together hold a lot.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicUsize, Ordering},
};

use aemp_proto::link::{Link, Spare};

/// The bytes that the connections of a node may hold before they read less, together.
const MOST_UNREAD: usize = 4 << 20;

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

/// The part of one connection in the bytes that all of them hold.
#[derive(Default)]
pub(super) struct Share(usize);

impl Share {
    /// Takes note of the bytes that the link holds now. It reads less if all links together hold too many.
    pub(super) fn note(&mut self, all: &AtomicUsize, link: &mut Link) {
        self.set(all, link.unread());
        if self.0 > 0 && all.load(Ordering::Relaxed) > MOST_UNREAD {
            link.narrow();
        }
    }

    /// The connection ends.
    pub(super) fn end(&mut self, all: &AtomicUsize) {
        self.set(all, 0);
    }

    fn set(&mut self, all: &AtomicUsize, held: usize) {
        match held.cmp(&self.0) {
            std::cmp::Ordering::Less => drop(all.fetch_sub(self.0 - held, Ordering::Relaxed)),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => drop(all.fetch_add(held - self.0, Ordering::Relaxed)),
        }
        self.0 = held;
    }
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use std::{sync::atomic::AtomicUsize, time::Duration};

    use aemp_codec::{Format, Limits};
    use aemp_proto::{Time, link::Link};

    use super::*;

    fn link() -> Link {
        let timeout = Duration::from_secs(30);
        let limits = Limits::default();
        Link::new(Time::ZERO, &Format::Json, limits, timeout, None, Vec::new())
    }

    /// Fills the room of a read with packets that are not taken.
    fn fill(link: &mut Link) -> usize {
        borrow(link);
        let space = link.space();
        let room = space.capacity() - space.len();
        space.extend_from_slice(&b"[]".repeat(room / 2));
        link.heard(Time::ZERO);
        give_back(link);
        room
    }

    #[test]
    fn many_links_that_hold_bytes_read_less() {
        let all = AtomicUsize::new(0);
        let mut links: Vec<_> = (0..200).map(|_| (link(), Share::default())).collect();
        for (link, share) in &mut links {
            for _ in 0..2 {
                fill(link);
                share.note(&all, link);
            }
        }
        let held = all.load(Ordering::Relaxed);
        assert!(held > MOST_UNREAD);
        // The last ones have begun when there was too much already.
        let mut rooms = [0, 199].map(|index| {
            let link = &mut links[index].0;
            while let Ok(Some(_)) = link.next_packet() {}
            give_back(link);
            fill(link)
        });
        rooms.sort_unstable();
        assert!(rooms[0] < 24_000 && rooms[1] > 40_000, "{rooms:?}");
        links.iter_mut().for_each(|(_, share)| share.end(&all));
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_link_alone_reads_much() {
        let (all, mut link, mut share) = (AtomicUsize::new(0), link(), Share::default());
        let mut room = 0;
        for _ in 0..10 {
            room = fill(&mut link);
            share.note(&all, &mut link);
            while let Ok(Some(_)) = link.next_packet() {}
            give_back(&mut link);
            share.note(&all, &mut link);
        }
        assert!(room > 200_000, "{room}");
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
