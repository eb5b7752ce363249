//! Time as the machines see it.

use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

/// A moment: the time since an origin. The caller chooses the origin and uses the same for all machines.
///
/// ```
/// use std::time::Duration;
/// use aemp_proto::Time;
///
/// let start = Time::from(Duration::from_secs(5));
/// let later = start + Duration::from_millis(1500);
/// assert_eq!(later - start, Duration::from_millis(1500));
/// assert_eq!(start - later, Duration::ZERO);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

impl Time {
    /// The origin.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// The time since the origin.
    #[must_use]
    pub fn since_origin(self) -> Duration {
        self.0
    }
}

impl From<Duration> for Time {
    fn from(since_origin: Duration) -> Self {
        Self(since_origin)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    /// Saturates instead of overflowing.
    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after))
    }
}

impl Sub for Time {
    type Output = Duration;

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
