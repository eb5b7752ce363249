//! Connections that others have opened and that have proved nothing.

use std::collections::BTreeSet;

use crate::proto::peer::ConnId;

/// Whoever has come and proved nothing yet.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Numbers of connections grow, so the first has been here longest.
    open: BTreeSet<ConnId>,
}

impl Strangers {
    pub(super) fn came(&mut self, conn: ConnId) {
        self.open.insert(conn);
    }

    /// It has proved itself, or is gone.
    pub(super) fn gone(&mut self, conn: ConnId) {
        self.open.remove(&conn);
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn take_oldest(&mut self) -> Option<ConnId> {
        self.open.pop_first()
    }
}
