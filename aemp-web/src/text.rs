//! Numbers and texts as they are shown.

use std::fmt::Display;

use aemp::Shown;

/// The longest text, in characters.
const LONGEST: usize = 1000;

/// A foreign text in a form that can be shown: escaped, and cut if it is very long.
pub fn shown(text: impl Display) -> String {
    let text = text.to_string();
    // Most names are plain, and tables have many.
    if text.len() <= LONGEST && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text;
    }
    let mut text = Shown(text).to_string();
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// A sum of numbers that other nodes report, which may be anything.
pub fn sum(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0, u64::saturating_add)
}

/// A count, with groups of three digits.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate or a number of bytes, in four or five characters.
pub fn short(n: f64) -> String {
    const UNITS: [&str; 6] = ["", "k", "M", "G", "T", "P"];
    let (mut n, mut unit) = (n.max(0.0), 0);
    while n >= 999.5 && unit + 1 < UNITS.len() {
        n /= 1000.0;
        unit += 1;
    }
    let unit = UNITS[unit];
    if n == 0.0 {
        "0".into()
    } else if n < 9.95 && (!unit.is_empty() || n.fract() != 0.0) {
        format!("{n:.1}{unit}")
    } else {
        format!("{n:.0}{unit}")
    }
}

/// A short time, in three or four digits.
pub fn lapse(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    let (n, unit) = match seconds {
        ..0.000_999_5 => (seconds * 1e6, "us"),
        ..0.999_5 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    match n {
        ..9.95 => format!("{n:.1}{unit}"),
        _ => format!("{n:.0}{unit}"),
    }
}

/// A duration, in its two largest units.
pub fn since(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days}d{hours:02}h")
    } else if hours > 0 {
        format!("{hours}h{minutes:02}m")
    } else if minutes > 0 {
        format!("{minutes}m{:02}s", seconds % 60)
    } else {
        format!("{seconds}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_texts_are_shown_as_all_others() {
        for text in [
            "",
            "a\\b <c>&\"~",
            "\u{1b}[2J",
            "\u{7f}",
            "ä\u{202e}b",
            "a\nb",
        ] {
            assert_eq!(shown(text), Shown(text).to_string());
        }
        assert_eq!(shown("a\nb"), "a\\nb");
        for letter in ["x", "ä"] {
            let long = shown(letter.repeat(LONGEST + 1));
            assert_eq!(long, format!("{}...", letter.repeat(LONGEST)));
            assert_eq!(shown(letter.repeat(LONGEST)), letter.repeat(LONGEST));
        }
    }

    #[test]
    fn counts_have_groups() {
        let shown = [0, 999, 1000, 12_345, 1_234_567].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn short_numbers_are_short() {
        let shown = [
            0.0, 0.04, 0.5, 7.0, 99.6, 999.4, 999.6, 1234.0, 56_789.0, 1e6, 3.21e9, 1e20,
        ];
        let expected = [
            "0", "0.0", "0.5", "7", "100", "999", "1.0k", "1.2k", "57k", "1.0M", "3.2G", "100000P",
        ];
        assert_eq!(shown.map(short), expected);
        assert_eq!(short(-1.0), "0");
    }

    #[test]
    fn lapses_have_the_unit_that_fits() {
        let shown = [
            0.0, 1.2e-6, 0.000_999, 0.001, 0.009_96, 0.9994, 0.9996, 16.8,
        ];
        let expected = [
            "0.0us", "1.2us", "999us", "1.0ms", "10ms", "999ms", "1.0s", "17s",
        ];
        assert_eq!(shown.map(lapse), expected);
    }

    #[test]
    fn times_have_two_units() {
        let shown = [0.9, 59.0, 60.0, 3599.0, 3600.0, 86_399.0, 90_000.0].map(since);
        assert_eq!(
            shown,
            ["0s", "59s", "1m00s", "59m59s", "1h00m", "23h59m", "1d01h"]
        );
    }
}
