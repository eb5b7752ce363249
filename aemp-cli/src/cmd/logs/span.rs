//! Spans of time on the command line.

use std::time::Duration;

/// Reads a number of seconds, or a number with the unit `s`, `m`, `h` or `d`.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1.0),
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3600.0),
        Some((at, 'd')) => (&text[..at], 86_400.0),
        _ => (text, 1.0),
    };
    let number: Result<f64, _> = number.parse();
    let span = number
        .ok()
        .map(|number| Duration::try_from_secs_f64(number * unit));
    match span {
        Some(Ok(span)) => Ok(span),
        _ => Err("must be a number of seconds, or a number with s, m, h or d behind it".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_units() {
        for (text, seconds) in [
            ("90", 90.0),
            ("1.5s", 1.5),
            ("10m", 600.0),
            ("2h", 7200.0),
            ("1d", 86_400.0),
            ("0", 0.0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs_f64(seconds)));
        }
        for text in ["", "m", "-1", "1w", "1\u{e4}", "inf", "nan"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
