//! The reasons and errors of inline streams.

use std::{
    fmt::Display,
    io::{self, ErrorKind},
};

use aemp_codec::Value;

use crate::{Reason, node::streams::DATA_CONN};
use aemp_proto::stream::FrameError;

/// The first element of the reason of a monitor on a port that has died before.
const NO_SUCH_PORT: &str = "no_such_port";

/// The reason for a stream that fails, as that of a stream to a function.
pub(super) fn failure(text: impl Display) -> Reason {
    Reason::new(vec![DATA_CONN.into(), text.to_string().into()])
}

/// The text of the reason for which a stream has failed.
pub(super) fn text_of(reason: &Reason) -> String {
    match &**reason {
        [first, text] if first.text().as_deref() == Some(DATA_CONN) => {
            text.text().unwrap_or_default().into_owned()
        }
        _ => reason.to_string(),
    }
}

/// The error of an end that waits for bytes.
pub(super) fn cut_off(reason: &Reason) -> io::Error {
    let text = match is_dropped(reason) {
        true => FrameError::CutOff.to_string(),
        false => format!("the stream was cut off: {}", text_of(reason)),
    };
    io::Error::new(ErrorKind::UnexpectedEof, text)
}

/// The error of an end that writes.
pub(super) fn gone(reason: &Reason) -> io::Error {
    let text = match is_dropped(reason) {
        true => "the other end was dropped".into(),
        false => text_of(reason),
    };
    io::Error::new(ErrorKind::BrokenPipe, text)
}

/// True if the other end was dropped, perhaps before its port was monitored.
fn is_dropped(reason: &Reason) -> bool {
    let kind = reason.first().and_then(Value::text);
    kind.is_none_or(|kind| kind == NO_SUCH_PORT)
}
