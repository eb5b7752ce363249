//! Arguments as Rust types, straight from packets and by way of values.
//!
//! The input is that of [`framing`](super::framing): every packet's elements are read as each of many types.

mod twice;
mod types;

use std::fmt::Debug;

use aemp_codec::{PacketReader, Value, from_value, to_value};
use serde::{Serialize, de::DeserializeOwned};

use self::twice::Twice;
use super::stream::Stream;

pub(super) fn run(bytes: &[u8]) -> usize {
    let stream = Stream::new(bytes);
    let (packets, _) = stream.whole();
    let mut decoded = 0;
    for range in packets.into_iter().take(4) {
        let packet = Packet::new(&stream, &stream.bytes[range]);
        decoded += types::try_all(&packet);
    }
    decoded
}

/// One packet, and the values in front of the first that cannot be one.
pub(super) struct Packet<'a> {
    stream: &'a Stream<'a>,
    bytes: &'a [u8],
    values: Vec<Value>,
    complete: bool,
    /// True if its numbers are written as this project writes them. A text argument gets the number as it is written,
    /// and a value does not keep that.
    usual: bool,
    /// True if one of its maps has a key twice: a value keeps the last entry, and a type that is read straight may stop
    /// at the first.
    twice: bool,
}

impl<'a> Packet<'a> {
    fn new(stream: &'a Stream<'a>, bytes: &'a [u8]) -> Self {
        let mut packet = Self {
            stream,
            bytes,
            values: Vec::new(),
            complete: false,
            usual: true,
            twice: false,
        };
        if let Some(mut reader) = packet.open() {
            packet.complete = loop {
                match reader.value() {
                    Ok(Some(value)) => packet.values.push(value),
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            };
        }
        packet.usual = stream.format.name() != "json" || packet.is_usual();
        packet.twice = packet.has_twice();
        packet
    }

    fn is_usual(&self) -> bool {
        let mut out = Vec::new();
        let mut writer = self.stream.format.writer(&mut out, self.stream.limits);
        let written = self.values.iter().try_for_each(|value| writer.value(value));
        written.and_then(|()| writer.finish()).is_ok() && out == self.bytes
    }

    fn has_twice(&self) -> bool {
        let Some(mut reader) = self.open() else {
            return false;
        };
        // An element that cannot even be searched is no map.
        let mut elements = self.values.iter().map(|_| reader.arg::<Twice>());
        elements.any(|element| element.is_ok_and(|found| found == Some(Twice(true))))
    }

    fn open(&self) -> Option<PacketReader<'a>> {
        self.stream
            .format
            .reader(self.bytes, self.stream.limits)
            .ok()
    }

    /// Reads every element as a `T`, in all ways. Returns the number of elements that are one.
    pub(super) fn each<T: Serialize + DeserializeOwned + Debug>(&self) -> usize {
        let Some(mut reader) = self.open() else {
            return 0;
        };
        let mut borrowed = PacketReader::from(self.values.as_slice());
        let mut decoded = 0;
        for value in &self.values {
            let straight = reader.arg::<T>();
            let by_value = from_value::<T>(value.clone());
            let by_reference = borrowed.arg::<T>();
            same(&by_reference, &by_value.map(Some), value);
            if !self.twice && (self.usual || !changes(value)) {
                same(&straight, &by_reference, value);
            }
            if let Ok(Some(typed)) = straight {
                decoded += 1;
                self.goes_back(&typed);
            }
        }
        if self.complete {
            assert!(matches!(reader.arg::<T>(), Ok(None)));
        }
        decoded
    }

    /// Reads all of the packet as an answer.
    pub(super) fn answer<T: Serialize + DeserializeOwned + Debug>(&self) -> usize {
        let Some(mut reader) = self.open().filter(|_| self.complete) else {
            return 0;
        };
        let straight = reader.answer::<T>();
        let by_value = PacketReader::values(self.values.clone()).answer::<T>();
        if !self.twice && (self.usual || !self.values.iter().any(changes)) {
            same(&straight, &by_value, &self.values);
        }
        usize::from(straight.is_ok())
    }

    /// A value that was read as a `T` can be sent, and arrives as the same `T`.
    fn goes_back<T: Serialize + DeserializeOwned + Debug>(&self, typed: &T) {
        let Some(arrived) = self.travel(typed) else {
            return;
        };
        let value = to_value(typed).expect("it can even be sent");
        let exact = shown(&arrived) == shown(typed);
        assert!(exact || changes(&value), "{typed:?} arrives as {arrived:?}");
        let settled = self.travel(&arrived);
        assert_eq!(settled.as_ref().map(shown), Some(shown(&arrived)));
        let again = from_value::<T>(value);
        assert!(
            matches!(&again, Ok(again) if shown(again) == shown(typed)),
            "{typed:?} is the value of {again:?}"
        );
    }

    /// The same at the other end; `None` if it cannot be sent.
    fn travel<T: Serialize + DeserializeOwned + Debug>(&self, typed: &T) -> Option<T> {
        let (format, limits) = (&self.stream.format, self.stream.limits);
        let mut out = Vec::new();
        let mut writer = format.writer(&mut out, limits);
        writer.arg(typed).ok()?;
        writer.finish().ok()?;
        let mut reader = format.reader(&out, limits).expect("a packet");
        let again = reader.arg::<T>();
        assert!(
            matches!(again, Ok(Some(_))),
            "{typed:?} arrives as {again:?}"
        );
        again.ok().flatten()
    }
}

/// True if a value may be another after a journey: floats become integers, and octets text.
fn changes(value: &Value) -> bool {
    match value {
        Value::Float(_) | Value::Bytes(_) => true,
        Value::Array(list) => list.iter().any(changes),
        Value::Map(map) => map.values().any(changes),
        _ => false,
    }
}

/// Floats that are no numbers are the same here, and both zeros are not.
fn shown(typed: &impl Debug) -> String {
    format!("{typed:?}")
}

fn same<T: Debug, E: Debug>(one: &Result<T, E>, other: &Result<T, E>, from: &impl Debug) {
    let agree = match (one, other) {
        (Ok(one), Ok(other)) => shown(one) == shown(other),
        (Err(_), Err(_)) => true,
        _ => false,
    };
    assert!(
        agree,
        "{}: {from:?} is {one:?} and {other:?}",
        std::any::type_name::<T>()
    );
}
