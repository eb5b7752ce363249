//! JSON, as AnyEvent::MP nodes write it and as strictly as they read it.

mod encoding;
mod frame;
mod reader;
mod string;

pub(crate) use self::encoding::Json;
pub(crate) use self::frame::JsonFramer;
pub(crate) use self::reader::{Brackets, JsonReader};
