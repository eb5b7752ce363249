//! The answers of nodes.

use aemp::{
    inspect::{ConnectionInfo, Counts, FamilyInfo, NodeInfo, Ports},
    supervisor::ChildInfo,
};

use crate::reference::Part;

/// The answer of one node, or its failure.
#[derive(Clone, Debug)]
pub struct Report {
    /// The node's ID.
    pub node: String,
    /// The time of the answer, in seconds.
    pub at: f64,
    /// The data, or the reason why there is none.
    pub result: Result<Sight, String>,
}

/// The data about a node.
#[derive(Clone, Debug)]
pub enum Sight {
    /// Everything.
    Full {
        /// The node's details.
        info: Box<NodeInfo>,
        /// Its connections.
        connections: Vec<ConnectionInfo>,
        /// Its ports: all of them in numbers, and those with the longest queues.
        ports: Ports,
        /// The families of the database that it knows.
        families: Vec<FamilyInfo>,
        /// Its counts, or the reason why there are none.
        counts: Result<Box<Counts>, String>,
    },
    /// A node without inspection.
    Foreign {
        /// Its implementation.
        provider: Option<String>,
        /// The nodes that it is connected to, as far as it reports them.
        neighbours: Vec<String>,
        /// Its role.
        part: Part,
    },
}

impl Sight {
    /// The same with these counts.
    #[must_use]
    pub fn with(mut self, found: Result<Counts, String>) -> Self {
        if let Self::Full { counts, .. } = &mut self {
            *counts = found.map(Box::new);
        }
        self
    }
}

/// The supervisors of a node.
#[derive(Clone, Debug)]
pub struct Trees {
    /// The node's ID.
    pub node: String,
    /// Its supervisors; `None` if it has not answered.
    pub supervisors: Option<Vec<Tree>>,
}

/// A supervisor's answer.
#[derive(Clone, Debug)]
pub enum Tree {
    /// The supervisor with its children.
    Known(Supervised),
    /// The ID of a supervisor that has not answered in time.
    Late(String),
}

/// A supervisor, with the first of its children.
#[derive(Clone, Debug)]
pub struct Supervised {
    /// The port ID.
    pub id: String,
    /// The number of all its children.
    pub total: u64,
    /// The first of its children.
    pub children: Vec<ChildInfo>,
}
