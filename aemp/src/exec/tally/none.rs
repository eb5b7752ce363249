//! The counts without the feature `metrics`: nothing.

use std::{
    marker::PhantomData,
    time::{Duration, Instant},
};

use super::CallEnd;
use crate::{Node, Reason, message::Port};

#[derive(Default)]
pub(crate) struct Tallies {}

impl Tallies {
    #[inline]
    #[expect(
        clippy::extra_unused_type_parameters,
        clippy::unused_self,
        reason = "nothing is counted"
    )]
    pub(crate) fn of<P: Port>(&self) -> Tally<'_> {
        Tally(PhantomData)
    }
}

pub(crate) struct Tally<'a>(PhantomData<&'a ()>);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight;

impl Tally<'_> {
    #[inline]
    #[expect(clippy::unused_self, reason = "nothing is counted")]
    pub(crate) fn begin(&self, _handler: u32, _timed: bool) -> Weight {
        Weight
    }

    #[inline]
    #[expect(clippy::unused_self, reason = "nothing is counted")]
    pub(crate) fn took(&self, _handler: u32, _weight: Weight, _took: Duration) {}
}

impl Weight {
    #[inline]
    #[expect(clippy::unused_self, reason = "nothing is counted")]
    pub(crate) fn is_timed(self) -> bool {
        false
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Timer;

impl Timer {
    pub(crate) const NONE: Self = Self;

    #[inline]
    #[expect(clippy::extra_unused_type_parameters, reason = "nothing is counted")]
    pub(crate) fn start<P: Port>(_node: &Node, _handler: u32, _began: Option<Instant>) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "nothing is counted")]
    pub(crate) fn end<P: Port>(self, _node: &Node, _handler: u32) {}
}

#[derive(Default)]
pub(crate) struct Past {}

#[expect(clippy::unused_self, reason = "nothing is counted")]
impl Past {
    pub(crate) fn add(&self, _ended: &Tallies) {}

    pub(crate) fn died(&self, _reason: &Reason) {}

    pub(crate) fn restarted(&self, _times: u64) {}

    pub(crate) fn was_slow(&self) {}

    pub(crate) fn reached(&self, _limit: &'static str) {}
}

pub(crate) fn unwanted<P: Port>(_node: &Node, _handler: u32) {}

#[derive(Default)]
pub(crate) struct CallMeter {}

#[expect(clippy::unused_self, reason = "nothing is counted")]
impl CallMeter {
    #[inline]
    pub(crate) fn begin(&mut self, _far: bool) {}

    #[inline]
    pub(crate) fn end(&mut self, _node: &Node, _end: CallEnd) {}
}
