//! The ends of connections by errors, with their texts.

use std::io;

use crate::net::Net;
use aemp_proto::peer::ConnId;

/// The reference's text for the ordinary end of a connection.
pub(super) const END_OF_FILE: &str = "Unexpected end-of-file";

/// Reports to the mesh that a connection has failed in its handshake. An error of TLS is reported rather than the end
/// that follows from it.
pub(super) fn failed(net: &Net, conn: ConnId, error: &io::Error) {
    match tls_text(error) {
        Some(text) => net.ask(|mesh, now| mesh.tls_failed(now, conn, &text)),
        None => net.ask(|mesh, now| mesh.closed(now, conn, &text(error))),
    }
}

/// The system's text for an error, as in the reasons of the reference: without the number that Rust adds.
pub(in crate::net) fn text(error: &io::Error) -> String {
    if let Some(text) = tls_text(error) {
        return format!("TLS: {text}");
    }
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The text of an error, if it is one of TLS.
#[cfg(feature = "tls")]
fn tls_text(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<crate::tls::TlsError>()?;
    Some(error.to_string())
}

#[cfg(not(feature = "tls"))]
fn tls_text(_: &io::Error) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn errors_read_as_the_system_has_them() {
        let error = io::Error::from_raw_os_error(104);
        assert_eq!(text(&error), "Connection reset by peer");
    }
}
