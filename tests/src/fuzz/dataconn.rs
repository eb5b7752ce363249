//! Data connections: the greetings of a node that opens a stream or accepts one, and the octets of the stream.
//!
//! The first byte selects the kind of our node, as for `greeting`; its lowest bit is 1 if our node opens the stream. The
//! second byte selects the division of the octets. The rest is the data of the peer, with the same star for the proof.

use std::sync::Arc;

use aemp_proto::{
    handshake::{Role, StreamStart},
    stream::{END, FrameError, Incoming, Place, TAKEN, header},
};

use super::{Input, greeting};

/// The ID of the stream that our node opens.
const ID: &str = "s1@us";

pub(super) fn run(bytes: &[u8]) -> usize {
    let mut input = Input::new(bytes);
    let (kind, cut) = (input.byte(), input.byte());
    let (dials, at_once) = (kind & 1 != 0, kind & 2 == 0);
    // Every node of this target has a secret.
    let config = Arc::new(greeting::config(kind & !2));
    let peer = "192.0.2.1:4040";
    let own = match dials {
        true => config.data_greeting(peer, ID),
        false => config.greeting(Role::Accepted, peer),
    };
    let (theirs, _) = greeting::proved(&own, input.rest());
    let shake = |cut: Option<u8>| match cut {
        Some(cut) => greeting::handshake(&config, &own, Input::pieces(&theirs, cut), at_once),
        None => greeting::handshake(&config, &own, [&*theirs], !at_once),
    };
    let (whole, pieces) = (shake(None), shake(Some(cut)));
    assert_eq!(whole.stream, pieces.stream);
    assert_eq!(whole.leftover, pieces.leftover);
    let Some(start) = whole.stream else {
        assert!(!dials || !whole.told.is_empty());
        return whole.told.len();
    };
    assert_eq!(start.dialed, dials);
    assert!(!dials || start.id == ID);
    whole.told.len() + read(&start, &whole.leftover, cut)
}

/// Reads the octets of a stream. Returns the number of its octets and ends.
fn read(start: &StreamStart, octets: &[u8], cut: u8) -> usize {
    let whole = taken_apart(start, [octets]);
    assert_eq!(whole, taken_apart(start, Input::pieces(octets, cut)));
    let (content, end) = whole;
    assert!(content.len() <= octets.len());
    framed_again(start, &content, cut);
    content.len() + usize::from(end == Ok(true))
}

/// The content, and true if the stream has ended.
fn taken_apart<'a>(
    start: &StreamStart,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, Result<bool, FrameError>) {
    let (mut incoming, mut content) = (Incoming::new(start), Vec::new());
    for mut piece in pieces {
        while !piece.is_empty() {
            let count = match incoming.place() {
                Ok(Place::End) => return ended(incoming, content, Ok(true)),
                Err(error) => return ended(incoming, content, Err(error)),
                Ok(Place::Header(place)) => {
                    let count = place.len().min(piece.len());
                    assert!(count > 0);
                    place[..count].copy_from_slice(&piece[..count]);
                    count
                }
                Ok(Place::Content(most)) => {
                    let count = most.min(piece.len());
                    assert!(count > 0);
                    content.extend_from_slice(&piece[..count]);
                    count
                }
            };
            piece = &piece[count..];
            let _ = incoming.read(count);
        }
    }
    let end = match incoming.place() {
        Ok(next) => Ok(next == Place::End),
        Err(error) => Err(error),
    };
    ended(incoming, content, end)
}

/// The end of the connection shows a whole or a broken stream, and nothing changes that afterwards.
fn ended(
    mut incoming: Incoming,
    content: Vec<u8>,
    end: Result<bool, FrameError>,
) -> (Vec<u8>, Result<bool, FrameError>) {
    let last = incoming.read(0);
    match end {
        Ok(true) => assert_eq!(last, Ok(())),
        Err(error) => assert_eq!(last, Err(error)),
        Ok(false) => {}
    }
    incoming.broken();
    for _ in 0..2 {
        assert_eq!(
            incoming.place().map(|next| next == Place::End),
            last.map(|()| true)
        );
        assert_eq!(incoming.read(0), last);
    }
    (content, end)
}

fn framed_again(start: &StreamStart, content: &[u8], cut: u8) {
    let mut octets = Vec::new();
    if start.ends && start.dialed {
        octets.extend(TAKEN);
    }
    for frame in Input::pieces(content, cut) {
        if start.ends {
            octets.extend(header(u32::try_from(frame.len()).expect("a short frame")));
        }
        octets.extend(frame);
    }
    if start.ends {
        octets.extend(END);
    }
    let (again, end) = taken_apart(start, Input::pieces(&octets, cut.rotate_left(4)));
    assert_eq!(again, content);
    assert_eq!(end, Ok(start.ends));
}
