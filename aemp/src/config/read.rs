//! Values of keys as Rust types, as leniently as Perl where no misunderstanding is possible.
//!
//! The errors name the expected value, and the value that was found.

use std::time::Duration;

use aemp_codec::{NodeId, Value};

use super::{Address, Expected, Host, Permit, Seed, Service, ValueError, expand_node_id};
use aemp_proto::handshake::{
    Encrypt,
    auth::{Method, Secret},
};

type Read<T> = Result<T, ValueError>;

pub(super) fn text(value: &Value) -> Read<String> {
    match value.text() {
        Some(text) if !matches!(value, Value::Bool(_)) => Ok(text.into_owned()),
        _ => wrong(Expected::Text, value),
    }
}

/// Reads a text that errors must not repeat.
pub(super) fn hidden(value: &Value) -> Read<String> {
    text(value).map_err(|_| ValueError::Unexpected {
        expected: Expected::Text,
        found: kind(value).into(),
    })
}

/// Reads the octets of a secret. Reference nodes take its characters for octets.
pub(super) fn secret(value: &Value) -> Read<Secret> {
    if let Value::Bytes(octets) = value {
        return Ok(Secret::new(octets));
    }
    let text = Value::Str(hidden(value)?);
    match text.as_bytes() {
        Some(octets) => Ok(Secret::new(octets)),
        None => Err(ValueError::WideSecret),
    }
}

pub(super) fn node_id(value: &Value) -> Read<String> {
    let configured = text(value)?;
    match NodeId::new(expand_node_id(&configured, "host", "random")) {
        Ok(_) => Ok(configured),
        Err(error) => Err(ValueError::NodeId {
            text: configured,
            error,
        }),
    }
}

/// The shortest and the longest duration, in seconds. Others are mistakes, and very long ones would overflow.
const LEAST_SECONDS: f64 = 0.001;
const MOST_SECONDS: f64 = 1e9;
/// The shortest `monitor_timeout`, in seconds: keepalives are sent three times as often.
const LEAST_TIMEOUT: f64 = 0.03;

/// Reads a number from a number or a text.
pub(super) fn number(value: &Value, least: f64) -> Read<Value> {
    let known = match value {
        Value::Str(text) => parse_number(text.trim()),
        number => number.as_f64().map(|_| number.clone()),
    };
    let allowed = least..=MOST_SECONDS;
    match known
        .clone()
        .filter(|number| number.as_f64().is_some_and(|x| allowed.contains(&x)))
    {
        Some(number) => Ok(number),
        None if known.is_some_and(|number| number.as_f64() > Some(MOST_SECONDS)) => {
            wrong(Expected::FewerSeconds(MOST_SECONDS), value)
        }
        None => wrong(Expected::Seconds(least), value),
    }
}

fn parse_number(text: &str) -> Option<Value> {
    if let Ok(n) = text.parse::<i64>() {
        return Some(Value::Int(n));
    }
    text.parse().ok().map(Value::Float)
}

fn seconds_from(value: &Value, least: f64) -> Read<Duration> {
    let number = number(value, least)?.as_f64();
    let duration = number.and_then(|x| Duration::try_from_secs_f64(x).ok());
    duration.ok_or(ValueError::OutOfRange)
}

/// Reads a duration, such as `connect_interval`.
pub(super) fn seconds(value: &Value) -> Read<Duration> {
    seconds_from(value, LEAST_SECONDS)
}

/// Reads the duration `monitor_timeout`.
pub(super) fn timeout(value: &Value) -> Read<Duration> {
    seconds_from(value, LEAST_TIMEOUT)
}

/// The smallest value of the duration with this name, in seconds.
pub(super) fn least(key: &str) -> f64 {
    match key {
        "monitor_timeout" => LEAST_TIMEOUT,
        _ => LEAST_SECONDS,
    }
}

/// The largest count or number of bytes.
const MOST: u64 = 1 << 53;

/// The smallest sensible value of the limit with this name.
fn least_of(key: &str) -> u64 {
    match key {
        // Room for three lines.
        "max_handshake_bytes" => 16 << 10,
        // Room for messages of the database.
        "max_packet_bytes" | "max_queue_bytes" | "max_packet_values" => 512,
        // Levels for the packet, the database, its family, and its value.
        "max_packet_depth" => 8,
        _ => 1,
    }
}

fn whole(value: &Value, key: &str, units: bool) -> Read<usize> {
    let number = match value {
        Value::Str(text) => parse_whole(text.trim(), units),
        Value::Float(number) => (number.fract() == 0.0 && *number >= 0.0 && *number <= MOST as f64)
            .then_some(*number as u64),
        number => number.as_u64(),
    };
    let allowed = least_of(key)..=MOST;
    let number = number.filter(|number| allowed.contains(number));
    match number.and_then(|number| usize::try_from(number).ok()) {
        Some(number) => Ok(number),
        None if units => wrong(Expected::Bytes(*allowed.start()), value),
        None => wrong(Expected::Count(*allowed.start()), value),
    }
}

fn parse_whole(text: &str, units: bool) -> Option<u64> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, unit)) if units && !unit.is_ascii_digit() => (text[..at].trim_end(), Some(unit)),
        _ => (text, None),
    };
    let shift = match unit.map(|unit| unit.to_ascii_uppercase()) {
        None => 0,
        Some('K') => 10,
        Some('M') => 20,
        Some('G') => 30,
        Some(_) => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Reads a limit that is a count.
pub(super) fn count(value: &Value, key: &str) -> Read<usize> {
    whole(value, key, false)
}

/// Reads a limit that is a number of bytes.
pub(super) fn bytes(value: &Value, key: &str) -> Read<usize> {
    whole(value, key, true)
}

pub(super) fn flag(value: &Value) -> Read<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Null => Ok(false),
        Value::Str(text) => match text.trim() {
            "" | "0" | "false" => Ok(false),
            "1" | "true" => Ok(true),
            _ => wrong(Expected::Flag, value),
        },
        number => match number.as_f64() {
            Some(x) => Ok(x != 0.0),
            None => wrong(Expected::Flag, value),
        },
    }
}

/// The elements of an array, of a text with commas, or of a single number.
pub(super) fn items(value: &Value) -> Read<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items.clone()),
        Value::Null => Ok(Vec::new()),
        Value::Str(text) => Ok(split(text).map(Value::from).collect()),
        Value::Int(_) | Value::UInt(_) => Ok(vec![value.clone()]),
        _ => wrong(Expected::List, value),
    }
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// Reads a list of texts. Each may be several, separated by commas.
pub(super) fn names(value: &Value) -> Read<Vec<String>> {
    let mut names = Vec::new();
    for (i, item) in items(value)?.iter().enumerate() {
        let text = text(item).map_err(|error| element(i, error))?;
        names.extend(split(&text).map(str::to_owned));
    }
    Ok(names)
}

fn element(i: usize, error: ValueError) -> ValueError {
    ValueError::Element {
        number: i + 1,
        error: error.into(),
    }
}

/// Reads a list of addresses. An empty text is an empty list, but an empty element of a list is a mistake.
pub(super) fn addresses(value: &Value) -> Read<Vec<Address>> {
    for (i, item) in value.as_array().unwrap_or_default().iter().enumerate() {
        if item.as_str().is_some_and(|text| text.trim().is_empty()) {
            return Err(element(i, ValueError::NoAddress));
        }
    }
    let names = names(value)?;
    let parsed = names.iter().map(|name| name.parse::<Address>());
    Ok(parsed.collect::<Result<_, _>>()?)
}

/// Reads seeds. A command is one element, even if it contains commas.
pub(super) fn seeds(value: &Value) -> Read<Vec<Seed>> {
    let mut seeds = Vec::new();
    for (i, item) in items(value)?.iter().enumerate() {
        let text = text(item).map_err(|error| element(i, error))?;
        let one = Seed::is_command(&text).then_some(text.as_str());
        let each = one
            .into_iter()
            .chain(split(&text).filter(|_| one.is_none()));
        for seed in each {
            seeds.push(seed.parse()?);
        }
    }
    Ok(seeds)
}

/// Reads the addresses that are announced to other nodes, to which these can connect.
pub(super) fn announced(value: &Value) -> Read<Vec<Address>> {
    let addresses = addresses(value)?;
    match addresses.iter().find(|address| address.host == Host::Any) {
        Some(any) => Err(ValueError::Unreachable(any.clone())),
        None => Ok(addresses),
    }
}

pub(super) fn methods(value: &Value) -> Read<Vec<Method>> {
    let names = names(value)?;
    let methods = names
        .iter()
        .map(|name| Method::from_name(name).ok_or_else(|| ValueError::UnknownMethod(name.clone())));
    methods.collect()
}

pub(super) fn encrypt(value: &Value) -> Read<Encrypt> {
    let expected = Expected::Encrypt;
    let name = text(value).or_else(|_| wrong(expected, value))?;
    Encrypt::from_name(name.trim()).map_or_else(|| wrong(expected, value), Ok)
}

pub(super) fn permits(value: &Value) -> Read<Vec<Permit>> {
    let permits = items(value)?.into_iter().enumerate();
    permits
        .map(|(i, permit)| {
            text(&permit)
                .and_then(|text| Ok(text.parse()?))
                .map_err(|error| element(i, error))
        })
        .collect()
}

pub(super) fn services(value: &Value) -> Read<Vec<Service>> {
    let items = items(value)?;
    let services = items.iter().enumerate();
    services
        .map(|(i, item)| service(item).map_err(|error| element(i, error)))
        .collect()
}

fn service(item: &Value) -> Read<Service> {
    let (name, args) = match item {
        Value::Str(name) => (name, Vec::new()),
        Value::Array(parts) => match parts.split_first() {
            Some((Value::Str(name), args)) => (name, args.to_vec()),
            _ => return wrong(Expected::FunctionFirst, item),
        },
        _ => return wrong(Expected::Function, item),
    };
    if name.trim().is_empty() {
        return Err(ValueError::NoFunction);
    }
    let name = name.trim().into();
    Ok(Service { name, args })
}

#[cold]
fn wrong<T>(expected: Expected, found: &Value) -> Read<T> {
    let found = match found {
        Value::Str(text) if text.chars().count() > 40 => {
            let start: String = text.chars().take(40).collect();
            format!("{start:?}...")
        }
        Value::Array(_) | Value::Map(_) | Value::Bytes(_) => kind(found).into(),
        scalar => scalar.to_string(),
    };
    Err(ValueError::Unexpected { expected, found })
}

/// Describes the kind of a value without showing it.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::Str(_) => "a text",
        Value::Bytes(_) => "octets",
        Value::Array(_) => "an array",
        Value::Map(_) => "an object",
    }
}
