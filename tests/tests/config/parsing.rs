//! Reading the file: the tolerated deviations, and the errors for others.

use aemp::{
    Value,
    config::{ConfigError, SyntaxError},
};

use crate::common::{Home, json};

#[test]
fn comments_and_last_commas_are_tolerated() {
    let text = r##"# first
{ # second
   "a#b" : "c # no comment", # third
   "list" : [1, # one
      2,
   ],
   "tab" : "a	b",
   "object" : { "x" : null, },
}
# the end, without a line's end"##;
    let home = Home::with(text);
    let file = home.load().unwrap();
    assert_eq!(
        file.document().to_string(),
        r#"{"a#b":"c # no comment","list":[1,2],"tab":"a\tb","object":{"x":null}}"#
    );
}

#[test]
fn values_are_those_of_json() {
    for (text, value) in [
        ("0", Value::Int(0)),
        ("-1", Value::Int(-1)),
        ("-0", Value::Float(-0.0)),
        ("9223372036854775807", Value::Int(i64::MAX)),
        ("18446744073709551615", Value::UInt(u64::MAX)),
        (
            "18446744073709551616",
            Value::Float(18_446_744_073_709_551_616.0),
        ),
        ("1.5", Value::Float(1.5)),
        ("1E-2", Value::Float(0.01)),
        // Whole numbers are written without a fraction, so they are read as integers.
        ("2e+3", Value::Int(2000)),
        ("0e300", Value::Int(0)),
        ("-1.0", Value::Int(-1)),
        ("1e15", Value::Float(1e15)),
        ("true", Value::Bool(true)),
        ("false", Value::Bool(false)),
        ("null", Value::Null),
        (r#""""#, Value::from("")),
        (
            r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é""#,
            "\"\\/\u{8}\u{c}\n\r\té😀é".into(),
        ),
        ("[]", Value::Array(vec![])),
        (
            "[[],{}]",
            Value::Array(vec![Value::Array(vec![]), aemp::Map::new().into()]),
        ),
    ] {
        assert_eq!(json(text), value, "{text}");
    }
}

#[test]
fn the_last_of_two_equal_keys_counts() {
    let home = Home::with(r#"{"a": 1, "b": 2, "a": 3}"#);
    assert_eq!(
        home.load().unwrap().document().to_string(),
        r#"{"a":3,"b":2}"#
    );
}

#[test]
fn a_file_in_which_nothing_stands_is_an_empty_configuration() {
    for text in ["", "\n\n", "# nothing\n  # yet", "{}"] {
        let home = Home::with(text);
        let file = home.load().unwrap();
        assert_eq!(file.profiles().unwrap(), [""; 0], "{text:?}");
        assert!(!file.is_changed());
    }
    let home = Home::new();
    assert_eq!(
        home.load().unwrap().document().to_string(),
        r#"{"version":1}"#
    );
}

#[test]
fn a_mistake_has_a_kind_and_a_position() {
    for (text, line, expected) in [
        (
            "{ \"a\": 1\n \"b\"",
            2,
            SyntaxError::Unexpected {
                expected: "`,` or `}` behind the value",
                found: Some('"'),
            },
        ),
        ("{ \"a\": 01 }", 1, SyntaxError::LeadingZero),
        ("{\n\"a\": yes }", 2, SyntaxError::Unquoted("yes".into())),
        ("{ \"a", 1, SyntaxError::Unclosed),
        ("{ \"a\": \"\\x\" }", 1, SyntaxError::UnknownEscape),
    ] {
        match Home::with(text).load() {
            Err(ConfigError::Syntax {
                position, problem, ..
            }) => {
                assert_eq!((position.line, problem), (line, expected), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn errors_name_line_column_and_the_expected_token() {
    for (text, error) in [
        ("[]", "rc:1:1: expected `{`, found `[`"),
        ("\n  x", "rc:2:3: expected `{`, found `x`"),
        ("\u{feff}{}", "rc:1:1: expected `{`, found `\u{feff}`"),
        (
            "{",
            "rc:1:2: expected a key in quotes, or `}`, found the end of the file",
        ),
        (
            "{secret: 1}",
            "rc:1:2: expected a key in quotes, or `}`, found `s`",
        ),
        ("{,}", "rc:1:2: expected a key in quotes, or `}`, found `,`"),
        (
            "{\"a\" 1}",
            "rc:1:6: expected `:` behind the key, found `1`",
        ),
        ("{\"a\": }", "rc:1:7: expected a value, found `}`"),
        (
            "{\"a\":",
            "rc:1:6: expected a value, found the end of the file",
        ),
        ("{\"ä\": 'x'}", "rc:1:7: expected a value, found `'`"),
        ("{\"a\":\t= 1}", "rc:1:7: expected a value, found `=`"),
        (
            "{\"a\": 1\n \"b\": 2}",
            "rc:2:2: expected `,` or `}` behind the value, found `\"`",
        ),
        (
            "{\"a\": [1 2]}",
            "rc:1:10: expected `,` or `]` behind the element, found `2`",
        ),
        (
            "{\"a\": [1,",
            "rc:1:10: expected a value, found the end of the file",
        ),
        (
            "{\"a\": [1}",
            "rc:1:9: expected `,` or `]` behind the element, found `}`",
        ),
        ("{\"a\": [,]}", "rc:1:8: expected a value, found `,`"),
        (
            "{\"a\": 1,,}",
            "rc:1:9: expected a key in quotes, or `}`, found `,`",
        ),
        (
            "{} {}",
            "rc:1:4: expected nothing behind the configuration's `}`, found `{`",
        ),
        (
            "{\"a\": yes}",
            "rc:1:7: expected a value, found `yes`, which is not in quotes",
        ),
        (
            "{\"a\": nullx}",
            "rc:1:7: expected a value, found `nullx`, which is not in quotes",
        ),
        ("{\"a\": 01}", "rc:1:7: a number must not begin with 0"),
        ("{\"a\": -}", "rc:1:8: expected a digit, found `}`"),
        ("{\"a\": 1.}", "rc:1:9: expected a digit, found `}`"),
        ("{\"a\": .5}", "rc:1:7: expected a value, found `.`"),
        ("{\"a\": 1e}", "rc:1:9: expected a digit, found `}`"),
        ("{\"a\": 1e999}", "rc:1:7: the number is out of range"),
        (
            "{\n\"a\": \"x\n}",
            "rc:2:6: a text without a closing quote in its line",
        ),
        ("{\"a\": \"x", "rc:1:7: a text without a closing quote"),
        ("{\"a\": \"x\\", "rc:1:9: an unknown escape in a text"),
        ("{\"a\": \"\\x\"}", "rc:1:8: an unknown escape in a text"),
        (
            "{\"a\": \"\\u12\"}",
            "rc:1:8: `\\u` needs four hexadecimal digits",
        ),
        (
            "{\"a\": \"\\u+123\"}",
            "rc:1:8: `\\u` needs four hexadecimal digits",
        ),
        (
            "{\"a\": \"\\u12é\"}",
            "rc:1:8: `\\u` needs four hexadecimal digits",
        ),
        ("{\"a\": \"\\ud800\"}", "rc:1:8: half of a surrogate pair"),
        ("{\"a\": \"\\ude00\"}", "rc:1:8: half of a surrogate pair"),
        (
            "{\"a\": \"\u{1}\"}",
            "rc:1:8: a control character in a text",
        ),
        (
            "{\"a\": \u{1}}",
            "rc:1:7: expected a value, found a control character",
        ),
        (
            "# a comment {\n{\"a\" # \"\n x}",
            "rc:3:2: expected `:` behind the key, found `x`",
        ),
    ] {
        let home = Home::with(text);
        assert_eq!(home.error(home.load()), error, "{text:?}");
        assert_eq!(home.text(), text);
    }
}

#[test]
fn invalid_utf_8_is_reported_with_its_place() {
    let home = Home::new();
    std::fs::write(home.path(), b"{\"a\":\n \"\xc3\xa4 \xff\"}").unwrap();
    assert_eq!(
        home.error(home.load()),
        "rc:2:5: expected UTF-8, found another octet"
    );
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| format!("{{\"a\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    let home = Home::with(&nested(511));
    home.load().unwrap();
    home.write(&nested(512));
    assert_eq!(
        home.error(home.load()),
        "rc:1:518: nested deeper than 512 levels"
    );
    // A limit that is met before the stack's.
    home.write(&"{\"a\":".repeat(1_000_000));
    assert_eq!(
        home.error(home.load()),
        "rc:1:2561: nested deeper than 512 levels"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let home = Home::new();
    std::fs::create_dir(home.path()).unwrap();
    let error = home.error(home.load());
    assert!(error.starts_with("rc: cannot be read: "), "{error}");
}
