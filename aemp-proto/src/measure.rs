//! A limit for log lines that peers can cause at will.
//!
//! A hundred lines are logged at once, and then ten a second. The others are logged at debug level, and a line every
//! ten seconds gives their number. The mesh's lines are logged after its lock is released, because a subscriber may be
//! slow, or use the node.

use std::time::Duration;

use super::{Level, Time};

/// The number of lines that may come at once.
const BURST: u32 = 100;
/// The time after which one more line is allowed.
const PER_LINE: Duration = Duration::from_millis(100);
/// The shortest time between two reports of hushed lines.
const REPORT_PAUSE: Duration = Duration::from_secs(10);

/// A rate limit for log lines, as a bucket that fills up with time.
///
/// Lines above the limit are logged at debug level only, so that no peer can fill a disk or keep the node busy with its
/// log.
#[derive(Debug)]
pub struct Measure {
    left: u32,
    /// The time up to which the bucket has been filled.
    since: Time,
    hushed: u64,
    /// The time from which hushed lines may be reported again.
    report_at: Time,
}

impl Default for Measure {
    fn default() -> Self {
        Self {
            left: BURST,
            since: Time::ZERO,
            hushed: 0,
            report_at: Time::ZERO,
        }
    }
}

impl Measure {
    /// Returns the level at which to log a line that would be logged at `level`. Sometimes also returns a line to log
    /// in addition, which reports how many lines have been hushed.
    pub fn weigh(&mut self, now: Time, level: Level) -> (Level, Option<String>) {
        if level == Level::Debug {
            return (level, None);
        }
        self.fill(now);
        if self.left == 0 {
            self.hushed += 1;
            return (Level::Debug, None);
        }
        self.left -= 1;
        let more = (self.hushed > 0 && now >= self.report_at).then(|| {
            self.report_at = now + REPORT_PAUSE;
            let hushed = std::mem::take(&mut self.hushed);
            format!(
                "{hushed} more lines like those above and below were logged at debug level only"
            )
        });
        (level, more)
    }

    fn fill(&mut self, now: Time) {
        let more = (now - self.since).as_nanos() / PER_LINE.as_nanos();
        match u32::try_from(more).ok().filter(|more| *more < BURST) {
            Some(more) => {
                self.left = (self.left + more).min(BURST);
                self.since = self.since + PER_LINE * more;
            }
            None => {
                self.left = BURST;
                self.since = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(measure: &mut Measure, times: impl Iterator<Item = u64>) -> usize {
        let passes = |time| {
            let now = Time::from(Duration::from_millis(time));
            measure.weigh(now, Level::Warn).0 == Level::Warn
        };
        times.map(passes).filter(|passes| *passes).count()
    }

    #[test]
    fn a_storm_of_lines_is_rate_limited() {
        let mut measure = Measure::default();
        assert_eq!(passed(&mut measure, (0..10_000).map(|_| 5)), 100);
        // Ten lines a second pass.
        assert_eq!(passed(&mut measure, 0..3000), 29);
        let at = |seconds| Time::from(Duration::from_secs(seconds));
        assert_eq!(measure.weigh(at(4), Level::Info), (Level::Info, None));
        let (level, more) = measure.weigh(at(20), Level::Info);
        assert_eq!(level, Level::Info);
        let text = "2871 more lines like those above and below were logged at debug level only";
        assert_eq!(more.as_deref(), Some(text));
        assert_eq!(measure.weigh(at(20), Level::Debug), (Level::Debug, None));
        // A long pause fills the bucket again.
        assert_eq!(passed(&mut measure, (0..500).map(|_| 90_000)), 100);
    }
}
