//! The terminal, which is restored in any case.

use std::{io, thread, time::Duration};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyEventKind},
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The time for which the reading thread waits for a key before it checks whether it should end.
const LOOK: Duration = Duration::from_millis(50);

/// The terminal while the program uses it. It is restored when this is dropped, and after a panic.
pub(super) struct Screen {
    terminal: DefaultTerminal,
    events: UnboundedReceiver<Event>,
    reading: Option<thread::JoinHandle<()>>,
}

impl Screen {
    pub(super) fn take() -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        let (sender, events) = unbounded_channel();
        // Reading from a terminal blocks. The thread ends soon after its receiver is dropped.
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

    /// The next key or change of size; `None` if the terminal is gone.
    ///
    /// # Cancel safety
    ///
    /// No event is lost.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            match self.events.recv().await? {
                // Some terminals report released keys as well.
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
            // The thread must not take a key that is meant for the next reader of the terminal.
            let _ = reading.join();
        }
        ratatui::restore();
    }
}
