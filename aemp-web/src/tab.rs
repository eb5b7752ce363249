//! The tables that the user can choose from.

use super::table::Order;

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// Nodes.
    Nodes,
    /// Connections, by their ends.
    Connections,
    /// Ports with the longest queues.
    Ports,
    /// Types of ports.
    Types,
    /// Handlers, by type.
    Handlers,
    /// Calls, by type and handler.
    Calls,
    /// Handlers that wait for calls, and circles of them.
    Waits,
    /// Families of the database.
    Families,
    /// Supervisors and their children, as a tree.
    Tree,
    /// The log of the network.
    Logs,
    /// The contents of one family.
    Keys,
}

impl Tab {
    /// The tables that are always there.
    pub const ALL: [Self; 9] = [
        Self::Nodes,
        Self::Connections,
        Self::Ports,
        Self::Types,
        Self::Handlers,
        Self::Calls,
        Self::Families,
        Self::Tree,
        Self::Logs,
    ];

    /// The name of the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Connections => "conns",
            Self::Ports => "ports",
            Self::Types => "types",
            Self::Handlers => "handlers",
            Self::Calls => "calls",
            Self::Waits => "waits",
            Self::Families => "families",
            Self::Tree => "tree",
            Self::Logs => "logs",
            Self::Keys => "keys",
        }
    }

    /// The initial sorting of a table.
    pub fn order(self) -> Order {
        let column = match self {
            Self::Nodes
            | Self::Connections
            | Self::Families
            | Self::Tree
            | Self::Logs
            | Self::Keys
            | Self::Waits => 0,
            Self::Ports | Self::Handlers => 2,
            Self::Types => 1,
            Self::Calls => 4,
        };
        Order {
            column,
            reversed: false,
        }
    }

    /// The next table, or the previous one.
    pub fn next(self, forward: bool) -> Self {
        let at = Self::ALL.iter().position(|tab| *tab == self);
        let step = if forward { 1 } else { Self::ALL.len() - 1 };
        Self::ALL[(at.unwrap_or_default() + step) % Self::ALL.len()]
    }
}
