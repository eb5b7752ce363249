//! The types that each value counts as: from JSON and from values alike.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use aemp_codec::{Map, PacketReader, PortId, Value, from_value, to_value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Reads a value given as JSON text in every way there is, which must not differ.
fn read<T: DeserializeOwned + PartialEq + Debug>(json: &str) -> Result<T, String> {
    let value = serde_json::from_str::<Value>(json).expect("the test is JSON");
    let values = [value];
    let borrowed = PacketReader::from(&values[..])
        .required::<T>()
        .map_err(|e| e.to_string());
    let owned = PacketReader::values(values.to_vec())
        .required::<T>()
        .map_err(|e| e.to_string());
    let [value] = values;
    let alone = from_value::<T>(value).map_err(|e| format!("argument 1: {e}"));
    assert_eq!(borrowed, owned, "{json}");
    assert_eq!(alone, owned, "{json}");
    #[cfg(feature = "json")]
    {
        let packet = format!("[{json}]");
        let limits = aemp_codec::Limits::default();
        let mut reader = aemp_codec::Format::Json
            .reader(packet.as_bytes(), limits)
            .expect("JSON");
        let direct = reader.required::<T>().map_err(|e| e.to_string());
        assert_eq!(
            direct.is_ok(),
            owned.is_ok(),
            "{json}: {direct:?} and {owned:?}"
        );
        assert_eq!(reader.finish(), Ok(0), "{json}");
        direct
    }
    #[cfg(not(feature = "json"))]
    owned
}

fn check<T: DeserializeOwned + PartialEq + Debug>(yes: &[(&str, T)], no: &[&str]) {
    for (json, expected) in yes {
        assert_eq!(read::<T>(json).as_ref(), Ok(expected), "{json}");
    }
    for json in no {
        let result = read::<T>(json);
        assert!(result.is_err(), "{json} became {result:?}");
    }
}

#[test]
fn integers() {
    check(
        &[
            ("42", 42),
            ("\"42\"", 42),
            ("-7", -7),
            ("\"-7\"", -7),
            ("1.0", 1),
            ("1e3", 1000),
            ("\"1e3\"", 1000),
            ("-0", 0),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("\"-9223372036854775808\"", i64::MIN),
        ],
        &[
            "1.5",
            "\"\"",
            "\"x\"",
            "\" 1\"",
            "\"1 \"",
            "\"+1\"",
            "\"007\"",
            "\"0x10\"",
            "\"1.5\"",
            "true",
            "[1]",
            "{}",
            "9223372036854775808",
            "1e19",
            "\"1e400\"",
        ],
    );
    check::<u8>(
        &[("255", 255), ("\"0\"", 0)],
        &["256", "-1", "\"256\"", "1e3"],
    );
    check::<u64>(
        &[
            ("18446744073709551615", u64::MAX),
            ("\"18446744073709551615\"", u64::MAX),
        ],
        &["18446744073709551616", "-1"],
    );
    check::<i128>(
        &[
            ("\"170141183460469231731687303715884105727\"", i128::MAX),
            ("-5", -5),
        ],
        &["\"a\""],
    );
    check::<u128>(
        &[("\"340282366920938463463374607431768211455\"", u128::MAX)],
        &["-1"],
    );
}

#[test]
fn floats() {
    check(
        &[
            ("1.5", 1.5),
            ("2", 2.0),
            ("\"1.5\"", 1.5),
            ("\"-2\"", -2.0),
            ("18446744073709551615", 18446744073709551615.0),
            ("100000000000000000000", 1e20),
            ("\"1e-7\"", 1e-7),
        ],
        &["\"\"", "\"nan\"", "\"inf\"", "false", "[]"],
    );
    assert!(read::<f64>("-0").expect("a number").is_sign_negative());
}

#[test]
fn truth_values() {
    check(
        &[
            ("true", true),
            ("false", false),
            ("1", true),
            ("0", false),
            ("\"1\"", true),
            ("\"0\"", false),
            ("\"\"", false),
            ("1.0", true),
        ],
        &["2", "-1", "\"true\"", "\"00\"", "[]", "0.5"],
    );
}

#[test]
fn text() {
    let s = String::from;
    check(
        &[
            ("\"a\"", s("a")),
            ("42", s("42")),
            ("-1", s("-1")),
            ("18446744073709551615", s("18446744073709551615")),
            ("1.5", s("1.5")),
        ],
        &["true", "false", "[]", "{}"],
    );
    #[cfg(feature = "json")]
    {
        let bytes = br#"[100000000000000000000,1.50]"#;
        let limits = aemp_codec::Limits::default();
        let mut reader = aemp_codec::Format::Json
            .reader(bytes, limits)
            .expect("JSON");
        assert_eq!(reader.arg::<&str>(), Ok(Some("100000000000000000000")));
        assert_eq!(reader.arg::<&str>(), Ok(Some("1.50")));
    }
    check(
        &[("\"\\u00e4\"", '\u{e4}'), ("7", '7')],
        &["\"\"", "\"ab\"", "42"],
    );
    check(
        &[("\"n#p\"", PortId::parse("n#p").expect("a port ID"))],
        &["\"\"", "\"a b#c\"", "\"a;b\""],
    );
}

/// Octets, the way `serde_bytes` asks for them.
#[derive(Debug, PartialEq)]
struct Octets(Vec<u8>);

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Octets;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("octets")
            }
            fn visit_bytes<E>(self, octets: &[u8]) -> Result<Octets, E> {
                Ok(Octets(octets.into()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Octets, A::Error> {
                let mut octets = Vec::new();
                while let Some(octet) = seq.next_element()? {
                    octets.push(octet);
                }
                Ok(Octets(octets))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

#[test]
fn octets() {
    check(
        &[
            ("\"a\\u0000\u{ff}\"", Octets(vec![b'a', 0, 0xff])),
            ("\"\"", Octets(vec![])),
            ("12", Octets(b"12".to_vec())),
            ("[1,\"2\"]", Octets(vec![1, 2])),
        ],
        &["\"\u{100}\"", "true", "[256]", "{}"],
    );
    assert_eq!(
        from_value::<Octets>(Value::bytes([0x80, 1])),
        Ok(Octets(vec![0x80, 1]))
    );
    assert_eq!(from_value::<u8>(Value::bytes(*b"42")), Ok(42));
    assert_eq!(
        from_value::<String>(Value::bytes([0xe4])),
        Ok("\u{e4}".into())
    );
    assert_eq!(read::<Vec<u8>>("[1,2]"), Ok(vec![1, 2]));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    y: Option<i32>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Round(f64),
    Line(i32, i32),
    Box { w: u8, h: u8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Metres(u32);

#[test]
fn compounds() {
    let point = |x, y| Point { x, y };
    check(
        &[
            ("{\"x\":1}", point(1, None)),
            ("{\"y\":\"2\",\"z\":[{}],\"x\":\"1\"}", point(1, Some(2))),
            ("[1,2]", point(1, Some(2))),
            ("[1,null]", point(1, None)),
        ],
        &["{\"y\":1}", "[1,2,3]", "\"x\"", "{\"x\":{}}", "null"],
    );
    check(
        &[
            ("\"Empty\"", Shape::Empty),
            ("{\"Empty\":null}", Shape::Empty),
            ("{\"Round\":\"1.5\"}", Shape::Round(1.5)),
            ("{\"Line\":[1,\"2\"]}", Shape::Line(1, 2)),
            ("{\"Box\":{\"w\":1,\"h\":2}}", Shape::Box { w: 1, h: 2 }),
        ],
        &[
            "\"Nothing\"",
            "{}",
            "{\"Round\":1,\"Empty\":null}",
            "[]",
            "null",
            "{\"Line\":[1]}",
            "{\"Line\":[1,2,3]}",
        ],
    );
    check(&[("\"5\"", Metres(5))], &["[5]"]);
    check(&[("null", None), ("\"5\"", Some(5))], &["\"x\""]);
    check(&[("null", ())], &["0", "\"\"", "[]"]);
    check(
        &[("{\"1\":\"2\"}", BTreeMap::from([(1, 2)]))],
        &["{\"a\":1}", "{\"1.5\":1}"],
    );
    check(
        &[("{\"a\":1,\"a\":2}", HashMap::from([("a".to_owned(), 2)]))],
        &[],
    );
    check(&[("[1,\"2\"]", (1, 2))], &["[1]", "[1,2,3]"]);
    check(
        &[(
            "{\"b\":1,\"a\":2}",
            [("b", 1), ("a", 2)].into_iter().collect::<Map>(),
        )],
        &["[]"],
    );
}

/// Perl programs send `undef` for the empty value of any type.
#[test]
fn null_is_the_empty_value_of_a_type_without_null() {
    assert_eq!(read::<String>("null").as_deref(), Ok(""));
    assert_eq!(read::<i64>("null"), Ok(0));
    assert_eq!(read::<u128>("null"), Ok(0));
    assert_eq!(read::<f64>("null"), Ok(0.0));
    assert_eq!(read::<bool>("null"), Ok(false));
    assert_eq!(read::<Vec<u8>>("null"), Ok(Vec::new()));
    assert_eq!(read::<Vec<String>>("[null]"), Ok(vec![String::new()]));
    assert_eq!(read::<Option<String>>("null"), Ok(None));
    assert_eq!(read::<Value>("null"), Ok(Value::Null));
    // The same by way of a value.
    assert_eq!(from_value::<String>(Value::Null).as_deref(), Ok(""));
    assert_eq!(from_value::<Vec<i64>>(Value::Null), Ok(Vec::new()));
}

#[test]
fn error_texts() {
    for (error, expected) in [
        (
            read::<i64>("\"abc\"").err(),
            "argument 1: invalid type: string \"abc\", expected i64",
        ),
        (
            read::<i64>("1.5").err(),
            "argument 1: invalid type: floating point `1.5`, expected i64",
        ),
        (
            read::<u8>("300").err(),
            "argument 1: invalid value: integer `300`, expected u8",
        ),
        (
            read::<bool>("2").err(),
            "argument 1: invalid type: integer `2`, expected a boolean",
        ),
        (
            read::<String>("[1]").err(),
            "argument 1: invalid type: sequence, expected a string",
        ),
        (
            read::<Point>("null").err(),
            "argument 1: invalid type: unit value, expected struct Point",
        ),
        (read::<Point>("{}").err(), "argument 1: missing field `x`"),
        (
            read::<PortId>("\"\"").err(),
            "argument 1: an ID must not be empty",
        ),
    ] {
        assert_eq!(error.as_deref(), Some(expected));
    }
}

#[test]
fn values_from_types_and_back() {
    for shape in [
        Shape::Empty,
        Shape::Round(0.5),
        Shape::Line(-1, 2),
        Shape::Box { w: 3, h: 4 },
    ] {
        let value = to_value(&shape).expect("a value");
        assert_eq!(from_value::<Shape>(value), Ok(shape));
    }
    let value = to_value(&(i128::from(u64::MAX), i128::MAX, Metres(1), point())).expect("a value");
    assert_eq!(
        value.to_string(),
        "[18446744073709551615,\"170141183460469231731687303715884105727\",1,{\"x\":1,\"y\":null}]"
    );
    assert!(to_value(&f64::NAN).is_err());
    assert!(to_value(&BTreeMap::from([((1, 2), 3)])).is_err());
}

fn point() -> Point {
    Point { x: 1, y: None }
}
