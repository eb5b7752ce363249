//! Types of arguments.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU8,
    time::Duration,
};

use aemp_codec::{Map, NodeId, PortId, Value};
use serde::{Deserialize, Serialize};

use super::Packet;

#[derive(Debug, Serialize, Deserialize)]
struct Plain {
    a: i64,
    b: Option<String>,
    #[serde(default)]
    c: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    #[serde(rename = "type")]
    kind: Kind,
    inner: Option<Box<Plain>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Flat {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Wrapped(i32);

#[derive(Debug, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, Serialize, Deserialize)]
struct Pair(String, u8);

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    One,
    #[serde(alias = "2")]
    Two,
}

#[derive(Debug, Serialize, Deserialize)]
enum External {
    Unit,
    New(i64),
    Tuple(i8, String),
    Struct { x: f64, y: Option<bool> },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t")]
enum Internal {
    Unit,
    Struct { x: i32 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Unit,
    New(Vec<i16>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Real(f64),
    Truth(bool),
    Text(String),
    List(Vec<Self>),
    Other(Value),
}

macro_rules! each {
    ($packet:ident: $($type:ty,)*) => { 0 $(+ $packet.each::<$type>())* };
}

macro_rules! answers {
    ($packet:ident: $($type:ty,)*) => { 0 $(+ $packet.answer::<$type>())* };
}

/// Reads the packet's elements as every type; how many are of which, in all.
pub(super) fn try_all(packet: &Packet<'_>) -> usize {
    scalars(packet) + composed(packet) + answers(packet)
}

fn scalars(packet: &Packet<'_>) -> usize {
    each!(packet:
        (), bool, i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f32, f64, char, String,
        Cow<'static, str>, Box<str>, NonZeroU8, NodeId, PortId, Wrapped, Nothing, Kind,
    )
}

fn composed(packet: &Packet<'_>) -> usize {
    each!(packet:
        Value, Map, Option<i64>, Option<Option<String>>, Vec<u8>, Vec<i64>, Vec<Value>, [u8; 3],
        (i64, String), (bool, Option<u8>), BTreeSet<String>, BTreeMap<String, i64>,
        BTreeMap<i64, String>, BTreeMap<u8, Value>, BTreeMap<char, ()>, BTreeMap<Kind, bool>, Duration,
        Result<i32, String>, Plain, Strict, Flat, Pair, External, Vec<External>, Internal, Adjacent,
        Untagged, serde_json::Value,
    )
}

fn answers(packet: &Packet<'_>) -> usize {
    answers!(packet:
        (), i64, String, (String,), (String, Option<i64>), (Value, Value, Value), [i64; 2],
        Vec<String>, Option<String>, Value, Plain, External, Untagged,
    )
}
