//! The reports of one node to another: as states, because the order of changes, and how they are merged, is free.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

type Family = BTreeMap<String, Json>;

/// Everything that a node has told one other over one connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View {
    /// True if it has asked the other to become global.
    pub(crate) hint: bool,
    /// True if it has said that it is global.
    pub(crate) global: bool,
    /// True if the other is its master.
    pub(crate) slave: bool,
    /// The entries that it or its slaves have set, as far as the other has been told.
    pub(crate) shard: BTreeMap<String, Family>,
    /// The families that it watches at the other.
    pub(crate) watched: BTreeSet<String>,
    /// Its reports on the families that the other watches.
    pub(crate) told: BTreeMap<String, Family>,
    /// The nodes whose addresses it has asked for.
    pub(crate) finds: BTreeSet<String>,
    /// The addresses that it has told.
    pub(crate) found: BTreeMap<String, Json>,
    /// The queries that it has sent, without the numbers that it has made up.
    pub(crate) queries: Vec<(String, String)>,
    /// The numbers, in the same order.
    pub(crate) ids: Vec<Json>,
    /// The answers that it has sent to queries.
    pub(crate) replies: Vec<Json>,
    /// Everything else, in order.
    pub(crate) others: Vec<Json>,
    /// The number of packets.
    pub(crate) packets: usize,
}

impl View {
    /// Takes note of a packet. `asked` are the families that the other has asked for.
    pub(crate) fn note(&mut self, packet: &Json, asked: &BTreeSet<String>) {
        let parts = packet.as_array().expect("a packet is an array");
        if parts.is_empty() {
            return;
        }
        self.packets += 1;
        let part = |place: usize| parts.get(place).cloned().unwrap_or_default();
        let text = |place: usize| parts.get(place).map(text).unwrap_or_default();
        match (text(0).as_str(), text(1).as_str()) {
            ("", "g_slave") if parts.len() == 2 => self.hint = true,
            ("", "g_slave") => {
                self.slave = true;
                self.set_all(&part(2));
            }
            ("", "g_global") => {
                self.global = true;
                self.shard.clear();
                self.watched.clear();
            }
            ("", "g_set") => self.set_all(&part(2)),
            ("", "g_upd") => change(&mut self.shard, &text(2), &part(3), &part(4)),
            ("", "g_mon1") => drop(self.watched.insert(text(2))),
            ("", "g_mon0") => drop(self.watched.remove(&text(2))),
            ("", "g_find") => drop(self.finds.insert(text(2))),
            ("", "g_found") => drop(self.found.insert(text(2), part(3))),
            ("", "g_db_family" | "g_db_keys" | "g_db_values") => {
                self.queries.push((text(1), text(2)));
                self.ids.push(part(3));
            }
            ("", "g_reply") => self
                .replies
                .push(Json::Array(vec![part(2), sorted(&part(3))])),
            ("", "g_chg1") if asked.contains(&text(2)) => {
                self.told.remove(&text(2));
                change(&mut self.told, &text(2), &part(3), &Json::Null);
            }
            ("", "g_chg2") if asked.contains(&text(2)) => {
                change(&mut self.told, &text(2), &part(3), &part(4));
            }
            ("", "g_chg1" | "g_chg2") => {}
            _ => self.others.push(packet.clone()),
        }
    }

    fn set_all(&mut self, database: &Json) {
        for (family, entries) in database.as_object().into_iter().flatten() {
            change(&mut self.shard, family, entries, &Json::Null);
        }
    }

    /// Leaves out keys that the other has set itself.
    pub(crate) fn forget_echoes(&mut self, known: &BTreeMap<String, Family>) {
        for (family, entries) in &mut self.shard {
            let known = known.get(family);
            entries.retain(|key, _| known.is_none_or(|known| !known.contains_key(key)));
        }
        self.shard.retain(|_, entries| !entries.is_empty());
    }
}

fn change(families: &mut BTreeMap<String, Family>, family: &str, set: &Json, del: &Json) {
    let entries = families.entry(family.into()).or_default();
    for (key, value) in set.as_object().into_iter().flatten() {
        entries.insert(key.clone(), value.clone());
    }
    for key in del.as_array().into_iter().flatten() {
        entries.remove(&text(key));
    }
    if entries.is_empty() {
        families.remove(family);
    }
}

/// Scalars stand for their text.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// The order of keys and values means nothing, and nothing is an empty map or list.
fn sorted(answer: &Json) -> Json {
    let mut items: Vec<String> = match answer {
        Json::Array(items) => items.iter().map(Json::to_string).collect(),
        Json::Object(map) => map.iter().map(|(k, v)| format!("{k}: {v}")).collect(),
        other => vec![other.to_string()],
    };
    items.sort();
    Json::from(items)
}
