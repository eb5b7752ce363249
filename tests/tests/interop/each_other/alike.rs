//! True if two values are the same to a Perl program.

use aemp::Value;

/// Compares scalars by their texts, octets by the characters of their numbers, and floats by their values.
pub(super) fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            let same = |(key, value)| other.get(key).is_some_and(|other| alike(value, other));
            one.len() == other.len() && one.iter().all(same)
        }
        _ => match (text(one), text(other)) {
            (Some(one), Some(other)) => one == other || same_float(&one, &other),
            (one, other) => one == other,
        },
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Bytes(octets) => Some(octets.iter().map(|octet| char::from(*octet)).collect()),
        Value::Null => None,
        value => value.text().map(|text| text.into_owned()),
    }
}

fn same_float(one: &str, other: &str) -> bool {
    let is_float = |text: &str| text.contains(['.', 'e']) && text.len() < 30;
    let floats = [one, other].map(str::parse::<f64>);
    let [Ok(x), Ok(y)] = floats else { return false };
    x == y && (is_float(one) || is_float(other))
}
