//! The settings of the terminal, as they were before the line editor changed them.

/// The settings of the terminal at standard input.
pub(crate) use modes::Modes;

#[cfg(unix)]
mod modes {
    use std::io::{self, Write};

    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

    /// Ends the marking of pasted text, which the editor switches on.
    const NO_BRACKETED_PASTE: &[u8] = b"\x1b[?2004l\r\n";

    #[derive(Debug)]
    pub(crate) struct Modes(Option<Termios>);

    impl Modes {
        /// The present settings; none if there is no terminal.
        pub(crate) fn now() -> Self {
            Self(tcgetattr(io::stdin()).ok())
        }

        /// Restores the settings. If that fails, there is no way to report it.
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

        /// Does nothing: the system restores the terminal when the process ends.
        pub(crate) fn restore(&self) {}
    }
}
