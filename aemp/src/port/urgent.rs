//! Urgent messages: the two classes of a port's queue, for port types with `#[rcv(urgent)]`.
//!
//! The class of a message is a property of its handler, so the receiver decides it: by the variant of a typed message,
//! and by the tag of one that came from another node, whatever program runs there. The class changes the place in the
//! queue and nothing else. Within a class, messages are in the order of their arrival, so the order of a pair holds.
//!
//! - *No starvation.* While both classes wait, at most [`IN_A_ROW`] urgent messages are taken between two others.
//! - *An end is an end.* A kill or a stop is queued in order with both classes: everything that came before it is
//!   handled before, and an urgent message behind it counts as ordinary, so that it is dropped with the rest of the
//!   queue. Erlang's priority messages (EEP 76) keep the order of signals in the same way: only the place among messages
//!   that have arrived changes.
//! - *Deaths do not overtake.* The events of other ports (monitors, answers to `Cx::then`, timers) are jobs, and
//!   jobs are ordinary. EEP 76 warns of a `DOWN` that overtakes an answer; no message of a class here passes another of
//!   its sender, and answers of calls are not in the queue at all.
//!
//! The queue of such a port type becomes [`Lanes`] when the first urgent message comes, and a plain queue again when
//! the port is idle. A worker takes one message at a time from the cell, instead of all that are queued, so an urgent
//! message waits for one handler. This costs a lock for each message. All of it is behind `P::URGENT`: other port types
//! take their queue at once, and their queue, cell and extras are as large as without this module.
//!
//! Alternatives: a class that the sender chooses would need a mark on the wire that Perl senders do not make, and let
//! every sender pass all others. A queue that is sorted by numbers has no bound for those at its end. Dangers: code
//! that relies on the order of messages with different tags of one sender must not mark one of the tags. Left out: more
//! than two classes; urgent messages of untyped ports and processes, which receive selectively instead; urgent messages
//! that interrupt an async handler, because its state is borrowed.

use std::collections::VecDeque;

/// The greatest number of urgent messages between two others that wait.
pub(crate) const IN_A_ROW: usize = 16;

/// The class of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Urgent,
    Ordinary,
}

/// The two lanes of a queue, each in the order of arrival.
pub(crate) struct Lanes<E> {
    urgent: VecDeque<E>,
    ordinary: VecDeque<E>,
    /// The number of urgent messages that were taken since an ordinary one, while ordinary ones waited.
    in_a_row: usize,
    /// The class of the envelope that was taken last.
    taken: Class,
    /// The number of envelopes that were taken.
    handled: u64,
}

impl<E> Lanes<E> {
    pub(super) fn new(ordinary: VecDeque<E>) -> Self {
        Self {
            urgent: VecDeque::new(),
            ordinary,
            in_a_row: 0,
            taken: Class::Ordinary,
            handled: 0,
        }
    }

    fn lane(&mut self, class: Class) -> &mut VecDeque<E> {
        match class {
            Class::Urgent => &mut self.urgent,
            Class::Ordinary => &mut self.ordinary,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.urgent.len() + self.ordinary.len()
    }

    pub(super) fn handled(&self) -> u64 {
        self.handled
    }

    pub(super) fn push(&mut self, class: Class, envelope: E) {
        self.lane(class).push_back(envelope);
    }

    /// The class of the next envelope. An end waits for all urgent messages, because those behind it are not urgent.
    fn next(&self, is_end: impl FnOnce(&E) -> bool) -> Class {
        match self.ordinary.front() {
            _ if self.urgent.is_empty() => Class::Ordinary,
            Some(first) if self.in_a_row >= IN_A_ROW && !is_end(first) => Class::Ordinary,
            _ => Class::Urgent,
        }
    }

    /// Takes the next envelope.
    pub(super) fn take(&mut self, is_end: impl FnOnce(&E) -> bool) -> Option<E> {
        let class = self.next(is_end);
        self.taken = class;
        self.handled += 1;
        self.in_a_row = match class {
            Class::Urgent if !self.ordinary.is_empty() => self.in_a_row + 1,
            _ => 0,
        };
        self.lane(class).pop_front()
    }

    /// Puts envelopes that were taken and not handled back to the front of their class.
    pub(super) fn put_back(&mut self, rest: VecDeque<E>) {
        let lane = self.lane(self.taken);
        rest.into_iter()
            .rev()
            .for_each(|envelope| lane.push_front(envelope));
    }

    /// Takes any envelope, to drop it.
    pub(super) fn pop(&mut self) -> Option<E> {
        self.urgent
            .pop_front()
            .or_else(|| self.ordinary.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::queue::{Pushed, Queue};

    const END: u32 = 0;

    /// Takes everything, as a worker does.
    fn drain(queue: &mut Queue<u32>) -> Vec<u32> {
        let mut order = Vec::new();
        while let Queue::One(next) = queue.take_next(|envelope| *envelope == END) {
            order.push(next);
        }
        order
    }

    fn queue(messages: impl IntoIterator<Item = (Class, u32)>) -> Queue<u32> {
        let mut queue = Queue::Idle;
        for (class, number) in messages {
            queue.push_as(class, number);
        }
        queue
    }

    use Class::{Ordinary, Urgent};

    #[test]
    fn each_class_keeps_its_order() {
        let mut queue = queue([
            (Ordinary, 1),
            (Ordinary, 2),
            (Urgent, 3),
            (Ordinary, 4),
            (Urgent, 5),
        ]);
        assert_eq!(queue.len(), 5);
        assert_eq!(drain(&mut queue), [3, 5, 1, 2, 4]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn ordinary_messages_are_not_starved() {
        let urgent = (100..200).map(|n| (Urgent, n));
        let mut queue = queue([(Ordinary, 1), (Ordinary, 2)].into_iter().chain(urgent));
        let order = drain(&mut queue);
        let place = |n| order.iter().position(|taken| *taken == n);
        assert_eq!(
            (place(1), place(2)),
            (Some(IN_A_ROW), Some(2 * IN_A_ROW + 1))
        );
    }

    /// Urgent messages that come one at a time have the same bound as those that wait together.
    #[test]
    fn urgent_messages_that_come_one_at_a_time_do_not_starve_others() {
        let mut queue = queue([(Ordinary, 1), (Urgent, 100)]);
        let mut before = 0;
        while let Queue::One(next) = queue.take_next(|_| false) {
            if next == 1 {
                break;
            }
            before += 1;
            queue.push_as(Urgent, 100);
        }
        assert_eq!(before, IN_A_ROW);
    }

    #[test]
    fn an_end_waits_for_all_urgent_messages() {
        let urgent = (100..200).map(|n| (Urgent, n));
        let mut queue = queue([(Ordinary, END)].into_iter().chain(urgent));
        assert_eq!(drain(&mut queue).last(), Some(&END));
    }

    #[test]
    fn a_message_is_put_back_to_its_class() {
        let mut queue = queue([(Ordinary, 1), (Ordinary, 2), (Urgent, 3), (Urgent, 4)]);
        let taken = queue.take_next(|_| false);
        queue.put_back(taken);
        assert_eq!(drain(&mut queue), [3, 4, 1, 2]);
        let mut queue = Queue::Idle;
        queue.push_as(Ordinary, 1);
        let taken = queue.take_next(|_| false);
        queue.push_as(Urgent, 2);
        queue.put_back(taken);
        assert_eq!(drain(&mut queue), [2, 1]);
    }

    #[test]
    fn an_idle_port_is_woken_once() {
        for (first, second) in [(Urgent, Ordinary), (Ordinary, Urgent), (Urgent, Urgent)] {
            let mut queue = Queue::Idle;
            assert_eq!(queue.push_as(first, 1), Pushed::Wake);
            assert_eq!(queue.push_as(second, 2), Pushed::Queued);
            assert_eq!(queue.len(), 2);
        }
    }

    #[test]
    fn a_backlog_counts_both_classes() {
        let mut queue = Queue::Idle;
        let pushed = (0..2048).map(|n| {
            let class = if n % 2 == 0 { Urgent } else { Ordinary };
            queue.push_as(class, n)
        });
        let backlogs = pushed.filter(|pushed| *pushed == Pushed::Backlog);
        assert_eq!(backlogs.count(), 2);
    }
}
