//! A node's reports to its user about the database.

use std::collections::BTreeMap;

use aemp_codec::Value;
use aemp_proto::global::{Answer, Watched};
use serde_json::Value as Json;

/// A watch, and the content of the family at each report.
pub(crate) struct Watching {
    pub(crate) label: String,
    pub(crate) states: Vec<BTreeMap<String, Json>>,
}

impl Watching {
    pub(super) fn told(&mut self, told: Watched) {
        let mut state = self.states.last().cloned();
        match told {
            Watched::All(entries) => {
                assert_eq!(
                    state, None,
                    "{}: everything comes first, and once",
                    self.label
                );
                let entries = entries.iter();
                state = Some(
                    entries
                        .map(|(key, value)| (key.to_string(), json(value)))
                        .collect(),
                );
            }
            Watched::Changes(changes) => {
                let state = state.as_mut().expect("everything comes first");
                for change in changes.iter() {
                    let was = match &change.value {
                        Some(value) => state.insert(change.key.to_string(), json(value)),
                        None => state.remove(&*change.key),
                    };
                    assert_eq!(was.is_some(), change.was, "{}: {change:?}", self.label);
                }
            }
        }
        self.states.extend(state);
    }
}

pub(crate) fn value(json: &Json) -> Value {
    serde_json::from_value(json.clone()).unwrap()
}

pub(super) fn json(value: &Value) -> Json {
    serde_json::to_value(value).unwrap()
}

pub(super) fn answer_json(answer: Answer) -> Json {
    match answer {
        Answer::Family(entries) => {
            let entries = entries.iter();
            entries
                .map(|(key, value)| (key.to_string(), json(value)))
                .collect()
        }
        Answer::Keys(keys) => keys.iter().map(|key| key.to_string()).collect(),
        Answer::Values(values) => values.iter().map(json).collect(),
    }
}
