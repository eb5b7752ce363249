//! Arguments as Rust types, straight from packets and by way of values.
//!
//! The input is that of [`framing`](super::framing): every packet's elements are read as each of many types.

mod types;

use std::fmt::Debug;

use aemp_codec::{PacketReader, Value, from_value, to_value};
use serde::{Serialize, de::DeserializeOwned};

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
}

impl<'a> Packet<'a> {
    fn new(stream: &'a Stream<'a>, bytes: &'a [u8]) -> Self {
        let mut packet = Self {
            stream,
            bytes,
            values: Vec::new(),
            complete: false,
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
        packet
    }

    fn open(&self) -> Option<PacketReader<'a>> {
        self.stream
            .format
            .reader(self.bytes, self.stream.limits)
            .ok()
    }

    /// Reads every element as a `T` in all ways there are; how many are one.
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
            same(&straight, &by_value.map(Some), value);
            same(&straight, &by_reference, value);
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
        same(&straight, &by_value, &self.values);
        usize::from(straight.is_ok())
    }

    /// What is a `T` can be sent, and is the same `T` at the other end.
    fn goes_back<T: Serialize + DeserializeOwned + Debug>(&self, typed: &T) {
        let mut out = Vec::new();
        let mut writer = self.stream.format.writer(&mut out, self.stream.limits);
        let value = to_value(typed);
        if writer.arg(typed).is_err() || writer.finish().is_err() {
            return;
        }
        let reader = self.stream.format.reader(&out, self.stream.limits);
        let again = reader.and_then(|mut reader| reader.arg::<T>());
        assert!(
            matches!(&again, Ok(Some(again)) if shown(again) == shown(typed)),
            "{typed:?} arrives as {again:?}"
        );
        let again = from_value::<T>(value.expect("it can even be sent"));
        assert!(
            matches!(&again, Ok(again) if shown(again) == shown(typed)),
            "{typed:?} is the value of {again:?}"
        );
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
