//! The state of the seeds, for the user.

use aemp_codec::NodeId;

use super::{Itself, Kind, Place, Seeds, Source};

/// The state of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedState<'a> {
    /// The node that was found there last. For a name with several addresses, a connected node if there is one.
    pub node: Option<&'a NodeId>,
    /// True if that node is connected.
    pub connected: bool,
    /// The last failure since its node was connected. For a name, there is none before each of its addresses has
    /// failed.
    pub failure: Option<SeedFailure>,
}

/// A failed attempt to connect to a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedFailure {
    /// The kind of failure.
    pub kind: SeedFailureKind,
    /// The reason, as it is logged.
    pub text: String,
}

/// The kind of a failed attempt to connect to a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedFailureKind {
    /// The connection was not accepted, or the name has no address.
    Unreachable,
    /// The other end sent too little for too long.
    Silent,
    /// The other end closed the connection before its greeting.
    Closed,
    /// The node at the other end sent its greeting, and ended the handshake.
    TurnedAway,
    /// The other end is not a node.
    NoNode,
    /// This end ended the handshake.
    Refused,
}

impl SeedFailureKind {
    /// True if another attempt will fail in the same way.
    #[must_use]
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::NoNode | Self::Refused)
    }
}

/// The progress of joining the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// The node is part of the network: another node is connected, or this is the first node, or it has no seeds.
    Joined,
    /// Some attempts have not ended yet.
    Trying,
    /// Attempts at each address of each seed have failed. They continue.
    Failed {
        /// True if all further attempts will fail in the same way.
        lasting: bool,
    },
}

impl Seeds {
    pub(in crate::mesh) fn iter(&self) -> impl Iterator<Item = (&str, SeedState<'_>)> {
        self.sources
            .iter()
            .map(|(seed, source)| (seed.as_str(), self.state(source)))
    }

    fn state<'s>(&'s self, source: &'s Source) -> SeedState<'s> {
        let places: Vec<(&str, &Place)> = self.places_of(source).collect();
        let up = places.iter().find(|(_, place)| place.connected);
        let found = places.iter().find(|(_, place)| place.node.is_some());
        let failure = match source.kind {
            _ if up.is_some() => None,
            Kind::Address => places.first().and_then(|(_, place)| place.failure.clone()),
            Kind::Name if places.is_empty() => source.failure().cloned(),
            Kind::Name => together(&places),
        };
        SeedState {
            node: up.or(found).and_then(|(_, place)| place.node.as_ref()),
            connected: up.is_some(),
            failure,
        }
    }

    /// The progress of joining the network, judged by the seeds.
    pub(in crate::mesh) fn joining(&self) -> Joining {
        let connected = self.places.values().any(|place| place.connected);
        if connected || self.sources.is_empty() || self.itself == Itself::Settled {
            return Joining::Joined;
        }
        // The first node of a network becomes global soon.
        if self.itself == Itself::Met {
            return Joining::Trying;
        }
        let mut all_lasting = true;
        for (_, state) in self.iter() {
            match state.failure {
                Some(failure) => all_lasting &= failure.kind.is_lasting(),
                None => return Joining::Trying,
            }
        }
        Joining::Failed {
            lasting: all_lasting,
        }
    }
}

/// The common failure of all addresses of a name, without our own. The kind is one that another attempt may mend, if
/// there is any.
fn together(places: &[(&str, &Place)]) -> Option<SeedFailure> {
    let mut failures = Vec::with_capacity(places.len());
    for (address, place) in places.iter().filter(|(_, place)| !place.own) {
        failures.push((address, place.failure.as_ref()?));
    }
    let kinds = failures.iter().map(|(_, failure)| failure.kind);
    let kind = kinds.min_by_key(|kind| kind.is_lasting())?;
    let texts = failures
        .iter()
        .map(|(address, failure)| format!("{address}: {}", failure.text));
    let text = texts.collect::<Vec<_>>().join("; ");
    Some(SeedFailure { kind, text })
}
