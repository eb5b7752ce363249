use std::time::Duration;

use super::*;
use crate::tls::tests::{certificate, dated};

#[test]
fn dates_are_counted_as_others_do() {
    for (date, expected) in [
        ((1970, 1, 1), 0),
        ((2000, 2, 29), 11_016),
        ((2026, 11, 24), 20_781),
        ((1999, 12, 31), 10_956),
        ((2100, 3, 1), 47_541),
    ] {
        assert_eq!(days(date.0, date.1, date.2), expected, "{date:?}");
        assert_eq!(civil(expected), date);
    }
    for day in -200_000..400_000 {
        let (y, m, d) = civil(day);
        assert_eq!(days(y, m, d), day);
    }
}

#[test]
fn times_are_read_in_both_forms() {
    let time = |tag: u8, text: &str| {
        let der = [&[tag, text.len() as u8], text.as_bytes()].concat();
        Reader(&der).time()
    };
    assert_eq!(time(UTC_TIME, "700101000000Z"), Some(0));
    assert_eq!(time(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
    assert_eq!(
        time(GENERALIZED_TIME, "20500101000000Z"),
        Some(2_524_608_000)
    );
    for wrong in [
        "",
        "Z",
        "7001010000Z",
        "701301000000Z",
        "70010100000xZ",
        "700101000000+0100",
    ] {
        assert_eq!(time(UTC_TIME, wrong), None, "{wrong}");
    }
}

#[test]
fn names_and_dates_are_read_from_a_certificate() {
    let made = dated("n\u{7}ode", 2020, 2021);
    let parsed = Certificate::parse(made.der()).unwrap();
    assert_eq!(parsed.version, 3);
    assert_eq!(parsed.common_name.as_deref(), Some("n\u{7}ode"));
    assert_eq!(
        (parsed.subject.as_str(), parsed.issuer.as_str()),
        ("CN=n.ode", "CN=n.ode")
    );
    let at = |days_since: i64| {
        let seconds = u64::try_from(days_since * 86_400).unwrap();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        parsed
            .check_dates(at)
            .map_err(|problem| problem.to_string())
    };
    assert_eq!(at(days(2020, 6, 1)), Ok(()));
    assert_eq!(
        at(days(2019, 6, 1)),
        Err("is not valid before 2020-01-01".into())
    );
    assert_eq!(
        at(days(2022, 6, 1)),
        Err("has expired on 2021-01-01".into())
    );
}

/// A peer may send any bytes.
#[test]
fn truncated_or_changed_certificates_are_errors_without_panics() {
    let made = certificate("node");
    let der = made.der();
    assert!(Certificate::parse(der).is_some());
    for end in 0..der.len().min(150) {
        assert_eq!(Certificate::parse(&der[..end]), None, "{end}");
    }
    for at in 0..der.len() {
        for change in [1, 0x80, 0xff] {
            let mut der = der.to_vec();
            der[at] ^= change;
            let _ = Certificate::parse(&der);
        }
    }
}
