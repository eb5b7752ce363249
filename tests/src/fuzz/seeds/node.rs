//! Scripts in which strangers send to one node the data that was recorded between other nodes.

use std::collections::BTreeMap;

use aemp_codec::{Format, Value};

use super::{Seeds, packets, signature};
use crate::transcript::Transcript;

/// The largest number of packets in a script.
const MOST_PACKETS: usize = 20;
/// The largest number of packets of one kind in all scripts together.
const MOST_OF_A_KIND: u32 = 3;

/// The actions of the own node and the events of the network between packets, by turns.
const MEANWHILE: [&str; 12] = [
    "e family key value\n",
    "m a port\n",
    "w family\n",
    "t2\n",
    "s a text\n",
    "q family\n",
    "o\n",
    "k family\n",
    "t3\nx\n",
    "d family key\n",
    "!\nu\n",
    "v\nt4\n",
];

/// One script for each recording whose packets are new, and for each kind of node.
pub(super) fn scripts(transcripts: &[Transcript]) -> Seeds {
    let (mut seeds, mut known) = (Seeds::new(), BTreeMap::new());
    for (number, transcript) in transcripts.iter().enumerate() {
        let said = packets(transcript).into_iter().map(|(_, values)| values);
        let new: Vec<_> = said
            .filter(|values| {
                let known: &mut u32 = known.entry(signature(values)).or_default();
                *known += 1;
                *known <= MOST_OF_A_KIND
            })
            .take(MOST_PACKETS)
            .collect();
        if new.is_empty() {
            continue;
        }
        let formats = Format::built_in();
        let format = |turn: usize| &formats[turn % formats.len()];
        let mut script = vec![number as u8 % 16];
        let logins = ["a", "b", "seed"].into_iter().enumerate();
        for (turn, node) in logins {
            let keys = ["keepalive=10", "arbiter=1", ""][turn];
            let login = format!("+\n={turn}{node} {} {keys}\n", format(turn + number));
            script.extend(login.bytes());
        }
        for (turn, values) in new.into_iter().enumerate() {
            let packet = Value::from(values).to_string();
            let who = turn % 3;
            script.extend(format!("<{who}{packet}\n").bytes());
            let meanwhile = MEANWHILE[(turn + number) % MEANWHILE.len()];
            script.extend(meanwhile.bytes());
        }
        script.extend(b"-0\nt3\n!\n");
        seeds.insert(transcript.name.clone(), script);
    }
    seeds
}
