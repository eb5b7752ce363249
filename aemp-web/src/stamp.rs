//! Times of other nodes.

use time::{OffsetDateTime, UtcDateTime};

/// A time in seconds since 1970, in UTC. It comes from another node, and may be any number.
pub fn time(seconds: f64) -> String {
    let milliseconds = (seconds * 1000.0).round() as i128;
    let at = OffsetDateTime::from_unix_timestamp_nanos(milliseconds.saturating_mul(1_000_000));
    let Ok(at) = at.map(UtcDateTime::from) else {
        return format!("{seconds}");
    };
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second) = at.as_hms();
    let milli = at.millisecond();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc_and_odd_ones_as_they_are() {
        assert_eq!(time(1_795_466_410.444_28), "2026-11-23T20:40:10.444Z");
        assert_eq!(time(0.0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(-0.5), "1969-12-31T23:59:59.500Z");
        assert_eq!(time(1e300), format!("{}", 1e300));
        assert_eq!(time(f64::NAN), "1970-01-01T00:00:00.000Z");
    }
}
