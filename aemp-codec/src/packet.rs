//! Typed access to one packet, in any format.

mod answer;
mod kept;
mod reader;
mod writer;

pub use self::kept::KeptPacket;
pub use self::reader::PacketReader;
pub use self::writer::PacketWriter;
