//! The queue of a port. It has the size of one envelope and does not allocate for one message at a time.
//!
//! `Queue` is an enum: `Idle` (empty, no worker), `Empty` (a worker runs the port), `One(envelope)`,
//! `Many(Box<..>)`, and the states of stopped, dying and dead ports. The way from idle to busy and back allocates
//! nothing. Only port types with urgent messages have `Lanes` (`urgent`), and only such a queue gets and takes messages by
//! `push_as` and `take_next`.

use std::{collections::VecDeque, mem};

use super::urgent::{Class, Lanes};
use crate::Reason;

/// Boxed, so that a queue is no larger than an envelope.
pub(crate) type Envelopes<E> = Box<Many<E>>;

/// More than one message, or a spare place for them.
pub(crate) struct Many<E> {
    envelopes: VecDeque<E>,
    /// The messages that the port's worker took when it began its turn, if they were many. The worker returns the rest
    /// of them at the end of its turn. Until then a look at the queue alone would show a short one.
    in_hand: usize,
    /// The messages that were handled since the queue became long.
    handled: u64,
}

/// The messages that a port has not handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Behind {
    pub(crate) waiting: usize,
    /// A count of handled messages that grows while the queue is long. It may begin again.
    pub(crate) handled: u64,
}

impl<E> From<VecDeque<E>> for Many<E> {
    fn from(envelopes: VecDeque<E>) -> Self {
        Self {
            envelopes,
            in_hand: 0,
            handled: 0,
        }
    }
}

/// The messages of a port, and a flag for a worker that is at work on it.
///
/// The states are variants instead of flags beside the queue. Variants use invalid bit patterns of the envelope, so
/// an idle port needs no memory for them.
pub(crate) enum Queue<E> {
    /// No messages, and no worker. After a push the port must be scheduled.
    Idle,
    /// No messages, but the port is scheduled or running.
    Empty,
    One(E),
    Many(Envelopes<E>),
    /// The port has been stopped, and waits for the handlers that run beside it. Nothing is accepted any more. A kill
    /// ends the wait.
    Stopped,
    /// The port has ended. Nothing is accepted any more, but some monitors have not fired yet.
    Dying(Reason),
    /// The port is dead. Holders of the port can still read the reason.
    Dead(Reason),
    /// Messages of two classes, or none. The port is scheduled or running.
    Lanes(Box<Lanes<E>>),
}

/// The queue length at which a second thread should help. It is not smaller, because two threads at one queue wait
/// for its lock in turn. It is a power of two, because every push tests it.
const BACKLOG: usize = 1024;

/// The result of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The port was idle: the caller must schedule it.
    Wake,
    /// The port is at work already.
    Queued,
    /// As `Queued`, but the queue is long. Returned once in 1024 messages.
    Backlog,
    /// The port is dead; the message has vanished.
    Dead,
}

impl<E> Queue<E> {
    /// Appends an envelope. Must not be called for a closed port: that would open it again, or drop the message under
    /// the port's lock.
    #[inline]
    pub(crate) fn push(&mut self, envelope: E) -> Pushed {
        match self {
            Self::Many(many) => {
                many.envelopes.push_back(envelope);
                if (many.envelopes.len() + many.in_hand).is_multiple_of(BACKLOG) {
                    return Pushed::Backlog;
                }
            }
            Self::Idle => {
                *self = Self::One(envelope);
                return Pushed::Wake;
            }
            Self::One(_) | Self::Lanes(_) => self.second(envelope),
            Self::Empty | Self::Stopped | Self::Dying(_) | Self::Dead(_) => {
                *self = Self::One(envelope);
            }
        }
        Pushed::Queued
    }

    #[cold]
    fn second(&mut self, envelope: E) {
        if let Self::Lanes(lanes) = self {
            return lanes.push(Class::Ordinary, envelope);
        }
        let mut queue = VecDeque::with_capacity(4);
        if let Self::One(first) = mem::replace(self, Self::Empty) {
            queue.push_back(first);
        }
        queue.push_back(envelope);
        *self = Self::Many(Box::new(queue.into()));
    }

    /// Takes all queued envelopes. The queue becomes `Empty` (at work), or keeps the capacity of `spare`.
    pub(crate) fn take(&mut self, spare: Option<Envelopes<E>>) -> Self {
        if self.is_closed() {
            return Self::Empty;
        }
        let in_hand = self.len();
        let left = if in_hand >= BACKLOG {
            let mut left = spare.unwrap_or_else(|| Box::new(VecDeque::new().into()));
            left.in_hand = in_hand;
            left.handled = match self {
                Self::Many(many) => many.handled + many.in_hand as u64,
                _ => 0,
            };
            Some(left)
        } else {
            spare
        };
        let mut taken = mem::replace(self, left.map_or(Self::Empty, Self::Many));
        if let Self::Many(taken) = &mut taken {
            // It is the next spare place.
            taken.in_hand = 0;
        }
        taken
    }

    /// As [`push`](Self::push), with a class.
    pub(crate) fn push_as(&mut self, class: Class, envelope: E) -> Pushed {
        if class == Class::Ordinary && !matches!(self, Self::Lanes(_)) {
            return self.push(envelope);
        }
        let is_long = (self.len() + 1).is_multiple_of(BACKLOG);
        let pushed = match self {
            Self::Idle => Pushed::Wake,
            _ if is_long => Pushed::Backlog,
            _ => Pushed::Queued,
        };
        let mut lanes = match mem::replace(self, Self::Empty) {
            Self::Lanes(lanes) => lanes,
            Self::One(first) => Box::new(Lanes::new(VecDeque::from([first]))),
            Self::Many(queue) => Box::new(Lanes::new(queue.envelopes)),
            _ => Box::new(Lanes::new(VecDeque::new())),
        };
        lanes.push(class, envelope);
        *self = Self::Lanes(lanes);
        pushed
    }

    /// Takes the next envelope only. The queue stays marked as at work.
    pub(crate) fn take_next(&mut self, is_end: impl FnOnce(&E) -> bool) -> Self {
        let next = match self {
            Self::Lanes(lanes) => lanes.take(is_end),
            Self::Idle => {
                *self = Self::Empty;
                None
            }
            queue => queue.pop(),
        };
        next.map_or(Self::Empty, Self::One)
    }

    /// Takes any envelope, to drop it.
    pub(crate) fn pop_any(&mut self) -> Option<E> {
        match self {
            Self::Lanes(lanes) => lanes.pop(),
            queue => queue.pop(),
        }
    }

    /// Takes the first envelope, of a queue without lanes.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<E> {
        match self {
            Self::Many(many) => many.envelopes.pop_front(),
            Self::One(_) => match mem::replace(self, Self::Empty) {
                Self::One(envelope) => Some(envelope),
                _ => None,
            },
            Self::Idle
            | Self::Empty
            | Self::Stopped
            | Self::Dying(_)
            | Self::Dead(_)
            | Self::Lanes(_) => None,
        }
    }

    /// The first envelope, of a queue without lanes.
    pub(crate) fn first(&self) -> Option<&E> {
        match self {
            Self::Many(many) => many.envelopes.front(),
            Self::One(envelope) => Some(envelope),
            Self::Idle
            | Self::Empty
            | Self::Stopped
            | Self::Dying(_)
            | Self::Dead(_)
            | Self::Lanes(_) => None,
        }
    }

    /// Puts envelopes that were taken and not handled back to the front.
    pub(crate) fn put_back(&mut self, rest: Self) {
        let mut rest = match rest {
            Self::Many(rest) if !rest.envelopes.is_empty() => rest,
            Self::One(envelope) => Box::new(VecDeque::from([envelope]).into()),
            _ => return,
        };
        match mem::replace(self, Self::Empty) {
            Self::Idle | Self::Empty => {}
            Self::One(envelope) => rest.envelopes.push_back(envelope),
            Self::Many(mut queue) => {
                let handled = queue.in_hand.saturating_sub(rest.envelopes.len());
                rest.handled = queue.handled + handled as u64;
                rest.envelopes.append(&mut queue.envelopes);
            }
            Self::Lanes(mut lanes) => {
                lanes.put_back(rest.envelopes);
                *self = Self::Lanes(lanes);
                return;
            }
            dead @ (Self::Stopped | Self::Dying(_) | Self::Dead(_)) => {
                *self = dead;
                return;
            }
        }
        *self = Self::Many(rest);
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Idle | Self::Empty | Self::Stopped | Self::Dying(_) | Self::Dead(_) => 0,
            Self::One(_) => 1,
            Self::Many(many) => many.envelopes.len(),
            Self::Lanes(lanes) => lanes.len(),
        }
    }

    /// The number of messages that the port has not handled: those in the queue, and, if they were many, those that its
    /// worker took when it began its turn.
    pub(crate) fn behind(&self) -> Behind {
        match self {
            Self::Many(many) => Behind {
                waiting: many.envelopes.len() + many.in_hand,
                handled: many.handled,
            },
            Self::Lanes(lanes) => Behind {
                waiting: lanes.len(),
                handled: lanes.handled(),
            },
            _ => Behind {
                waiting: self.len(),
                handled: 0,
            },
        }
    }

    /// Takes the first envelope out of the port's queue, for an async handler that comes next.
    pub(crate) fn pop_next(&mut self) -> Option<E> {
        if let Self::Many(many) = self {
            many.handled += 1;
        }
        self.pop()
    }

    /// True if the port accepts no messages: it is dying or dead, or has been stopped and waits.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self, Self::Stopped | Self::Dying(_) | Self::Dead(_))
    }

    /// True if the port is dying or dead.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self, Self::Dying(_) | Self::Dead(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_as_small_as_an_envelope() {
        // As `#[port]` makes them: some arguments, some replies.
        enum Message {
            #[expect(dead_code, reason = "only its size matters")]
            Inc(i64),
            #[expect(dead_code, reason = "only its size matters")]
            Get(crate::Reply<i64>),
        }
        type Queued = Queue<crate::port::cell::Envelope<Message>>;
        assert_eq!(size_of::<Message>(), 16);
        assert_eq!(size_of::<Queued>(), 16);
    }

    /// Otherwise a port with a million messages looks idle while its worker has them.
    #[test]
    fn many_messages_in_hand_count_until_the_end_of_the_turn() {
        let mut queue = Queue::Idle;
        for number in 0..1500 {
            queue.push(number);
        }
        let behind = |queue: &Queue<i32>| (queue.behind().waiting, queue.behind().handled);
        let mut taken = queue.take(None);
        assert_eq!((queue.len(), behind(&queue)), (0, (1500, 0)));
        for number in 1..548 {
            assert_eq!(queue.push(number), Pushed::Queued);
        }
        assert_eq!(queue.push(0), Pushed::Backlog);
        for number in 0..1000 {
            assert_eq!(taken.pop(), Some(number));
        }
        queue.put_back(taken);
        assert_eq!((queue.len(), behind(&queue)), (1048, (1048, 1000)));
        let mut taken = queue.take(None);
        assert_eq!(
            (behind(&queue), taken.behind().waiting),
            ((1048, 1000), 1048)
        );
        // All of them are handled, and more have come.
        for number in 0..2000 {
            queue.push(number);
        }
        while taken.pop().is_some() {}
        let Queue::Many(spare) = taken else {
            panic!("many")
        };
        let mut taken = queue.take(Some(spare));
        assert_eq!(behind(&queue), (2000, 2048));
        // The next batch is short.
        while taken.pop().is_some() {}
        let Queue::Many(spare) = taken else {
            panic!("many")
        };
        assert_eq!(queue.take(Some(spare)).behind().waiting, 0);
    }

    #[test]
    fn keeps_order_over_put_back() {
        let mut queue = Queue::Idle;
        assert_eq!(queue.push(1), Pushed::Wake);
        assert_eq!(queue.push(2), Pushed::Queued);
        let mut taken = queue.take(None);
        assert_eq!(taken.pop(), Some(1));
        queue.push(3);
        queue.put_back(taken);
        let Queue::Many(taken) = queue else {
            panic!("two entries are many")
        };
        assert_eq!(taken.envelopes, [2, 3]);
    }
}
