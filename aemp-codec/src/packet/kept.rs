//! A packet that is read later than it arrives.

use super::PacketReader;
use crate::error::DecodeError;
use crate::format::Format;
use crate::limits::Limits;
use crate::value::Value;

/// The rest of a packet that was [kept](PacketReader::keep): its bytes as they arrived, for another reader.
///
/// ```
/// # #[cfg(feature = "json")] {
/// use aemp_codec::{Format, Limits};
///
/// let limits = Limits::default();
/// let mut packet = Format::Json.reader(br#"["port",1,"two"]"#, limits).unwrap();
/// packet.text().unwrap();
/// let kept = packet.keep(limits).unwrap();
/// assert_eq!(kept.reader().unwrap().answer::<(u8, String)>().unwrap(), (1, "two".into()));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct KeptPacket {
    content: Content,
    list: bool,
}

#[derive(Clone, Debug)]
enum Content {
    Bytes {
        format: Format,
        packet: Vec<u8>,
        limits: Limits,
        /// The number of elements that had been read, and the number of the first argument.
        resume: [usize; 2],
    },
    Values(Vec<Value>),
}

impl PacketReader<'_> {
    /// Keeps the rest, to be read later and elsewhere. Its syntax is checked now.
    ///
    /// # Errors
    ///
    /// If the rest of the packet is malformed.
    pub fn keep(&mut self, limits: Limits) -> Result<KeptPacket, DecodeError> {
        let (resume, list) = self.place();
        let Some((format, packet)) = self.bytes() else {
            return self.rest().map(|rest| KeptPacket::values(rest, list));
        };
        let kept = KeptPacket::bytes(format, packet, limits, resume, list);
        while self.skip()? {}
        Ok(kept)
    }
}

impl KeptPacket {
    pub(super) fn bytes(
        format: Format,
        packet: &[u8],
        limits: Limits,
        resume: [usize; 2],
        list: bool,
    ) -> Self {
        let packet = packet.to_vec();
        let content = Content::Bytes {
            format,
            packet,
            limits,
            resume,
        };
        Self { content, list }
    }

    pub(super) fn values(values: Vec<Value>, list: bool) -> Self {
        let content = Content::Values(values);
        Self { content, list }
    }

    /// The size of the whole packet in bytes; 0 if it did not arrive as bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.content {
            Content::Bytes { packet, .. } => packet.len(),
            Content::Values(_) => 0,
        }
    }

    /// A reader of the rest.
    ///
    /// # Errors
    ///
    /// As for the packet that was kept. Keeping it has checked its syntax.
    pub fn reader(&self) -> Result<PacketReader<'_>, DecodeError> {
        match &self.content {
            Content::Bytes {
                format,
                packet,
                limits,
                resume,
            } => {
                let mut reader = format.reader(packet, *limits)?;
                reader.resume(*resume, self.list)?;
                Ok(reader)
            }
            Content::Values(values) => {
                let mut reader = PacketReader::from(values.as_slice());
                if self.list {
                    reader.mark_list();
                }
                Ok(reader)
            }
        }
    }
}
