//! Packets for a node that is not connected yet.

use std::collections::VecDeque;

use aemp_codec::{EncodeError, Format, Limits, PacketWriter, Value};

/// Packets in the order in which they were sent.
///
/// They wait as values, because their format is chosen when the connection is made.
#[derive(Debug, Default)]
pub(super) struct Queue {
    packets: VecDeque<Vec<Value>>,
    bytes: usize,
}

impl Queue {
    /// Appends a packet for `port`. `write` adds the elements behind the port's name.
    pub(super) fn push(
        &mut self,
        port: &str,
        limits: Limits,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut values = Vec::new();
        let mut packet = PacketWriter::values(&mut values, limits);
        packet.str(port)?;
        write(&mut packet)?;
        packet.finish()?;
        let bytes = weight_of_all(&values);
        if bytes > limits.max_packet {
            return Err(EncodeError::TooLarge {
                limit: limits.max_packet,
            });
        }
        self.push_values(values, bytes);
        Ok(())
    }

    /// Appends a packet of these elements, whose weight is known.
    pub(super) fn push_values(&mut self, values: Vec<Value>, weight: usize) {
        self.bytes += weight;
        self.packets.push_back(values);
    }

    /// The approximate size of the packets on the wire, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(super) fn into_packets(self) -> VecDeque<Vec<Value>> {
        self.packets
    }

    /// Writes all packets in the format of a connection.
    pub(super) fn write_all(
        self,
        format: &Format,
        limits: Limits,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        for values in self.packets {
            let mut packet = format.writer(out, limits);
            for value in &values {
                packet.value(value)?;
            }
            packet.finish()?;
        }
        Ok(())
    }
}

/// The approximate size of the values in memory or on the wire, in bytes. It limits growth and is no exact account.
pub(super) fn weight_of_all(values: &[Value]) -> usize {
    values.iter().fold(2, |sum, value| sum + 1 + weight(value))
}

/// The approximate size of a value, in bytes.
pub fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => 8,
        Value::Str(text) => 2 + text.len(),
        Value::Bytes(octets) => 2 + octets.len(),
        Value::Array(values) => weight_of_all(values),
        Value::Map(map) => map
            .iter()
            .fold(2, |sum, (key, value)| sum + 4 + key.len() + weight(value)),
    }
}
