//! Names of ports: a prefix that no other process has, and a counter ([protocol](aemp_proto::protocol::names#port-names)).
//!
//! The name of a port that is made here is a prefix of nine characters and the port's number. The name of a port that
//! this node spawns on another node has a prefix of ten characters, the last of which is an upper-case letter. The
//! tenth character of the former is a lower-case letter. So the two kinds never clash, neither with each other nor with
//! names of reference nodes.
//!
//! The name of a reply port ends with the mark `?`. The mark tells the called node, without negotiation and also
//! through relays, that a call of a node of this project waits at this port. Such a port may be killed with the reasons
//! that `CallError::of_killed` knows (`no_reply`, `no_answer`, `not_understood`). An answer that is a list of one
//! element or none is sent to the name with `[]` behind it, because on the wire such a list is the same as its element,
//! or as nothing. To other nodes the mark is part of a name, and the kill is an ordinary kill. A name with the mark
//! finds reply ports only.
//!
//! Digits behind the mark are the milliseconds for which the call still waits, as its node knew it when it wrote the
//! message. They are added for nodes that read them (greeting key `deadline`), and do not count when a port is looked up.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use aemp_codec::PortId;

use crate::port::table::MAX_GENERATION;

/// The end of the name of a reply port.
const REPLY: char = '?';
/// The text after the name of a reply port if the answer is a list with less than two elements.
const LIST: &str = "[]";

/// The name of a reply port up to its mark, and the time limit behind the mark.
fn parts(name: &str) -> Option<(&str, &str)> {
    let marked = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let limit = &name[marked.len()..];
    marked.ends_with(REPLY).then_some((marked, limit))
}

/// The ID of a reply port, with the time for which its call still waits.
pub(crate) fn with_limit(id: &PortId, limit: Duration) -> PortId {
    let name = format!("{}{}", id.name(), limit.as_millis());
    PortId::new(&id.node_id(), &name)
}

/// Separates the time limit from the ID of a reply port.
pub(crate) fn without_limit(id: PortId) -> (PortId, Option<Duration>) {
    let Some((name, limit)) = parts(id.name()).filter(|(_, limit)| !limit.is_empty()) else {
        return (id, None);
    };
    let limit = limit.parse().ok().map(Duration::from_millis);
    (PortId::new(&id.node_id(), name), limit)
}

/// True if a call of a node of this project waits at the port.
pub(crate) fn is_reply_port(id: &PortId) -> bool {
    is_reply_name(id.name())
}

/// As [`is_reply_port`], for a port's name.
pub(crate) fn is_reply_name(name: &str) -> bool {
    parts(name).is_some()
}

/// The ID of the reply port for an answer that is a list.
pub(crate) fn for_list(id: &PortId) -> PortId {
    PortId::new(&id.node_id(), &format!("{}{LIST}", id.name()))
}

/// The name of the reply port, if `name` is one for an answer that is a list.
pub(crate) fn of_list(name: &str) -> Option<&str> {
    name.strip_suffix(LIST).filter(|name| is_reply_name(name))
}

const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The generator of a node's port names.
#[derive(Debug)]
pub(crate) struct Names {
    local: String,
    spawn: String,
    spawned: AtomicU64,
}

impl Names {
    /// Makes the prefixes from 19 random octets.
    pub(crate) fn new(random: [u8; 19]) -> Self {
        let character = |octet: &u8| char::from(ALPHANUMERIC[usize::from(*octet) % 62]);
        let local = random[..9].iter().map(character).collect();
        let mut spawn: String = random[9..18].iter().map(character).collect();
        spawn.push(char::from(b'A' + random[18] % 26));
        Self {
            local,
            spawn,
            spawned: AtomicU64::new(0),
        }
    }

    /// A new name for a port on another node.
    pub(crate) fn spawned(&self) -> String {
        let count = self.spawned.fetch_add(1, Ordering::Relaxed);
        let mut name = self.spawn.clone();
        push_letters(&mut name, count);
        name
    }

    /// The name of a port of this node.
    pub(crate) fn name(&self, number: u64) -> String {
        let mut name = String::with_capacity(24);
        name.push_str(&self.local);
        push_letters(&mut name, number & 0xffff_ffff);
        let generation = number >> 32;
        if generation != 1 {
            name.push_str(&generation.to_string());
        }
        name
    }

    /// The name of a port of this node that waits for an answer.
    pub(crate) fn reply_name(&self, number: u64) -> String {
        let mut name = self.name(number);
        name.push(REPLY);
        name
    }

    /// The number in the name of a reply port, if this node has made the name.
    pub(crate) fn reply_number(&self, name: &str) -> Option<u64> {
        let (name, _) = parts(name)?;
        self.number(name.strip_suffix(REPLY)?)
    }

    /// True if this node could give the name to one of its own ports.
    pub(crate) fn is_ours(&self, name: &str) -> bool {
        name.starts_with(&self.local)
    }

    /// The number in a port's name, if this node has made the name.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let counter = name.strip_prefix(self.local.as_str())?;
        let letters = counter.bytes().take_while(u8::is_ascii_lowercase).count();
        let low = parse_letters(&counter.as_bytes()[..letters])?;
        let generation: u64 = match &counter[letters..] {
            "" => 1,
            digits if digits.starts_with(['0', '+']) => return None,
            digits => digits.parse().ok().filter(|&generation| generation != 1)?,
        };
        (generation <= u64::from(MAX_GENERATION)).then_some(generation << 32 | u64::from(low))
    }
}

/// Appends a number in letters: a, b, .. z, aa, ab, ..., so that each number has one text and each text one number.
fn push_letters(name: &mut String, number: u64) {
    let mut letters = [0; 16];
    let mut at = letters.len();
    let mut rest = number + 1;
    while rest > 0 {
        rest -= 1;
        at -= 1;
        letters[at] = b'a' + (rest % 26) as u8;
        rest /= 26;
    }
    name.push_str(str::from_utf8(&letters[at..]).expect("letters are ASCII"));
}

fn parse_letters(letters: &[u8]) -> Option<u32> {
    let mut number: u64 = 0;
    for letter in letters {
        number = number * 26 + u64::from(letter - b'a') + 1;
        if number > 1 << 32 {
            return None;
        }
    }
    number
        .checked_sub(1)
        .and_then(|number| u32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_one_name_and_comes_back() {
        let names = Names::new([7; 19]);
        for low in [0, 1, 25, 26, 27, 701, 702, 65_535, u32::MAX - 1, u32::MAX] {
            for generation in [1, 2, 10, 77, MAX_GENERATION] {
                let number = u64::from(generation) << 32 | u64::from(low);
                assert_eq!(names.number(&names.name(number)), Some(number));
            }
        }
        assert_eq!(names.name(1 << 32), "777777777a");
    }

    #[test]
    fn reply_ports_are_known_by_their_names() {
        let names = Names::new([7; 19]);
        let name = names.reply_name(1 << 32);
        assert_eq!(
            (names.number(&name), names.reply_number(&name)),
            (None, Some(1 << 32))
        );
        let id = PortId::parse(&format!("a#{name}")).unwrap();
        assert!(is_reply_port(&id) && !is_reply_port(&PortId::parse("a#b").unwrap()));
        assert_eq!(of_list(for_list(&id).name()), Some(name.as_str()));
        assert_eq!((of_list(&name), of_list("b[]")), (None, None));
    }

    #[test]
    fn a_time_limit_is_no_part_of_the_name() {
        let names = Names::new([7; 19]);
        let id = PortId::parse(&format!("a#{}", names.reply_name(1 << 32))).unwrap();
        let limited = with_limit(&id, Duration::from_micros(5300));
        assert_eq!(limited.name(), format!("{}5", id.name()));
        assert!(is_reply_port(&limited));
        assert_eq!(names.reply_number(limited.name()), Some(1 << 32));
        let limit = Some(Duration::from_millis(5));
        assert_eq!(without_limit(limited), (id.clone(), limit));
        assert_eq!(without_limit(id.clone()), (id.clone(), None));
        let too_long = PortId::parse(&format!("{id}{}", "9".repeat(99))).unwrap();
        assert_eq!(without_limit(too_long), (id, None));
        for other in ["a#b", "a#b5", "a#5"] {
            let other = PortId::parse(other).unwrap();
            assert_eq!(without_limit(other.clone()), (other, None));
        }
    }

    #[test]
    fn other_texts_are_no_names() {
        let names = Names::new([7; 19]);
        for text in [
            "",
            "777777777",
            "777777777A",
            "777777777a1",
            "777777777a02",
            "777777777a+2",
        ] {
            assert_eq!(names.number(text), None, "{text}");
        }
        assert_eq!(names.number("777777777zzzzzzzz"), None);
        assert_eq!(names.number("777777777a16777216"), None);
        assert_eq!(names.number("777777777a99999999999"), None);
    }

    #[test]
    fn the_two_kinds_do_not_clash() {
        let names = Names::new([250; 19]);
        let spawned = names.spawned();
        assert!(spawned.as_bytes()[9].is_ascii_uppercase());
        assert!(names.name(1 << 32).as_bytes()[9].is_ascii_lowercase());
        assert_ne!(spawned, names.spawned());
    }
}
