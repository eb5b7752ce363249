//! One port at which a page looks: its details, its death, and its last messages.
//!
//! A node tells if the port is alive, or the reason of its death, if it remembers that. A port that was alive in an answer and is neither
//! in the next one has ended normally, because nodes record every other death.
//!
//! Messages come from a tap, which is opened when a viewer asks for it, and closed when none looks any more (`collect::tap`).

use std::collections::VecDeque;

use aemp::inspect::{DeathInfo, PortFate, PortInfo};
use serde::Serialize;

/// The number of messages that are kept of a port.
pub const MESSAGES: usize = 50;

/// The known state of a port.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// True if its node has answered.
    pub told: bool,
    /// Its details, if it is alive.
    pub alive: Option<PortInfo>,
    /// Its death, if its node remembers it, and the time at which it told so, in seconds.
    pub died: Option<(DeathInfo, f64)>,
    /// The time since which it is known to have ended without a reason.
    pub ended: Option<f64>,
    /// The reason why nothing is known of it.
    pub failure: Option<String>,
    /// Its messages, if a viewer has asked for them.
    pub tapped: Option<Tapped>,
}

impl Looked {
    /// Takes an answer of the port's node, which came at this time.
    pub fn take(&mut self, id: &str, at: f64, answer: Result<PortFate, String>) {
        self.told = true;
        let fate = match answer {
            Ok(fate) => fate,
            Err(failure) => {
                (self.alive, self.failure) = (None, Some(failure));
                return;
            }
        };
        let before = self.alive.take();
        self.failure = None;
        // A node may tell anything, but only of the port that it was asked about.
        self.alive = fate.alive.filter(|info| info.id == id);
        let died = fate.died.filter(|death| death.port == id);
        self.died = died.map(|death| (death, at));
        self.ended = match (&self.alive, &self.died) {
            (None, None) => self.ended.or_else(|| before.map(|_| at)),
            _ => None,
        };
    }

    /// The time that has passed since the port's death, and the death.
    pub fn death(&self, now: f64) -> Option<(f64, &DeathInfo)> {
        let (death, at) = self.died.as_ref()?;
        Some((now - at + death.ago, death))
    }
}

/// The messages of a port that have come from other nodes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tapped {
    /// The state of the tap.
    #[serde(flatten)]
    pub state: Tapping,
    /// The number of messages since the viewer asked.
    pub seen: u64,
    /// The number of messages that came too fast to be copied.
    pub lost: u64,
    /// The last of them, the last one first.
    pub messages: VecDeque<Message>,
}

impl Tapped {
    /// Takes the news of the tap.
    pub fn take(&mut self, news: Self) {
        // Most news are messages, and do not change the state.
        if news.state != Tapping::Asked {
            self.state = news.state;
        }
        self.seen = self.seen.saturating_add(news.seen);
        self.lost = self.lost.saturating_add(news.lost);
        for message in news.messages.into_iter().rev() {
            self.add(message);
        }
    }

    /// Adds a message. The oldest one goes if there are too many.
    pub fn add(&mut self, message: Message) {
        self.messages.push_front(message);
        self.messages.truncate(MESSAGES);
    }
}

/// The state of a tap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "tap", content = "why", rename_all = "lowercase")]
pub enum Tapping {
    /// The node has been asked for it, and has not answered.
    #[default]
    Asked,
    /// It is open.
    Open,
    /// The node has refused it, for this reason.
    Refused(String),
    /// It has ended, for this reason.
    Ended(String),
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Message {
    /// The time of its arrival by the node's clock, in seconds since 1970.
    pub time: f64,
    /// The node that has sent it.
    pub from: String,
    /// The beginning of the message as a JSON list, tag first.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(document: serde_json::Value) -> Result<PortFate, String> {
        Ok(serde_json::from_value(document).expect("a fate"))
    }

    #[test]
    fn a_port_is_alive_and_then_ends() {
        let mut port = Looked::default();
        let alive = || fate(serde_json::json!({ "alive": { "id": "a#1", "queued": 3 } }));
        let nothing = || fate(serde_json::json!({}));
        // It was never seen alive.
        port.take("a#1", 1.0, nothing());
        assert_eq!((port.ended, port.alive.is_none()), (None, true));
        port.take("a#1", 2.0, alive());
        assert_eq!(port.alive.as_ref().map(|info| info.queued), Some(3));
        for at in [3.0, 4.0] {
            port.take("a#1", at, nothing());
            assert_eq!((port.ended, port.alive.is_none()), (Some(3.0), true));
        }
        let died = serde_json::json!({ "port": "a#1", "ago": 2, "reason": ["die", "x"] });
        port.take("a#1", 5.0, fate(serde_json::json!({ "died": died })));
        let (ago, death) = port.death(6.5).expect("it is told");
        assert_eq!((ago, &*death.reason.to_string()), (3.5, "die x"));
        assert_eq!(port.ended, None);
    }

    #[test]
    fn an_answer_about_another_port_is_none() {
        let mut port = Looked::default();
        let other = serde_json::json!({ "alive": { "id": "b#1" }, "died": { "port": "b#2" } });
        port.take("a#1", 1.0, fate(other));
        assert!(port.alive.is_none() && port.died.is_none() && port.ended.is_none());
        port.take("a#1", 2.0, Err("old".into()));
        assert_eq!(port.failure.as_deref(), Some("old"));
    }

    #[test]
    fn the_last_messages_are_kept() {
        let message = |n: usize| Message {
            time: n as f64,
            ..Message::default()
        };
        let mut tapped = Tapped::default();
        for first in [0, 40] {
            let mut news = Tapped {
                state: Tapping::Open,
                seen: 40,
                ..Tapped::default()
            };
            (first..first + 40).for_each(|n| news.add(message(n)));
            tapped.take(news);
        }
        tapped.take(Tapped::default());
        let times: Vec<_> = tapped.messages.iter().map(|of| of.time as usize).collect();
        assert_eq!(times, (30..80).rev().collect::<Vec<_>>());
        assert_eq!((tapped.state, tapped.seen), (Tapping::Open, 80));
    }
}
