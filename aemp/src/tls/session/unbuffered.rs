//! Sessions over rustls connections without buffers: each state of rustls, and the work that it asks for.

use rustls::unbuffered::{ConnectionState, EncryptError, UnbufferedStatus};

use super::{
    error::{TlsError, explain},
    outgoing::{BESIDES, Outgoing},
    progress::Progress,
};

/// Handles a state of rustls. Returns the number of bytes of ciphertext used, and the next step.
pub(super) fn handle<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &mut Vec<u8>,
    out: &mut Outgoing<'_>,
) -> (usize, Result<Progress, TlsError>) {
    let UnbufferedStatus {
        mut discard, state, ..
    } = status;
    let did = match state {
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut result = Ok(Progress::Made);
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        discard += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                    Err(error) => result = Err(explain(&error)),
                }
            }
            result
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => encode(out, |out| match data.encode(out) {
            Ok(written) => Ok(written),
            Err(rustls::unbuffered::EncodeError::InsufficientSize(size)) => {
                Err(Some(size.required_size))
            }
            Err(_) => Err(None),
        }),
        // The data is in our buffer already, before everything that comes next.
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Progress::Made)
        }
        Ok(ConnectionState::WriteTraffic(_)) => Ok(Progress::Wait { up: true }),
        Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => {
            Ok(Progress::Wait { up: false })
        }
        Ok(ConnectionState::PeerClosed) => Ok(Progress::Ended),
        Ok(_) => Err(TlsError::new("an unknown state")),
        Err(error) => Err(explain(&error)),
    };
    (discard, did)
}

/// Encodes into a buffer that is grown as needed.
fn encode(
    out: &mut Outgoing<'_>,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<Progress, TlsError> {
    out.room(BESIDES);
    for _ in 0..2 {
        let start = *out.filled;
        match encode(&mut out.buffer[start..]) {
            Ok(written) => {
                *out.filled += written;
                return Ok(Progress::Made);
            }
            Err(Some(needed)) => out.room(needed),
            Err(None) => break,
        }
    }
    Err(TlsError::new("the data to send cannot be encoded"))
}

pub(super) fn encrypt<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &[u8],
    out: &mut [u8],
) -> Result<usize, TlsError> {
    match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
            traffic.encrypt(plain, out).map_err(|error| match error {
                EncryptError::EncryptExhausted => TlsError::new("the keys are used up"),
                error => TlsError::new(error),
            })
        }
        Ok(_) => Err(TlsError::new("nothing can be sent any more")),
        Err(error) => Err(explain(&error)),
    }
}

pub(super) fn farewell<Data>(status: UnbufferedStatus<'_, '_, Data>, out: &mut [u8]) -> usize {
    match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
            traffic.queue_close_notify(out).unwrap_or_default()
        }
        _ => 0,
    }
}
