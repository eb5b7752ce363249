//! Reports of the attempts to connect to the seeds, for users.

use std::collections::BTreeMap;

use aemp::{
    Node,
    inspect::{SeedFailure, SeedFailureKind},
};

/// The last failure of each seed, by its address.
#[derive(Debug, Default)]
pub(super) struct Failures(BTreeMap<String, SeedFailure>);

impl Failures {
    pub(super) fn of(node: &Node) -> Self {
        let seeds = node.seeds().into_iter();
        Self(
            seeds
                .filter_map(|seed| Some((seed.address, seed.failure?)))
                .collect(),
        )
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of seeds that have failed for good: a retry does not help.
    pub(super) fn hopeless(&self) -> usize {
        let failures = self.0.values();
        failures.filter(|failure| is_lasting(failure.kind)).count()
    }

    /// The explanation of each failure, by address.
    pub(super) fn explained(&self) -> BTreeMap<String, String> {
        let failures = self.0.iter();
        failures
            .map(|(address, failure)| (address.clone(), explained(failure)))
            .collect()
    }
}

fn is_lasting(kind: SeedFailureKind) -> bool {
    matches!(kind, SeedFailureKind::NoNode | SeedFailureKind::Refused)
}

/// A failure, and advice for the user.
fn explained(failure: &SeedFailure) -> String {
    let text = &failure.text;
    match failure.kind {
        SeedFailureKind::NoNode => format!("it is not an AnyEvent::MP node ({text})"),
        SeedFailureKind::Closed => format!(
            "{text} (it closes the connection: is it an AnyEvent::MP node, and is its secret ours?)"
        ),
        _ => text.clone(),
    }
}
