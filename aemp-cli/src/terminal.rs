//! The terminal as it was before a line editor took it.

/// How the terminal at standard input was set.
pub(crate) use modes::Modes;

#[cfg(unix)]
mod modes {
    use std::io::{self, Write};

    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

    /// Ends what the editor asks for while it reads: that pasted text is marked as such.
    const NO_BRACKETED_PASTE: &[u8] = b"\x1b[?2004l\r\n";

    #[derive(Debug)]
    pub(crate) struct Modes(Option<Termios>);

    impl Modes {
        /// As it is now; nothing if there is no terminal.
        pub(crate) fn now() -> Self {
            Self(tcgetattr(io::stdin()).ok())
        }

        /// Sets it as it was. Nobody is left to tell if that does not work.
        pub(crate) fn restore(&self) {
            if let Some(modes) = &self.0 {
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, modes);
                let _ = io::stdout().write_all(NO_BRACKETED_PASTE);
                let _ = io::stdout().flush();
            }
        }
    }
}

#[cfg(not(unix))]
mod modes {
    #[derive(Debug)]
    pub(crate) struct Modes;

    impl Modes {
        pub(crate) fn now() -> Self {
            Self
        }

        /// The system does it when the process ends.
        pub(crate) fn restore(&self) {}
    }
}
