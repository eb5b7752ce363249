//! The terminal: taken at the start, and restored in any case.

use std::{io, thread, time::Duration};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyEventKind},
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How long after the end of all a key is still taken from the terminal.
const LOOK: Duration = Duration::from_millis(50);

/// The terminal while it is ours. Dropping it gives it back; a panic does as well.
pub(super) struct Screen {
    terminal: DefaultTerminal,
    events: UnboundedReceiver<Event>,
    reading: Option<thread::JoinHandle<()>>,
}

impl Screen {
    pub(super) fn take() -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        let (sender, events) = unbounded_channel();
        // Reading a terminal blocks. The thread ends soon after its last listener.
        let reading = thread::Builder::new().name("keys".into()).spawn(move || {
            while !sender.is_closed() {
                match event::poll(LOOK) {
                    Ok(false) => {}
                    Ok(true) => match event::read() {
                        Ok(event) => drop(sender.send(event)),
                        Err(_) => return,
                    },
                    Err(_) => return,
                }
            }
        });
        let reading = reading.inspect_err(|_| ratatui::restore())?;
        Ok(Self {
            terminal,
            events,
            reading: Some(reading),
        })
    }

    pub(super) fn terminal(&mut self) -> &mut DefaultTerminal {
        &mut self.terminal
    }

    /// The next key, or change of size; `None` when the terminal is gone.
    ///
    /// # Cancel safety
    ///
    /// No event is lost.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            match self.events.recv().await? {
                // Some terminals tell of keys that are let go.
                Event::Key(key) if key.kind == KeyEventKind::Release => {}
                event => return Some(event),
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.events.close();
        if let Some(reading) = self.reading.take() {
            // It must not take a key that is meant for whoever reads next.
            let _ = reading.join();
        }
        ratatui::restore();
    }
}
