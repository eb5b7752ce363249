//! Octets as arguments, in every format.

use aemp_codec::{Format, Limits, Octets, PacketReader, PacketWriter, Value, from_value, to_value};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Image {
    name: String,
    pixels: Octets,
    #[serde(default)]
    mask: Option<Octets>,
}

fn image() -> Image {
    Image {
        name: "i".into(),
        pixels: (0..=255).collect::<Vec<u8>>().into(),
        mask: Some(b"ascii".into()),
    }
}

#[test]
fn they_arrive_in_every_format() {
    for format in Format::built_in() {
        let mut out = Vec::new();
        let mut packet = format.writer(&mut out, Limits::default());
        packet.arg(&image()).expect("a map");
        packet.arg(&Octets::default()).expect("octets");
        packet.finish().expect("a packet");
        let mut reader = format.reader(&out, Limits::default()).expect("a packet");
        assert_eq!(reader.required(), Ok(image()), "{format}");
        assert_eq!(reader.required(), Ok(Octets::default()), "{format}");
    }
    let mut values = Vec::new();
    let mut packet = PacketWriter::values(&mut values, Limits::default());
    packet.arg(&image()).expect("a map");
    packet.finish().expect("a packet");
    let pixels = values[0].as_map().and_then(|map| map.get("pixels"));
    assert_eq!(pixels, Some(&Value::bytes(image().pixels)));
    assert_eq!(PacketReader::from(&*values).required(), Ok(image()));
    assert_eq!(PacketReader::values(values).required(), Ok(image()));
}

/// Other nodes need not know the type: they may send a list, or text.
#[test]
fn every_form_of_octets_is_read() {
    for value in [
        Value::bytes("ab\u{7f}"),
        "ab\u{7f}".into(),
        vec![97, 98, 127].into(),
    ] {
        assert_eq!(
            from_value::<Octets>(value.clone())
                .expect("octets")
                .into_vec(),
            b"ab\x7f"
        );
        for format in Format::built_in() {
            let mut out = Vec::new();
            let mut packet = format.writer(&mut out, Limits::default());
            packet.value(&value).expect("a value");
            packet.finish().expect("a packet");
            let mut reader = format.reader(&out, Limits::default()).expect("a packet");
            assert_eq!(reader.required(), Ok(Octets::from(b"ab\x7f")), "{format}");
        }
    }
    for no in [Value::from("\u{20ac}"), vec![256].into()] {
        assert!(from_value::<Octets>(no).is_err());
    }
}

#[test]
fn they_are_a_vector_otherwise() {
    let mut octets = Octets::from(&b"a"[..]);
    octets.push(0xff);
    assert_eq!(format!("{octets:?}"), r#"b"a\xff""#);
    assert_eq!(to_value(&octets), Ok(Value::from(octets.clone())));
    assert_eq!(
        Octets::try_from(Value::from(octets.clone())).as_ref(),
        Ok(&octets)
    );
    assert_eq!(octets.as_ref(), Vec::from(octets.clone()));
}
