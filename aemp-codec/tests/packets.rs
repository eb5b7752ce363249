//! Writing and reading packets, in all formats.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use aemp_codec::{
    Codec, DecodeError, EncodeError, Format, FrameError, Framing, Limits, PacketReader,
    PacketWriter, Value,
};

/// One packet a line, as the text of its values.
const LINES: Outside = Outside {
    name: "lines",
    encode: lines::encode,
    decode: lines::decode,
};

mod lines {
    use super::*;

    pub(super) fn encode(packet: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        for value in packet {
            let text = value
                .text()
                .ok_or_else(|| EncodeError::Custom("no text".into()))?;
            out.extend_from_slice(text.as_bytes());
            out.push(b' ');
        }
        out.push(b'\n');
        Ok(())
    }

    pub(super) fn decode(packet: &[u8], _: Limits) -> Result<Vec<Value>, DecodeError> {
        let text = std::str::from_utf8(packet)
            .map_err(|error| DecodeError::malformed(error.valid_up_to(), "invalid UTF-8"))?;
        Ok(text.split_whitespace().map(Value::from).collect())
    }
}

/// A format from outside by way of values.
#[derive(Debug)]
struct Outside {
    name: &'static str,
    encode: fn(&[Value], &mut Vec<u8>) -> Result<(), EncodeError>,
    decode: fn(&[u8], Limits) -> Result<Vec<Value>, DecodeError>,
}

impl Codec for Outside {
    fn name(&self) -> &str {
        self.name
    }

    fn framer(&self, _: Limits) -> Box<dyn Framing> {
        Box::new(UpToLineFeed)
    }

    fn writer<'a>(&'a self, out: &'a mut Vec<u8>, limits: Limits) -> PacketWriter<'a> {
        PacketWriter::encoded(out, limits, self.encode)
    }

    fn reader<'a>(
        &'a self,
        packet: &'a [u8],
        limits: Limits,
    ) -> Result<PacketReader<'a>, DecodeError> {
        (self.decode)(packet, limits).map(PacketReader::values)
    }
}

#[derive(Debug)]
struct UpToLineFeed;

impl Framing for UpToLineFeed {
    fn scan(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, FrameError> {
        Ok(buffer
            .iter()
            .position(|&b| b == b'\n')
            .map(|end| 0..end + 1))
    }
}

#[test]
fn a_format_from_outside() {
    let format = Format::from(Arc::new(LINES));
    let limits = Limits::default();
    assert_eq!(format.name(), "lines");
    let mut out = b"before".to_vec();
    let mut packet = format.writer(&mut out, limits);
    packet.str("port").expect("text");
    packet.arg(&42).expect("a number");
    packet.finish().expect("a packet");
    assert_eq!(out, b"beforeport 42 \n");

    let mut packet = format.writer(&mut out, limits);
    packet.arg(&[1]).expect("seen only at the end");
    assert_eq!(packet.finish(), Err(EncodeError::Custom("no text".into())));
    let packet = format.writer(&mut out, limits.with_max_packet(0));
    assert_eq!(packet.finish(), Err(EncodeError::TooLarge { limit: 0 }));
    assert_eq!(out, b"beforeport 42 \n");

    let range = format
        .framer(limits)
        .scan(&out[6..])
        .expect("no error")
        .expect("a packet");
    let mut packet = format.reader(&out[6..][range], limits).expect("a packet");
    assert_eq!(packet.text(), Ok(Some(Cow::Borrowed("port"))));
    assert_eq!(packet.required::<u8>(), Ok(42));
    assert!(
        format
            .reader(b"\xff\n", limits)
            .expect_err("no text")
            .is_malformed()
    );
}

/// A format that panics with half a packet written.
const PANICS: Outside = Outside {
    name: "panics",
    encode: |packet, out| {
        out.extend_from_slice(b"half");
        panic!("{packet:?}")
    },
    decode: |_, _| Ok(vec![]),
};

#[test]
fn a_codec_that_panics_leaves_nothing_behind() {
    let mut out = b"before".to_vec();
    let format = Format::from(Arc::new(PANICS));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        format.writer(&mut out, Limits::default()).finish()
    }));
    assert!(result.is_err());
    assert_eq!(out, b"before");
}

#[test]
fn a_packet_that_was_given_up_takes_nothing_more() {
    for format in Format::built_in() {
        let mut out = b"before".to_vec();
        let mut packet = format.writer(&mut out, Limits::default());
        assert_eq!(packet.arg(&f64::NAN), Err(EncodeError::NotFinite));
        assert_eq!(packet.str("text"), Err(EncodeError::GivenUp));
        assert_eq!(packet.arg(&1), Err(EncodeError::GivenUp));
        assert_eq!(packet.value(&Value::Null), Err(EncodeError::GivenUp));
        assert_eq!(packet.answer(&()), Err(EncodeError::GivenUp));
        assert_eq!(packet.finish(), Err(EncodeError::GivenUp));
        let nothing = Limits::default().with_max_packet(0);
        let packet = format.writer(&mut out, nothing);
        assert_eq!(packet.finish(), Err(EncodeError::TooLarge { limit: 0 }));
        assert_eq!(out, b"before");
    }
}

#[test]
fn values_are_collected_or_taken_back() {
    let mut out = vec![Value::from("before")];
    let mut packet = PacketWriter::values(&mut out, Limits::default());
    packet.str("a").expect("text");
    assert_eq!(
        packet.value(&Value::Array(vec![f64::NAN.into()])),
        Err(EncodeError::NotFinite)
    );
    assert_eq!(packet.str("b"), Err(EncodeError::GivenUp));
    assert_eq!(packet.finish(), Err(EncodeError::GivenUp));
    let mut packet = PacketWriter::values(&mut out, Limits::default());
    packet.str("dropped").expect("text");
    drop(packet);
    let mut packet = PacketWriter::values(&mut out, Limits::default());
    packet.str("a").expect("text");
    packet.arg(&(1, ())).expect("a value");
    packet.finish().expect("a packet");
    assert_eq!(Value::from(out).to_string(), r#"["before","a",[1,null]]"#);
}

#[test]
fn reading_step_by_step() {
    let packet = [
        1.5.into(),
        true.into(),
        "x".into(),
        Value::Null,
        vec![1].into(),
        7.into(),
    ];
    let mut reader = PacketReader::from(&packet[..]);
    assert_eq!(reader.text(), Ok(Some("1.5".into())));
    assert_eq!(reader.text(), Ok(Some("1".into())));
    assert_eq!((reader.remaining(), reader.position()), (Ok(4), 2));
    assert_eq!(reader.arg::<&str>(), Ok(Some("x")));
    assert_eq!(reader.required::<Option<u8>>(), Ok(None));
    let error = reader.required::<u8>().expect_err("an array");
    assert_eq!(
        error.to_string(),
        "argument 3: invalid type: sequence, expected u8"
    );
    assert_eq!(error.argument(), Some(3));
    assert_eq!(reader.skip(), Ok(true));
    assert_eq!(reader.skip(), Ok(false));
    assert_eq!(
        (reader.text(), reader.value(), reader.arg::<u8>()),
        (Ok(None), Ok(None), Ok(None))
    );
    assert_eq!(reader.finish(), Ok(0));
    let mut reader = PacketReader::from(&packet[4..]);
    assert_eq!(
        reader.text().expect_err("an array").to_string(),
        "invalid type: sequence, expected text"
    );
    assert_eq!(reader.finish(), Ok(1));
}

#[test]
fn answers() {
    fn written<T: serde::Serialize>(answer: T) -> String {
        let mut out = Vec::new();
        let mut packet = PacketWriter::values(&mut out, Limits::default());
        packet.answer(&answer).expect("it can be encoded");
        packet.finish().expect("it can be encoded");
        Value::from(out).to_string()
    }
    fn read<T: serde::de::DeserializeOwned>(answer: &str) -> Result<T, String> {
        let values = serde_json::from_str(answer).expect("JSON");
        PacketReader::values(values)
            .answer()
            .map_err(|error| error.to_string())
    }
    #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    struct Pair(u8, u8);

    assert_eq!(written(()), "[]");
    assert_eq!(written(5), "[5]");
    assert_eq!(written((1, "a")), r#"[1,"a"]"#);
    assert_eq!(written(vec![1, 2]), "[1,2]");
    assert_eq!(written([[1, 2]]), "[[1,2]]");
    assert_eq!(written(Pair(1, 2)), "[[1,2]]");
    assert_eq!(written(None::<u8>), "[null]");
    assert_eq!(written(Some((1, 2))), "[[1,2]]");
    assert_eq!(written(Value::Null), "[]");
    assert_eq!(written(Value::from(vec![1, 2])), "[1,2]");

    assert_eq!(read::<()>("[1,2]"), Ok(()));
    assert_eq!(read::<u8>(r#"["5"]"#), Ok(5));
    assert_eq!(read::<u8>("[]"), Err("missing argument 1".into()));
    assert_eq!(read::<(u8, String)>(r#"[1,"a"]"#), Ok((1, "a".into())));
    assert_eq!(read::<(u8, Option<u8>)>("[1]"), Ok((1, None)));
    assert_eq!(read::<(u8, u8)>("[1]"), Err("missing argument 2".into()));
    assert_eq!(read::<Vec<u8>>("[1,2]"), Ok(vec![1, 2]));
    assert_eq!(read::<Vec<u8>>("[]"), Ok(vec![]));
    assert_eq!(read::<Pair>("[[1,2]]"), Ok(Pair(1, 2)));
    assert_eq!(read::<Option<u8>>("[]"), Ok(None));
    assert_eq!(read::<Option<(u8, u8)>>("[[1,2]]"), Ok(Some((1, 2))));
    assert_eq!(read::<Value>("[]"), Ok(Value::Null));
    assert_eq!(read::<Value>("[3]"), Ok(Value::Int(3)));
    assert_eq!(read::<Value>("[3,4]"), Ok(Value::from(vec![3, 4])));
}

#[cfg(feature = "json")]
mod json {
    use std::collections::BTreeMap;

    use super::*;

    /// An argument that fails when it has written half of itself.
    struct Half;

    impl serde::Serialize for Half {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            let mut seq = serializer.serialize_seq(None)?;
            seq.serialize_element("half")?;
            Err(serde::ser::Error::custom("half of it"))
        }
    }

    #[test]
    fn every_failure_restores_the_buffer() {
        type Write = fn(&mut PacketWriter<'_>) -> Result<(), EncodeError>;
        let limits = Limits::default().with_max_depth(3).with_max_packet(50);
        let fail: [(Write, EncodeError); 9] = [
            (|p| p.arg(&f64::NAN), EncodeError::NotFinite),
            (|p| p.arg(&[Some(f32::INFINITY)]), EncodeError::NotFinite),
            (|p| p.arg(&[[[0]]]), EncodeError::TooDeep { limit: 3 }),
            (
                |p| p.arg(&Value::from(vec![vec![vec![0]]])),
                EncodeError::TooDeep { limit: 3 },
            ),
            (
                |p| p.arg(&BTreeMap::from([([1], 2)])),
                EncodeError::KeyNotString,
            ),
            (
                |p| p.arg(&BTreeMap::from([(true, 2)])),
                EncodeError::KeyNotString,
            ),
            (|p| p.arg(&Half), EncodeError::Custom("half of it".into())),
            (
                |p| p.answer(&(1, Half)),
                EncodeError::Custom("half of it".into()),
            ),
            (
                |p| p.arg(&Ok::<Half, ()>(Half)),
                EncodeError::Custom("half of it".into()),
            ),
        ];
        for (write, expected) in fail {
            let mut out = b"before".to_vec();
            let mut packet = Format::Json.writer(&mut out, limits);
            packet.str("port").expect("text");
            assert_eq!(write(&mut packet), Err(expected));
            assert_eq!(packet.arg(&1), Err(EncodeError::GivenUp));
            assert_eq!(packet.finish(), Err(EncodeError::GivenUp));
            assert_eq!(out, b"before");
        }
        let mut out = b"before".to_vec();
        let mut packet = Format::Json.writer(&mut out, limits);
        packet.str(&"x".repeat(47)).expect("text");
        assert_eq!(packet.finish(), Err(EncodeError::TooLarge { limit: 50 }));
        let mut packet = Format::Json.writer(&mut out, limits);
        packet.str("dropped").expect("text");
        drop(packet);
        assert_eq!(out, b"before");
    }

    #[test]
    fn after_a_type_error_the_rest_can_be_read() {
        let bytes = br#"["p",{"a":[1,{"b":"\u0041"}]},7]"#;
        let mut reader = Format::Json
            .reader(bytes, Limits::default())
            .expect("a packet");
        reader.text().expect("text");
        let error = reader
            .arg::<BTreeMap<String, Vec<u8>>>()
            .expect_err("a map in the list");
        assert_eq!(
            error.to_string(),
            "argument 1: invalid type: map, expected u8"
        );
        assert_eq!((error.offset(), error.is_malformed()), (Some(5), false));
        assert_eq!(reader.remaining(), Ok(1));
        assert_eq!(reader.arg::<u8>(), Ok(Some(7)));

        // Malformed bytes are the connection's fault, even behind an element of the wrong type.
        let bytes = br#"["p",[1,{],7]"#;
        let mut reader = Format::Json
            .reader(bytes, Limits::default())
            .expect("an array");
        reader.text().expect("text");
        assert!(reader.arg::<u8>().expect_err("malformed").is_malformed());
    }

    #[test]
    fn strings_are_borrowed_where_they_have_no_escapes() {
        let bytes = br#"["a\n","b",12]"#;
        let mut reader = Format::Json
            .reader(bytes, Limits::default())
            .expect("a packet");
        assert!(matches!(reader.text(), Ok(Some(Cow::Owned(_)))));
        assert!(matches!(reader.text(), Ok(Some(Cow::Borrowed("b")))));
        assert_eq!(reader.arg::<&str>(), Ok(Some("12")));
    }

    #[test]
    fn control_characters_are_escaped_as_perl_does_it() {
        let mut out = Vec::new();
        let mut packet = Format::Json.writer(&mut out, Limits::default());
        packet
            .str("\u{0}\u{8}\t\n\u{b}\u{c}\r\u{1f} \"\\/\u{7f}\u{e4}\u{2028}")
            .expect("text");
        packet
            .value(&Value::bytes([0, 0x7f, 0x80, 0xff]))
            .expect("octets");
        packet.finish().expect("a packet");
        let expected = "[\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\u{7f}\u{e4}\u{2028}\",\"\\u0000\u{7f}\u{80}\u{ff}\"]";
        assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
    }
}
