//! JSON, as AnyEvent::MP nodes write it and as strictly as they read it.

mod de;
mod frame;
mod reader;
mod ser;
mod string;

pub(crate) use self::frame::JsonFramer;
pub(crate) use self::reader::JsonReader;
pub(crate) use self::ser::JsonWriter;
