//! The recorded node's own knowledge, as far as the recording has it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::subject::Subject;
use aemp_tests::transcript::Transcript;

/// Compares the final knowledge of the node with that of the recorded one.
pub(crate) fn check(transcript: &Transcript, subject: &Subject) {
    let (name, id, json) = (&transcript.name, &subject.id, &transcript.json);
    if json[format!("{id}_is_global")] == 1 {
        assert!(subject.is_global(), "{name}: {id}");
    }
    let masters = [format!("master_of_{id}"), "master_after".into()];
    if let Some(master) = masters.iter().find_map(|key| json[key].as_str())
        && (json[&masters[0]].is_string() || id == "s")
    {
        assert_eq!(subject.master().as_deref(), Some(master), "{name}: {id}");
    }
    let databases = [
        (format!("global_db_{id}_after"), true),
        ("global_db_after".into(), id == "g"),
    ];
    for (key, is_ours) in databases {
        for (family, entries) in json[key].as_object().into_iter().flatten() {
            let entries: BTreeMap<String, Json> = serde_json::from_value(entries.clone()).unwrap();
            if is_ours {
                assert_eq!(subject.view(family), entries, "{name}: {id}: {family}");
            }
        }
    }
    callbacks(transcript, subject);
}

/// Compares the arguments of callbacks: the states of watched families, answers, and reasons.
fn callbacks(transcript: &Transcript, subject: &Subject) {
    let (name, id) = (&transcript.name, &subject.id);
    let (mut watched, mut answers) = (BTreeMap::<String, Vec<Json>>::new(), Vec::new());
    for call in recorded_calls(transcript, id) {
        let label = call[0].as_str().unwrap();
        if call[1] == "transport_error" {
            let reason = (label.to_owned(), call[3].as_str().unwrap().to_owned());
            assert!(
                subject.fired.contains(&reason),
                "{name}: {:?}",
                subject.fired
            );
        } else if let Some((_, _)) = label.split_once(' ') {
            answers.push(sorted(&call[1]));
        } else {
            watched
                .entry(label.into())
                .or_default()
                .push(call[1].clone());
        }
    }
    let given: Vec<_> = subject.answers.iter().map(sorted).collect();
    assert_eq!(given, answers, "{name}: {id}");
    // Entries without a label belong to services, which report to no callback.
    let told = subject.watches.values();
    for watching in told.filter(|watching| !watching.label.is_empty()) {
        let states = watching.states.iter().map(|state| serde_json::json!(state));
        let (mut states, mut theirs) = (states.collect(), watched.remove(&watching.label));
        let theirs = theirs.get_or_insert_default();
        // The reference also tells of changes that are none.
        Vec::dedup(&mut states);
        theirs.dedup();
        assert_eq!(&states, theirs, "{name}: {id}: {}", watching.label);
    }
    assert!(watched.is_empty(), "{name}: {id}: {watched:?}");
}

fn recorded_calls(transcript: &Transcript, id: &str) -> Vec<Json> {
    let notes = transcript.json["notes"].as_array().into_iter().flatten();
    let of_node = notes.filter_map(|note| {
        let (who, calls) = note
            .as_str()?
            .strip_prefix("callbacks on ")?
            .split_once(": ")?;
        (who.split(' ').next() == Some(id)).then_some(calls)
    });
    of_node
        .flat_map(|calls| serde_json::from_str::<Vec<Json>>(calls).unwrap())
        .collect()
}

/// The order of keys and values means nothing.
fn sorted(answer: &Json) -> Json {
    let Json::Array(items) = answer else {
        return answer.clone();
    };
    let mut items = items.clone();
    items.sort_by_key(Json::to_string);
    Json::Array(items)
}
