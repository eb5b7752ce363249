//! The actions of the keys.

use aemp::logs::LogLine;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    network::{Network, Opened, Report, Trees},
    place::Place,
    tab::Tab,
    table::Table,
};

/// The state of the display.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) network: Network,
    pub(super) place: Place,
    /// The places to go back to.
    back: Vec<Place>,
    /// True if a filter is being typed.
    pub(super) typing: bool,
    pub(super) help: bool,
    pub(super) paused: bool,
    /// The number of rows on the screen. The view sets it.
    pub(super) height: usize,
}

/// The continuation after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Go,
    Quit,
}

impl App {
    pub(super) fn new(own: &str) -> Self {
        Self {
            network: Network::new(own),
            place: Place::new(Tab::Nodes, None),
            back: Vec::new(),
            typing: false,
            help: false,
            paused: false,
            height: 10,
        }
    }

    /// Takes the contents of the open family, unless the display is paused.
    pub(super) fn open(&mut self, opened: Opened) {
        if !self.paused && self.family() == Some(&opened.family) {
            let is_same = |family: &String| *family == opened.family;
            self.network.opened.retain(|family, _| is_same(family));
            self.network.open(opened);
        }
    }

    /// Takes the supervisors of a node, unless the display is paused.
    pub(super) fn add_trees(&mut self, trees: Trees) {
        if !self.paused {
            self.network.add_trees(trees);
        }
    }

    /// Takes a line of the log. While the display is paused, lines are dropped.
    pub(super) fn log(&mut self, line: LogLine) {
        if !self.paused {
            self.network.logs.add(line);
        }
    }

    /// Takes an answer, unless the display is paused.
    pub(super) fn add_report(&mut self, report: Report) {
        if !self.paused {
            self.network.add_report(report);
        }
    }

    pub(super) fn table(&self) -> Table {
        self.place.table(&self.network)
    }

    /// Performs the action of a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Then {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Then::Quit;
        }
        if self.typing {
            self.type_filter(key.code);
            return Then::Go;
        }
        if self.help {
            self.help = false;
            return Then::Go;
        }
        match key.code {
            KeyCode::Char('q') => return Then::Quit,
            KeyCode::Char('?' | 'h') => self.help = true,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char('>' | '.') | KeyCode::Right => self.place.sort_by_next(true),
            KeyCode::Char('<' | ',') | KeyCode::Left => self.place.sort_by_next(false),
            KeyCode::Char('r') => self.place.order.reversed = !self.place.order.reversed,
            KeyCode::Tab => self.show(self.place.tab.next(true)),
            KeyCode::BackTab => self.show(self.place.tab.next(false)),
            KeyCode::Char(digit @ '1'..='9') => {
                let at = digit as usize - '1' as usize;
                if let Some(tab) = Tab::ALL.get(at) {
                    self.show(*tab);
                }
            }
            KeyCode::Enter => self.enter(),
            KeyCode::Esc | KeyCode::Backspace => self.leave(),
            code => self.move_by(code),
        }
        Then::Go
    }

    fn move_by(&mut self, code: KeyCode) {
        let page = isize::try_from(self.height.max(2) - 1).unwrap_or(isize::MAX);
        let rows = match code {
            KeyCode::Down | KeyCode::Char('j') => 1,
            KeyCode::Up | KeyCode::Char('k') => -1,
            KeyCode::PageDown => page,
            KeyCode::PageUp => -page,
            KeyCode::Home | KeyCode::Char('g') => isize::MIN + 1,
            KeyCode::End | KeyCode::Char('G') => isize::MAX,
            _ => return,
        };
        let table = self.table();
        self.place.go(&table, rows);
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.place.filter.clear();
            }
            KeyCode::Backspace => {
                self.place.filter.pop();
            }
            KeyCode::Char(character) => self.place.filter.push(character),
            code => self.move_by(code),
        }
    }

    /// Shows another table of the same node, or of all nodes.
    fn show(&mut self, tab: Tab) {
        // The table of nodes always has all of them, and the keys of a family belong to no node.
        let kept = tab != Tab::Nodes && self.place.tab != Tab::Keys;
        let scope = self.place.scope.take().filter(|_| kept);
        self.place = Place::new(tab, scope);
    }

    /// Opens the selected row.
    fn enter(&mut self) {
        let table = self.table();
        let Some(key) = self.place.meant(&table) else {
            return;
        };
        let to = match self.place.tab {
            Tab::Nodes => Place::new(Tab::Connections, Some(key)),
            // Goes to the other end of the connection.
            Tab::Connections => match key.split_once(' ') {
                Some((_, other)) => Place::new(Tab::Connections, Some(other.into())),
                None => return,
            },
            Tab::Ports | Tab::Tree => match key.split_once('#') {
                Some((node, _)) => Place::new(Tab::Ports, Some(node.into())),
                None => return,
            },
            Tab::Families => Place::new(Tab::Keys, Some(key)),
            Tab::Logs => match key.split_once(' ') {
                Some((_, node)) => Place::new(Tab::Logs, Some(node.into())),
                None => return,
            },
            Tab::Keys | Tab::Handlers | Tab::Calls | Tab::Waits => return,
            Tab::Types => {
                let mut place = Place::new(Tab::Ports, self.place.scope.clone());
                place.filter = key;
                place
            }
        };
        let from = std::mem::replace(&mut self.place, to);
        self.back.push(from);
    }

    /// The open family.
    pub(super) fn family(&self) -> Option<&str> {
        let keys = self.place.tab == Tab::Keys;
        self.place.scope.as_deref().filter(|_| keys)
    }

    /// Removes the filter, or goes back.
    fn leave(&mut self) {
        if let Some(place) = self.back.pop() {
            self.place = place;
        } else if !self.place.filter.is_empty() {
            self.place.filter.clear();
        } else {
            self.place.scope = None;
        }
    }
}
