//! The pauses between attempts to reach a seed. Each is about twice as long as the one before, up to `monitor_timeout`.

use std::time::Duration;

use crate::Random;

/// The first delay between two attempts is between this and twice this.
const FIRST_DELAY: Duration = Duration::from_millis(1200);

/// The pause that follows a pause of this length.
pub(crate) fn next_delay(delay: Duration, longest: Duration, random: &mut Random) -> Duration {
    let next = if delay.is_zero() {
        random.between(FIRST_DELAY, 2 * FIRST_DELAY)
    } else {
        2 * delay
    };
    next.min(longest)
}

/// The longest time until the next attempt of a node that has tried in vain for `tried`; zero if it has not tried yet.
pub(crate) fn longest_pause(tried: Duration, longest: Duration) -> Duration {
    if tried.is_zero() {
        return Duration::ZERO;
    }
    // Pauses double, so each is as long as all before it together, plus the first.
    (tried + 2 * FIRST_DELAY).min(longest)
}
