//! The limit of the number of values that one packet may become.

#![cfg(all(feature = "json", feature = "cbor", feature = "postcard"))]

use std::collections::BTreeMap;

use aemp_codec::{DecodeError, Format, Limits, PacketReader, Value};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

const FORMATS: [Format; 3] = [Format::Json, Format::Cbor, Format::Postcard];

fn limits(values: usize) -> Limits {
    Limits::default().with_max_values(values)
}

fn written(format: &Format, args: &[impl Serialize]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut packet = format.writer(&mut bytes, Limits::default());
    packet.str("port").unwrap();
    args.iter().for_each(|arg| packet.arg(arg).unwrap());
    packet.finish().unwrap();
    bytes
}

fn opened<'a>(format: &'a Format, bytes: &'a [u8], values: usize) -> PacketReader<'a> {
    let mut packet = format.reader(bytes, limits(values)).unwrap();
    assert_eq!(packet.text().unwrap().unwrap(), "port");
    packet
}

fn check(error: &DecodeError, values: usize) {
    let text = format!("more than {values} values in a packet (max_packet_values)");
    assert!(error.is_malformed(), "{error}");
    assert!(error.to_string().ends_with(&text), "{error}");
}

/// Exactly so many values are enough for a `T`, and one fewer is not.
fn takes<T: DeserializeOwned>(args: &[impl Serialize], values: usize) {
    for format in FORMATS {
        let bytes = written(&format, args);
        let read = |values| -> Result<(), DecodeError> {
            let mut packet = opened(&format, &bytes, values);
            while packet.arg::<T>()?.is_some() {}
            Ok(())
        };
        assert_eq!(read(values), Ok(()), "{format}");
        if values > 0 {
            check(&read(values - 1).unwrap_err(), values - 1);
        }
    }
}

#[test]
fn everything_that_becomes_a_value_counts() {
    takes::<Value>(&[[1, 2, 3]], 4);
    takes::<Value>(&[(), (), ()], 3);
    takes::<Value>(&["a", "b"], 2);
    takes::<Value>(&[1.5, 2.5], 2);
    takes::<Value>(&[true], 1);
    takes::<Value>(&[[[[[0]]]]], 5);
    // The map, two keys, two values.
    takes::<Value>(&[BTreeMap::from([("a", 1), ("b", 2)])], 5);
}

#[test]
fn typed_arguments_count_except_numbers() {
    #[derive(Debug, Serialize, Deserialize)]
    enum Enum {
        Unit,
        Tuple(u8, String),
    }

    takes::<Vec<u64>>(&[vec![7_u64; 1000]], 1);
    takes::<Vec<f64>>(&[vec![0.5; 1000]], 1);
    takes::<Vec<Option<u8>>>(&[vec![None::<u8>; 10]], 11);
    takes::<Vec<Option<u8>>>(&[vec![Some(1_u8); 10]], 1);
    takes::<Vec<String>>(&[vec![""; 10]], 11);
    takes::<Vec<(u8, u8)>>(&[vec![(1_u8, 2_u8); 10]], 11);
    takes::<BTreeMap<String, u8>>(&[BTreeMap::from([("a", 1), ("b", 2)])], 3);
    for format in FORMATS {
        let bytes = written(&format, &[Enum::Unit, Enum::Tuple(1, String::new())]);
        let read = |values| -> Result<(), DecodeError> {
            let mut packet = opened(&format, &bytes, values);
            while packet.arg::<Enum>()?.is_some() {}
            Ok(())
        };
        assert!(read(10).is_ok(), "{format}");
        check(&read(1).unwrap_err(), 1);
    }
}

/// All values that are read of a packet count together, by each way of reading, and also when it is read later.
#[test]
fn a_packet_has_one_budget() {
    for format in FORMATS {
        let bytes = written(&format, &[[1, 2], [3, 4], [5, 6]]);
        check(&opened(&format, &bytes, 8).rest().unwrap_err(), 8);
        assert_eq!(opened(&format, &bytes, 9).rest().unwrap().len(), 3);
        let answer = opened(&format, &bytes, 8).answer::<Value>();
        check(&answer.unwrap_err(), 8);
        let kept = opened(&format, &bytes, 8).keep(limits(8)).unwrap();
        check(&kept.reader().unwrap().rest().unwrap_err(), 8);
        // An element that is only passed over becomes nothing.
        let mut packet = opened(&format, &bytes, 0);
        while packet.skip().unwrap() {}
        assert_eq!(opened(&format, &bytes, 0).finish(), Ok(3));
    }
}

/// An element of the wrong type is passed over, and the values that were read of it count.
#[test]
fn failed_values_have_counted() {
    for format in FORMATS {
        let bytes = written(&format, &[["a", "b", "c"]; 3]);
        let mut packet = opened(&format, &bytes, 6);
        for _ in 0..2 {
            let error = packet.arg::<(String, u8, u8)>().unwrap_err();
            assert!(!error.is_malformed(), "{error}");
        }
        check(&packet.rest().unwrap_err(), 6);
    }
}

#[test]
fn references_of_cbor_count_as_often_as_they_are_followed() {
    // 0x98, 20: a list of 20 references to the shared list of ten.
    let mut bytes = b"\x83\x64port\xd8\x1c\x8a".to_vec();
    bytes.extend([0; 10]);
    bytes.extend(b"\x98\x14");
    bytes.extend(b"\xd8\x1d\0".repeat(20));
    let all = 11 + 1 + 20 * 11;
    let values = opened(&Format::Cbor, &bytes, all).rest().unwrap();
    assert_eq!(values[1].as_array().map(<[Value]>::len), Some(20));
    check(
        &opened(&Format::Cbor, &bytes, all - 1).rest().unwrap_err(),
        all - 1,
    );
    // Passing over them makes no values, but where they lead is noted.
    assert_eq!(opened(&Format::Cbor, &bytes, 21).finish(), Ok(2));
    check(&opened(&Format::Cbor, &bytes, 20).finish().unwrap_err(), 20);
}

#[test]
fn strings_that_can_be_referred_to_are_noted_within_the_limit() {
    // Tag 256, a list of 24 strings and a reference to the first.
    let mut bytes = b"\x82\x64port\xd9\x01\x00\x98\x19".to_vec();
    bytes.extend(b"\x64abcd".repeat(24));
    bytes.extend(b"\xd8\x19\0");
    assert_eq!(opened(&Format::Cbor, &bytes, 26).rest().unwrap().len(), 1);
    check(&opened(&Format::Cbor, &bytes, 25).rest().unwrap_err(), 25);
}
