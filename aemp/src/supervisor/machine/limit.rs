//! The limit of restarts, and the chance in pauses.

use std::{collections::VecDeque, time::Duration};

/// The restart intensity: a number of restarts within a period.
#[derive(Debug)]
pub(super) struct Limit {
    most: u32,
    period: Duration,
    /// The times of the last restarts, at most `most`.
    times: VecDeque<Duration>,
}

impl Limit {
    pub(super) fn new(most: u32, period: Duration) -> Self {
        Self {
            most,
            period,
            times: VecDeque::new(),
        }
    }

    /// Notes a restart. False if there were too many.
    pub(super) fn allows(&mut self, now: Duration) -> bool {
        if self.most == u32::MAX {
            return true;
        }
        let begin = now.saturating_sub(self.period);
        while self.times.front().is_some_and(|time| *time < begin) {
            self.times.pop_front();
        }
        if self.times.len() >= self.most as usize {
            return false;
        }
        self.times.push_back(now);
        true
    }

    pub(super) fn describe(&self) -> String {
        format!("more than {} restarts in {:?}", self.most, self.period)
    }
}

/// Numbers that differ between supervisors, and between dispatchers (SplitMix64).
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
