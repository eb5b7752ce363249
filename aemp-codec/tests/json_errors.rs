//! The errors of the JSON reader and writer: their causes, texts and offsets.
#![cfg(feature = "json")]

#[path = "shared/errors.rs"]
mod shared;

use aemp_codec::{Format, Limits};

fn error(packet: &[u8]) -> String {
    shared::error(&Format::Json, packet)
}

#[test]
fn malformed_packets() {
    for (packet, expected) in [
        ("", "0: unexpected end"),
        (" ", "1: unexpected end"),
        ("{}", "0: a packet must be an array"),
        ("\u{feff}[]", "0: a packet must be an array"),
        ("[", "1: unexpected end"),
        ("[1", "2: unexpected end"),
        ("[1,", "3: unexpected end"),
        ("[1,]", "3: a comma before the end of the list"),
        ("[,1]", "1: expected a value"),
        ("[1,,2]", "3: expected a value"),
        ("[1 2]", "3: expected a comma or the end of the list"),
        ("[1}", "2: expected a comma or the end of the list"),
        ("[]]", "2: something behind the packet"),
        ("[1] 2", "4: something behind the packet"),
        ("[#x\n1]", "1: expected a value"),
        ("[1/**/]", "2: expected a comma or the end of the list"),
        ("[nul]", "1: expected a value"),
        ("[True]", "1: expected a value"),
        ("[truex]", "5: expected a comma or the end of the list"),
        ("[inf]", "1: expected a value"),
        ("[nan]", "1: expected a value"),
        ("[\u{a0}1]", "1: expected a value"),
        ("[01]", "1: leading zero in a number"),
        ("[-01]", "1: leading zero in a number"),
        ("[-]", "2: expected a digit"),
        ("[+1]", "1: expected a value"),
        ("[.5]", "1: expected a value"),
        ("[1.]", "3: expected a digit"),
        ("[1.e5]", "3: expected a digit"),
        ("[1e]", "3: expected a digit"),
        ("[1e+]", "4: expected a digit"),
        ("[0x1]", "2: expected a comma or the end of the list"),
        ("['a']", "1: expected a value"),
        ("[\"a]", "4: string without end"),
        ("[\"a\\", "3: string without end"),
        ("[\"a\nb\"]", "3: control character in a string"),
        ("[\"\0\"]", "2: control character in a string"),
        ("[\"\\x41\"]", "2: unknown escape"),
        ("[\"\\u12g4\"]", "2: unknown escape"),
        ("[\"\\u+123\"]", "2: unknown escape"),
        ("[\"\\u12", "2: string without end"),
        ("[\"\\ud800\\u12g4\"]", "8: unknown escape"),
        ("[\"\\ud800\\u12", "8: string without end"),
        ("[\"\\ud800]", "9: string without end"),
        ("[\"\\ud800\",]", "10: a comma before the end of the list"),
        ("[{]", "2: expected a string as key"),
        ("[{1:2}]", "2: expected a string as key"),
        ("[{\"a\"}]", "5: expected a colon"),
        ("[{\"a\":}]", "6: expected a value"),
        ("[{\"a\":1,}]", "8: a comma before the end of the list"),
        ("[{\"a\":1]", "7: expected a comma or the end of the list"),
        ("[[[[[]]]]]", "4: nested deeper than 4 levels"),
        (
            "[{\"a\":{\"b\":{\"c\":{}}}}]",
            "16: nested deeper than 4 levels",
        ),
    ] {
        assert_eq!(error(packet.as_bytes()), expected, "{packet:?}");
    }
    for (packet, expected) in [
        (b"[\"ab\xc3".as_slice(), "5: string without end"),
        (b"[\"\xff\n\"]", "3: control character in a string"),
        (
            b"[\"\xff\" 1]",
            "5: expected a comma or the end of the list",
        ),
        (b"[\xc3\xa4]", "1: expected a value"),
        (b"[\xff]", "1: expected a value"),
        (b"[1\xff]", "2: expected a comma or the end of the list"),
        (b"[{\"\xff\"}]", "5: expected a colon"),
    ] {
        assert_eq!(error(packet), expected, "{packet:?}");
    }
}

#[test]
fn bytes_that_can_never_become_a_packet() {
    for (bytes, expected) in [
        ("{}", "a packet must be an array (at byte 0)"),
        (" \n\"a\"", "a packet must be an array (at byte 2)"),
        ("1", "a packet must be an array (at byte 0)"),
        ("-1", "a packet must be an array (at byte 0)"),
        ("null", "a packet must be an array (at byte 0)"),
        ("]", "malformed packet: unexpected character (at byte 0)"),
        (
            "\u{feff}[]",
            "malformed packet: byte order mark (at byte 0)",
        ),
        (
            "GET / HTTP/1.1\r\n",
            "malformed packet: unexpected character (at byte 0)",
        ),
        (
            "[1,x]",
            "malformed packet: unexpected character (at byte 3)",
        ),
        ("[1#", "malformed packet: unexpected character (at byte 2)"),
        (
            "[\"a\n",
            "malformed packet: control character in a string (at byte 3)",
        ),
        (
            "[[[[[",
            "a packet is nested deeper than 4 levels (at byte 4)",
        ),
        (
            "[\"0123456789012345678",
            "a packet is larger than 16 bytes (at byte 16)",
        ),
        (
            "  [1,2,3,4,5,6,7,8]",
            "a packet is larger than 16 bytes (at byte 18)",
        ),
        (
            "                 ",
            "a packet is larger than 16 bytes (at byte 16)",
        ),
    ] {
        let limits = Limits::default().with_max_depth(4).with_max_packet(16);
        let error = Format::Json
            .framer(limits)
            .scan(bytes.as_bytes())
            .expect_err("no packet");
        assert_eq!(error.to_string(), expected, "{bytes:?}");
    }
}

#[test]
fn odd_packets_that_are_fine() {
    for (bytes, range) in [
        ("[]", 0..2),
        ("[null]", 0..6),
        ("[\"\"]", 0..4),
        ("\r\n\t [ ] [1]", 4..7),
        ("[\"]\\\"]\"]]", 0..8),
        ("  [1,2,3,4,5,6,78]", 2..18),
    ] {
        let limits = Limits::default().with_max_packet(16);
        let found = Format::Json.framer(limits).scan(bytes.as_bytes());
        assert_eq!(found, Ok(Some(range.clone())), "{bytes:?}");
        let reader = Format::Json
            .reader(&bytes.as_bytes()[range], limits)
            .expect("a packet");
        reader.finish().expect("well-formed");
    }
}

#[test]
fn ten_thousand_levels_are_refused_and_the_allowed_ones_are_not() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let limits = Limits::default();
    let error = Format::Json
        .framer(limits)
        .scan(deep(10_000).as_bytes())
        .expect_err("too deep");
    assert_eq!(
        error.to_string(),
        "a packet is nested deeper than 512 levels (at byte 512)"
    );
    let packet = deep(10_000);
    let reader = Format::Json
        .reader(packet.as_bytes(), limits)
        .expect("an array");
    assert_eq!(reader.finish().expect_err("too deep").offset(), Some(512));

    let packet = deep(512);
    assert_eq!(
        Format::Json.framer(limits).scan(packet.as_bytes()),
        Ok(Some(0..1024))
    );
    let mut reader = Format::Json
        .reader(packet.as_bytes(), limits)
        .expect("an array");
    let value = reader.value().expect("not too deep").expect("one element");
    let mut out = Vec::new();
    let mut writer = Format::Json.writer(&mut out, limits);
    writer.value(&value).expect("not too deep");
    writer.finish().expect("not too deep");
    assert_eq!(out, packet.as_bytes());
}

#[test]
fn numbers_that_nothing_can_hold_are_the_ports_concern() {
    let mut reader = Format::Json
        .reader(b"[1e400,2]", Limits::default())
        .expect("a packet");
    let error = reader.arg::<f64>().expect_err("out of range");
    assert!(!error.is_malformed());
    assert_eq!(error.to_string(), "argument 1: number out of range");
    assert_eq!(reader.arg::<u8>(), Ok(Some(2)));
}

/// Text that is not Unicode does not end the connection: half of a surrogate pair, as an escape or as octets, and other
/// octets that are not UTF-8. The elements behind it are read as usual.
#[test]
fn text_that_is_not_unicode_is_the_ports_concern() {
    for value in [
        r#""ab\ud800""#.as_bytes(),
        r#""\udc00""#.as_bytes(),
        r#""\ud800\n""#.as_bytes(),
        r#""\ud800\u0041""#.as_bytes(),
        r#""\ud800\ud800\udc00""#.as_bytes(),
        r#"{"\udfff":1}"#.as_bytes(),
        r#"{"a":[{"b":"\ud800"}]}"#.as_bytes(),
        b"\"\xff\"",
        b"\"\\n\xff\"",
        b"\"\xff\\n\"",
        b"\"ab\xed\xa0\x80cd\"",
        b"\"\xc3\"",
        b"{\"\xff\":1}",
        b"[[\"\xff\"]]",
    ] {
        let shown = String::from_utf8_lossy(value);
        let packet = [b"[1,", value, ",[\"\u{e4}\",2.5],3]".as_bytes()].concat();
        let reader = || {
            let reader = Format::Json.reader(&packet, Limits::default());
            let mut reader = reader.expect("a packet");
            assert_eq!(reader.arg::<u8>(), Ok(Some(1)));
            reader
        };
        let mut values = reader();
        let error = values.value().expect_err("no value");
        assert!(!error.is_malformed() && error.is_not_unicode(), "{shown}");
        let text = "argument 2: text that is not Unicode";
        assert_eq!(
            (error.to_string().as_str(), error.offset()),
            (text, Some(3)),
            "{shown}"
        );
        let rest = ("\u{e4}".to_owned(), 2.5);
        assert_eq!(values.arg::<(String, f64)>(), Ok(Some(rest)), "{shown}");
        assert_eq!(values.arg::<u8>(), Ok(Some(3)));
        assert_eq!(values.finish(), Ok(0));

        let mut text = reader();
        assert!(!text.text().expect_err("no text").is_malformed(), "{shown}");
        assert_eq!(text.finish(), Ok(2), "{shown}");

        // A reader that does not want it may skip it, also as a part that the type does not know.
        let mut skipped = reader();
        assert_eq!(skipped.skip(), Ok(true), "{shown}");
        assert_eq!(skipped.finish(), Ok(2), "{shown}");
        assert_eq!(reader().remaining(), Ok(3), "{shown}");
    }
}

#[test]
fn skipped_text_need_not_be_unicode() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Known {
        a: u8,
    }
    let packet = br#"[{"a":1,"b":"\ud800"}]"#;
    let mut reader = Format::Json
        .reader(packet, Limits::default())
        .expect("a packet");
    assert_eq!(reader.arg(), Ok(Some(Known { a: 1 })));
}
