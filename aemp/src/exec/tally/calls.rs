//! The measurement of calls.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use super::{
    CallEnd, SAMPLE,
    counts::{CallsCounts, here},
    switch::is_any_on,
    types::{self, of_messages},
};
use crate::{Node, message::Message, port::any::AnyPort};

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// The handler that a call is for.
#[derive(Clone, Copy)]
pub(crate) struct Called {
    far: bool,
    /// The number of the port's type.
    number: u32,
    handler: u32,
    /// True if the handler probably answers at once.
    is_quick: bool,
}

impl Called {
    /// A handler of a port of this node.
    #[inline]
    pub(crate) fn here(port: &(impl AnyPort + ?Sized), handler: u32) -> Self {
        let record = port.record();
        Self {
            far: false,
            number: port.tally_number(),
            handler,
            is_quick: record.is_quick(handler) && !record.waits(handler),
        }
    }

    /// A handler that is known by the type of its messages only.
    pub(crate) fn of<M: Message>(far: bool, handler: u32) -> Self {
        Self {
            far,
            number: of_messages::<M>(),
            handler,
            is_quick: false,
        }
    }
}

/// The measurement of one call.
#[derive(Default)]
pub(crate) struct CallMeter(Option<Measured>);

struct Measured {
    of: Called,
    began: Option<Instant>,
    /// True if the time stands for [`SAMPLE`] calls.
    sampled: bool,
}

impl CallMeter {
    /// The call is sent.
    #[inline]
    pub(crate) fn begin<'a>(
        &mut self,
        node: impl FnOnce() -> &'a Node,
        called: impl FnOnce() -> Called,
    ) {
        if is_any_on() && node().scheduler().is_counting() {
            self.0 = Some(Measured::begin(called()));
        }
    }

    /// The port is at work, so that the call takes time.
    #[inline]
    pub(crate) fn waits(&mut self) {
        if let Some(measured) = &mut self.0
            && measured.began.is_none()
        {
            measured.began = Some(Instant::now());
        }
    }

    /// The call has ended. Does nothing if that is known already.
    #[inline]
    pub(crate) fn end<'a>(&mut self, node: impl FnOnce() -> &'a Node, end: CallEnd) {
        if let Some(measured) = self.0.take() {
            measured.end(node(), end);
        }
    }
}

impl Measured {
    #[inline(never)]
    fn begin(of: Called) -> Self {
        if !of.is_quick {
            return Self {
                of,
                began: Some(Instant::now()),
                sampled: false,
            };
        }
        let calls = CALLS.get().wrapping_add(1);
        CALLS.set(calls);
        let sampled = calls.is_multiple_of(SAMPLE);
        Self {
            of,
            began: sampled.then(Instant::now),
            sampled,
        }
    }

    #[inline(never)]
    fn end(self, node: &Node, end: CallEnd) {
        let Called {
            far,
            number,
            handler,
            ..
        } = self.of;
        let place = usize::from(far);
        let weight = if self.sampled { SAMPLE } else { 1 };
        let time = self.began.map(|began| (weight, began.elapsed()));
        here(
            node,
            |tallies| {
                let of_type = tallies.numbered(number);
                let calls = of_type.handler(handler).calls.get_or_init(Box::default);
                calls[place].add(end, time);
                #[cfg(feature = "metrics")]
                tallies.ended(place, end, time);
            },
            |sum| {
                let own = types::handlers(number);
                let of_type = sum.of(number, own);
                let of = &mut of_type.handlers[(handler as usize).min(own)].calls[place];
                of.ended[end as usize] += 1;
                let nanos = time.map(|(weight, took)| (weight, super::counts::nanos(took)));
                if let Some((weight, nanos)) = nanos {
                    of.times.count(weight, nanos);
                }
                #[cfg(feature = "metrics")]
                {
                    let of = &mut sum.calls[place][end as usize];
                    of.ended += 1;
                    if let Some((weight, nanos)) = nanos {
                        of.times.count(weight, nanos);
                    }
                }
            },
        );
    }
}

impl CallsCounts {
    fn add(&self, end: CallEnd, time: Option<(u64, Duration)>) {
        self.ended[end as usize].add(1);
        if let Some((weight, took)) = time {
            self.times.add(weight, took);
        }
    }
}
