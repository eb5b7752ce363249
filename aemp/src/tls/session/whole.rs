//! Sessions over rustls connections with buffers of their own: only these give out an exporter.

use std::io::{Read, Write};

use rustls::Connection;

use super::{
    error::{TlsError, explain},
    outgoing::Outgoing,
    progress::Progress,
};
use aemp_proto::handshake::Binding;

/// Lets rustls process some of the ciphertext that has arrived. Returns the number of bytes used, and the next step.
pub(super) fn handle(
    conn: &mut Connection,
    incoming: &[u8],
    ended: bool,
    plain: &mut Vec<u8>,
    out: &mut Outgoing<'_>,
) -> (usize, Result<Progress, TlsError>) {
    let mut rest = incoming;
    let taken = match rest.is_empty() {
        true => Ok(0),
        false => conn.read_tls(&mut rest),
    };
    let taken = match taken {
        Ok(taken) => taken,
        Err(error) => return (0, Err(TlsError::new(error))),
    };
    let processed = conn.process_new_packets();
    // Also sends the alert after an error.
    if let Err(error) = flush(conn, out) {
        return (taken, Err(error));
    }
    let did = processed
        .map_err(|error| explain(&error))
        .and_then(|state| {
            let read = read(conn, state.plaintext_bytes_to_read(), plain)?;
            Ok(match () {
                () if taken > 0 || read > 0 => Progress::Made,
                () if state.peer_has_closed() && !ended => Progress::Ended,
                () => Progress::Wait {
                    up: !conn.is_handshaking(),
                },
            })
        });
    (taken, did)
}

fn read(conn: &mut Connection, bytes: usize, plain: &mut Vec<u8>) -> Result<usize, TlsError> {
    let start = plain.len();
    plain.resize(start + bytes, 0);
    let read = conn.reader().read_exact(&mut plain[start..]);
    read.map_err(TlsError::new).map(|()| bytes)
}

/// Encrypts plaintext. Returns the number of bytes used.
pub(super) fn encrypt(
    conn: &mut Connection,
    plain: &[u8],
    out: &mut Outgoing<'_>,
) -> Result<usize, TlsError> {
    let written = conn.writer().write(plain).map_err(TlsError::new)?;
    flush(conn, out)?;
    Ok(written)
}

/// Sends close_notify.
pub(super) fn farewell(conn: &mut Connection, out: &mut Outgoing<'_>) {
    conn.send_close_notify();
    // An error does not matter, because the connection is given up anyway.
    let _ = flush(conn, out);
}

/// The exporter of this connection.
pub(super) fn binding(conn: &Connection) -> Result<Binding, TlsError> {
    // RFC 9266: no context is the same as an empty one in TLS 1.3.
    let exported = conn.export_keying_material([0; Binding::LEN], Binding::LABEL, None);
    exported.map(Binding::new).map_err(|error| explain(&error))
}

fn flush(conn: &mut Connection, out: &mut Outgoing<'_>) -> Result<(), TlsError> {
    while conn.wants_write() {
        conn.write_tls(out).map_err(TlsError::new)?;
    }
    Ok(())
}
