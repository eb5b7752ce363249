//! The octets of a data connection ([protocol](crate::protocol::services#data-connections)), without I/O.
//!
//! Between nodes of this project each direction is divided into frames, so that a connection that breaks is told from a
//! stream that has ended. Towards other implementations the octets are raw, and the end of the connection is the end of
//! the stream.
//!
//! [`Incoming`] says where the next octets belong: into a header, which it keeps, or into the content, which goes to
//! the caller's buffer without a copy. It keeps four octets at most, independent of the other end. An error is final:
//! after it, the direction neither goes on nor seems to have ended.

use crate::handshake::StreamStart;

/// The length of a frame's header, in octets.
pub const HEADER: usize = 4;
/// The length of the longest frame, in octets.
pub const LONGEST: u32 = 1 << 31;
/// The octets by which the end that has accepted the connection says that it has taken the stream.
pub const TAKEN: [u8; HEADER] = [0xFF; HEADER];
/// The frame that ends a direction.
pub const END: [u8; HEADER] = header(0);

/// The header of a frame of this length, which is at most [`LONGEST`].
#[must_use]
pub const fn header(length: u32) -> [u8; HEADER] {
    length.to_be_bytes()
}

/// An error in the octets of a data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The connection has ended before the stream.
    #[error("the stream was cut off: its other end has not ended it")]
    CutOff,
    /// A frame is longer than [`LONGEST`].
    #[error("a frame of {0} octets is too long")]
    TooLong(u32),
    /// The connection does not begin with [`TAKEN`].
    #[error("not the beginning of a stream")]
    NotTaken,
}

/// The place of the octets that come next.
#[derive(Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// Octets of a header, for this place.
    Header(&'a mut [u8]),
    /// At most so many octets of the content.
    Content(usize),
    /// The direction has ended.
    End,
}

/// The direction that is read.
///
/// Ask [`place`](Self::place) for the place of the next octets, read some of them, and report their number to
/// [`read`](Self::read).
#[derive(Debug)]
pub struct Incoming(State);

#[derive(Debug)]
enum State {
    Raw,
    /// This number of octets of [`TAKEN`] has been read.
    Taking([u8; HEADER], usize),
    /// This number of octets of a header has been read.
    Header([u8; HEADER], usize),
    /// This number of octets of a frame is left.
    Frame(u32),
    Ended,
    Broken(FrameError),
}

impl Incoming {
    /// The direction at its beginning.
    #[must_use]
    pub fn new(start: &StreamStart) -> Self {
        Self(match (start.ends, start.dialed) {
            (false, _) => State::Raw,
            (true, true) => State::Taking([0; HEADER], 0),
            (true, false) => State::header(),
        })
    }

    /// True if the other end has taken the stream, or does not say so.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        !matches!(self.0, State::Taking(..))
    }

    /// The place of the octets that come next.
    ///
    /// # Errors
    ///
    /// The error after which the direction cannot go on.
    pub fn place(&mut self) -> Result<Place<'_>, FrameError> {
        Ok(match &mut self.0 {
            State::Raw => Place::Content(usize::MAX),
            State::Taking(header, got) | State::Header(header, got) => {
                Place::Header(&mut header[*got..])
            }
            State::Frame(left) => Place::Content(usize::try_from(*left).unwrap_or(usize::MAX)),
            State::Ended => Place::End,
            State::Broken(error) => return Err(*error),
        })
    }

    /// Takes note of octets that were read into the place that [`place`](Self::place) has returned. None means the end of
    /// the connection.
    ///
    /// # Errors
    ///
    /// The octets are no frames, or the connection has ended before the direction.
    pub fn read(&mut self, octets: usize) -> Result<(), FrameError> {
        let after = match self.0 {
            State::Raw if octets == 0 => Ok(State::Ended),
            State::Raw | State::Ended => return Ok(()),
            State::Broken(error) => Err(error),
            _ if octets == 0 => Err(FrameError::CutOff),
            State::Taking(header, got) if got + octets < HEADER => {
                Ok(State::Taking(header, got + octets))
            }
            State::Taking(header, _) if header == TAKEN => Ok(State::header()),
            State::Taking(..) => Err(FrameError::NotTaken),
            State::Header(header, got) if got + octets < HEADER => {
                Ok(State::Header(header, got + octets))
            }
            State::Header(header, _) => State::frame(u32::from_be_bytes(header)),
            State::Frame(left) => Ok(State::rest(left, octets)),
        };
        self.0 = after.unwrap_or_else(State::Broken);
        match self.0 {
            State::Broken(error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes note of an error of the connection, after which its end is not the end of the stream.
    pub fn broken(&mut self) {
        if !matches!(self.0, State::Ended | State::Broken(_)) {
            self.0 = State::Broken(FrameError::CutOff);
        }
    }
}

impl State {
    fn header() -> Self {
        Self::Header([0; HEADER], 0)
    }

    /// The state behind a header.
    fn frame(length: u32) -> Result<Self, FrameError> {
        match length {
            0 => Ok(Self::Ended),
            1..=LONGEST => Ok(Self::Frame(length)),
            _ => Err(FrameError::TooLong(length)),
        }
    }

    /// The state after so many octets of the content.
    fn rest(left: u32, octets: usize) -> Self {
        let octets = u32::try_from(octets).unwrap_or(u32::MAX);
        match left.saturating_sub(octets) {
            0 => Self::header(),
            left => Self::Frame(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(ends: bool, dialed: bool) -> Incoming {
        let id = "x@a".into();
        Incoming::new(&StreamStart { id, ends, dialed })
    }

    /// Reads octets, at most `most` at once, and returns the content and the result.
    fn read(
        incoming: &mut Incoming,
        mut octets: &[u8],
        most: usize,
    ) -> (Vec<u8>, Result<bool, FrameError>) {
        let mut content = Vec::new();
        loop {
            let room = match incoming.place() {
                Err(error) => return (content, Err(error)),
                Ok(Place::End) => return (content, Ok(true)),
                Ok(_) if octets.is_empty() => return (content, Ok(false)),
                Ok(Place::Header(place)) => {
                    let count = place.len().min(most).min(octets.len());
                    place[..count].copy_from_slice(&octets[..count]);
                    count
                }
                Ok(Place::Content(left)) => {
                    let count = left.min(most).min(octets.len());
                    content.extend_from_slice(&octets[..count]);
                    count
                }
            };
            octets = &octets[room..];
            // The error comes with the next call as well.
            let _ = incoming.read(room);
        }
    }

    #[test]
    fn frames_are_taken_apart_however_they_arrive() {
        let octets = [&TAKEN[..], &header(3), b"one", &header(2), b"34", &END].concat();
        for most in 1..octets.len() {
            let mut incoming = incoming(true, true);
            assert!(!incoming.is_taken());
            assert_eq!(
                read(&mut incoming, &octets, most),
                (b"one34".into(), Ok(true))
            );
            assert!(incoming.is_taken());
            // An end is final, even if the connection is lost later.
            assert_eq!(incoming.read(0), Ok(()));
            incoming.broken();
            assert_eq!(incoming.place(), Ok(Place::End));
        }
    }

    #[test]
    fn a_connection_that_ends_early_is_an_error_for_ever() {
        let octets = [&header(3)[..], b"one", &END].concat();
        for cut in 0..octets.len() {
            let mut incoming = incoming(true, false);
            assert_eq!(read(&mut incoming, &octets[..cut], 2).1, Ok(false));
            for _ in 0..2 {
                assert_eq!(incoming.read(0), Err(FrameError::CutOff), "{cut}");
                assert_eq!(incoming.place(), Err(FrameError::CutOff), "{cut}");
            }
        }
    }

    #[test]
    fn octets_that_are_no_frames_are_errors() {
        let mut long = incoming(true, false);
        let error = FrameError::TooLong(LONGEST + 1);
        assert_eq!(
            read(&mut long, &header(LONGEST + 1), 9),
            (Vec::new(), Err(error))
        );
        long.broken();
        assert_eq!(long.read(1), Err(error));
        let mut longest = incoming(true, false);
        assert_eq!(read(&mut longest, &header(LONGEST), 9).1, Ok(false));
        let mut other = incoming(true, true);
        let error = FrameError::NotTaken;
        assert_eq!(read(&mut other, b"HTTP/1.1", 9), (Vec::new(), Err(error)));
        // A frame must not be taken for the beginning, nor the beginning for a frame.
        let mut twice = incoming(true, true);
        let octets = [TAKEN, TAKEN].concat();
        let error = FrameError::TooLong(u32::MAX);
        assert_eq!(read(&mut twice, &octets, 9), (Vec::new(), Err(error)));
    }

    #[test]
    fn raw_octets_end_with_their_connection_unless_it_breaks() {
        let mut raw = incoming(false, true);
        assert_eq!(read(&mut raw, &TAKEN, 3), (TAKEN.into(), Ok(false)));
        assert_eq!(raw.read(0), Ok(()));
        assert_eq!(raw.place(), Ok(Place::End));
        let mut reset = incoming(false, false);
        reset.broken();
        assert_eq!(reset.read(0), Err(FrameError::CutOff));
        assert_eq!(reset.place(), Err(FrameError::CutOff));
    }
}
