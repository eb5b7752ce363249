//! The state that an end of an inline stream shares with its port: bytes that have arrived, the end, the loss, and the
//! move to a connection.
//!
//! The rules of one direction are in [`Arrived`], which is data only. They use the credit of streams of items
//! ([`Credit`]), in bytes.

use std::{
    mem,
    task::{Context, Poll, Waker},
};

use tokio::sync::oneshot;

use super::super::{INLINE, Opened, sides::Side};
use crate::{
    Reason,
    exec::seat,
    lock::Lock,
    streamed::{wait::poll_for, window::Credit},
};

pub(super) struct Flow(Lock<State>);

struct State {
    arrived: Arrived,
    /// The reason why the other end cannot be reached any more.
    lost: Option<Reason>,
    moving: Moving,
    /// The tasks that wait, by [`Side`].
    waiting: [Option<Waker>; 2],
}

/// The move to a connection.
enum Moving {
    Not,
    /// The other end was asked to begin.
    Asked,
    Begun,
    /// The connection comes here.
    Awaited(oneshot::Receiver<Opened>),
    /// The end was dropped.
    Closed,
}

/// The next thing to read.
pub(super) enum Next {
    Bytes(Vec<u8>),
    End,
    /// The other bytes come over the connection.
    Moved,
    Lost(Reason),
}

impl Default for Flow {
    fn default() -> Self {
        Self(Lock::new(State {
            arrived: Arrived::new(INLINE as u64),
            lost: None,
            moving: Moving::Not,
            waiting: [None, None],
        }))
    }
}

impl Flow {
    /// Changes the state, and wakes the tasks that wait.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.0.lock();
        let result = change(&mut state);
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().flatten().for_each(seat::wake);
        result
    }

    /// Takes what the other end has sent.
    ///
    /// # Errors
    ///
    /// The other end breaks the rules. The stream is lost.
    pub(super) fn arrived(
        &self,
        take: impl FnOnce(&mut Arrived) -> Result<(), &'static str>,
    ) -> Result<(), Reason> {
        self.change(|state| {
            // Bytes of a later connection would come behind a gap.
            if state.lost.is_some() {
                return Ok(());
            }
            take(&mut state.arrived).map_err(|rule| {
                let reason = Reason::die(format_args!("the other end breaks the rules: {rule}"));
                state.lost = Some(reason.clone());
                reason
            })
        })
    }

    /// The other end cannot be reached any more. The first reason counts.
    pub(super) fn lose(&self, reason: &Reason) {
        self.change(|state| {
            state.lost.get_or_insert_with(|| reason.clone());
        });
    }

    pub(super) fn lost(&self) -> Option<Reason> {
        self.0.lock().lost.clone()
    }

    /// Ready when the other end cannot be reached any more.
    pub(super) fn poll_lost(&self, task: &Context<'_>) -> Poll<Reason> {
        self.poll(Side::Writer, task, |state| state.lost.clone())
    }

    pub(super) fn poll_next(&self, task: &Context<'_>) -> Poll<Next> {
        self.poll(Side::Reader, task, |state| match state.arrived.next() {
            None => state.lost.clone().map(Next::Lost),
            next => next,
        })
    }

    /// Ready with the place to which the connection comes, once; or with the reason why there will be none.
    pub(super) fn poll_moving(
        &self,
        side: Side,
        task: &Context<'_>,
    ) -> Poll<Result<oneshot::Receiver<Opened>, Reason>> {
        self.poll(side, task, |state| {
            match mem::replace(&mut state.moving, Moving::Begun) {
                Moving::Awaited(connection) => return Some(Ok(connection)),
                before => state.moving = before,
            }
            state.lost.clone().map(Err)
        })
    }

    fn poll<R>(
        &self,
        side: Side,
        task: &Context<'_>,
        find: impl FnMut(&mut State) -> Option<R>,
    ) -> Poll<R> {
        poll_for(&self.0, task, find, |state| {
            &mut state.waiting[side as usize]
        })
    }

    /// True if the other end is to be asked to begin the move.
    pub(super) fn ask_to_move(&self) -> bool {
        let moving = &mut self.0.lock().moving;
        let is_first = matches!(moving, Moving::Not);
        if is_first {
            *moving = Moving::Asked;
        }
        is_first
    }

    /// True if this end is to begin the move.
    pub(super) fn begin_to_move(&self) -> bool {
        let moving = &mut self.0.lock().moving;
        let is_first = matches!(moving, Moving::Not | Moving::Asked);
        if is_first {
            *moving = Moving::Begun;
        }
        is_first
    }

    /// Keeps the place to which the connection comes. False if this end is gone.
    pub(super) fn await_connection(&self, connection: oneshot::Receiver<Opened>) -> bool {
        let mut connection = Some(connection);
        self.change(|state| {
            if !matches!(state.moving, Moving::Closed)
                && let Some(connection) = connection.take()
            {
                state.moving = Moving::Awaited(connection);
            }
        });
        connection.is_none()
    }

    /// This end is gone. A connection that is being made is given up.
    pub(super) fn close(&self) {
        let before = self.change(|state| mem::replace(&mut state.moving, Moving::Closed));
        drop(before);
    }
}

/// The bytes of one direction, as they arrive: data only.
pub(super) struct Arrived {
    /// Bytes that have not been read.
    bytes: Vec<u8>,
    /// The number of bytes that may still arrive.
    credit: Credit,
    total: u64,
    ending: Option<Ending>,
}

#[derive(Clone, Copy)]
enum Ending {
    Whole,
    Moved,
}

impl Arrived {
    fn new(most: u64) -> Self {
        let mut credit = Credit::default();
        credit.add(most);
        Self {
            bytes: Vec::new(),
            credit,
            total: 0,
            ending: None,
        }
    }

    pub(super) fn data(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        if self.ending.is_some() {
            return Err("bytes came behind the last ones");
        }
        let length = bytes.len() as u64;
        if !self.credit.spend(length) {
            return Err("more bytes came than were asked for");
        }
        self.total += length;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<(), &'static str> {
        self.over(Ending::Whole)
    }

    /// The bytes from this place on come over the connection.
    pub(super) fn moved(&mut self, at: u64) -> Result<(), &'static str> {
        if at != self.total {
            return Err("the stream goes on at another place");
        }
        self.over(Ending::Moved)
    }

    fn over(&mut self, ending: Ending) -> Result<(), &'static str> {
        match self.ending.replace(ending) {
            None => Ok(()),
            Some(_) => Err("it has ended twice"),
        }
    }

    fn next(&mut self) -> Option<Next> {
        if !self.bytes.is_empty() {
            return Some(Next::Bytes(mem::take(&mut self.bytes)));
        }
        Some(match self.ending? {
            Ending::Whole => Next::End,
            Ending::Moved => Next::Moved,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(arrived: &mut Arrived) -> String {
        match arrived.next() {
            Some(Next::Bytes(bytes)) => String::from_utf8(bytes).expect("text"),
            Some(Next::End) => "end".into(),
            Some(Next::Moved) => "moved".into(),
            Some(Next::Lost(_)) | None => "nothing".into(),
        }
    }

    #[test]
    fn the_end_comes_behind_the_bytes() {
        let mut arrived = Arrived::new(4);
        assert_eq!(next(&mut arrived), "nothing");
        assert_eq!(arrived.data(b"ab"), Ok(()));
        assert_eq!(arrived.data(b""), Ok(()));
        assert_eq!(arrived.data(b"cd"), Ok(()));
        assert_eq!(arrived.end(), Ok(()));
        assert_eq!(next(&mut arrived), "abcd");
        assert_eq!(
            (next(&mut arrived), next(&mut arrived)),
            ("end".into(), "end".into())
        );
    }

    #[test]
    fn a_stream_moves_at_the_place_of_its_next_byte() {
        let mut arrived = Arrived::new(4);
        arrived.data(b"abc").expect("there is room");
        assert!(arrived.moved(2).is_err() && arrived.moved(4).is_err());
        assert_eq!(arrived.moved(3), Ok(()));
        assert_eq!(next(&mut arrived), "abc");
        assert_eq!(next(&mut arrived), "moved");
        assert!(arrived.data(b"d").is_err());
        assert!(arrived.end().is_err());
    }

    #[test]
    fn bytes_beyond_the_credit_are_not_kept() {
        let mut arrived = Arrived::new(4);
        assert_eq!(arrived.data(b"abc"), Ok(()));
        assert!(arrived.data(b"de").is_err());
        assert_eq!(arrived.data(b"d"), Ok(()));
        assert_eq!(next(&mut arrived), "abcd");
        // Reading gives no further credit: a longer stream moves.
        assert!(arrived.data(b"e").is_err());
    }

    #[test]
    fn nothing_is_taken_behind_a_loss() {
        let flow = Flow::default();
        let task = Context::from_waker(Waker::noop());
        assert_eq!(flow.arrived(|arrived| arrived.data(b"a")), Ok(()));
        flow.lose(&Reason::normal());
        flow.lose(&Reason::die("later"));
        assert_eq!(flow.arrived(|arrived| arrived.data(b"b")), Ok(()));
        assert_eq!(flow.arrived(Arrived::end), Ok(()));
        let Poll::Ready(Next::Bytes(bytes)) = flow.poll_next(&task) else {
            panic!("bytes that arrived before the loss are read");
        };
        assert_eq!(bytes, b"a");
        let Poll::Ready(Next::Lost(reason)) = flow.poll_next(&task) else {
            panic!("the loss comes behind the bytes");
        };
        assert!(reason.is_normal());
    }

    #[test]
    fn a_broken_rule_is_a_loss() {
        let flow = Flow::default();
        let too_many = vec![0; INLINE + 1];
        let broken = flow.arrived(|arrived| arrived.data(&too_many)).unwrap_err();
        assert!(broken.to_string().contains("more bytes"), "{broken}");
        assert_eq!(flow.lost(), Some(broken));
    }

    #[test]
    fn a_stream_moves_once() {
        let flow = Flow::default();
        assert!(flow.ask_to_move() && !flow.ask_to_move());
        assert!(flow.begin_to_move() && !flow.begin_to_move() && !flow.ask_to_move());
        let (sender, receiver) = oneshot::channel();
        assert!(flow.await_connection(receiver));
        flow.close();
        assert!(sender.is_closed(), "the connection is given up");
        assert!(!flow.await_connection(oneshot::channel().1));
        assert!(!flow.begin_to_move());
    }
}
