//! Splitting the bytes of a handshake into lines.

use zeroize::{Zeroize, Zeroizing};

use super::HandshakeError;

/// The longest line in octets, with its line end ([protocol](crate::protocol::handshake#handshake)).
const LONGEST: usize = 4096;

/// The bytes that have arrived and are not used up.
#[derive(Default)]
pub(super) struct LineBuffer {
    buffer: Vec<u8>,
    scanned: usize,
}

impl LineBuffer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Returns the next line without its end, which is LF or CR LF. The line is wiped when dropped: it may be the
    /// secret in clear text.
    pub(super) fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, HandshakeError> {
        let found = self.buffer[self.scanned..]
            .iter()
            .position(|&byte| byte == b'\n');
        let Some(end) = found.map(|found| self.scanned + found + 1) else {
            self.scanned = self.buffer.len();
            // There is no room left for a line end.
            if self.buffer.len() >= LONGEST {
                return Err(HandshakeError::LineTooLong);
            }
            return Ok(None);
        };
        if end > LONGEST {
            return Err(HandshakeError::LineTooLong);
        }
        let line = &self.buffer[..end - 1];
        let line = Zeroizing::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec());
        self.buffer[..end].zeroize();
        self.buffer.drain(..end);
        self.scanned = 0;
        Ok(Some(line))
    }

    /// The remaining bytes, which belong to the part after the handshake.
    pub(super) fn into_rest(self) -> Vec<u8> {
        self.buffer
    }
}

impl std::fmt::Debug for LineBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LineBuffer({} bytes)", self.buffer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_lf_or_cr_lf() {
        let mut lines = LineBuffer::default();
        lines.push(b"one\ntwo\r\n\nfour\rfive\n[rest");
        let mut next = || {
            lines
                .next()
                .unwrap()
                .map(|line| String::from_utf8(line.to_vec()).unwrap())
        };
        assert_eq!(next().as_deref(), Some("one"));
        assert_eq!(next().as_deref(), Some("two"));
        assert_eq!(next().as_deref(), Some(""));
        assert_eq!(next().as_deref(), Some("four\rfive"));
        assert_eq!(next(), None);
        assert_eq!(lines.into_rest(), b"[rest");
    }

    #[test]
    fn a_line_may_have_4096_octets_with_its_end() {
        for (len, fits) in [(4095, true), (4096, false)] {
            let mut lines = LineBuffer::default();
            lines.push(&vec![b'x'; len]);
            assert_eq!(lines.next().is_ok(), fits, "{len} in two reads");
            let mut lines = LineBuffer::default();
            lines.push(&[vec![b'x'; len], b"\n".to_vec()].concat());
            assert_eq!(lines.next().is_ok(), fits, "{len} in one read");
        }
    }
}
