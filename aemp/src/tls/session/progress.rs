//! The progress of a session.

/// The result of one step of rustls.
pub(super) enum Progress {
    Made,
    /// It needs more ciphertext. Plaintext may be sent if the connection is up.
    Wait {
        up: bool,
    },
    Ended,
}
