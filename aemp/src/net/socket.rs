//! The system's words.

use std::io;

use super::tls;

/// The system's text for an error, as in the reasons of the reference: without the number that Rust adds.
pub(super) fn text(error: &io::Error) -> String {
    if let Some(text) = tls::text(error) {
        return format!("TLS: {text}");
    }
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
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
