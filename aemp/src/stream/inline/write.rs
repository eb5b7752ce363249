//! The side of an inline stream that is written.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{super::sides::Side, Inline, Way, error::gone, message};
use crate::streamed::window::Credit;

/// The most bytes of a packet.
const PIECE: usize = 16 << 10;

impl Inline {
    pub(in crate::stream) fn poll_write(
        &mut self,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.writing {
            Way::Ended => return Poll::Ready(Err(ErrorKind::BrokenPipe.into())),
            Way::Moved => {}
            Way::Inline if bytes.is_empty() => return Poll::Ready(Ok(0)),
            Way::Inline => {
                if let Some(sent) = ready!(self.poll_inline(task, bytes))? {
                    return Poll::Ready(Ok(sent));
                }
            }
        }
        let wired = ready!(self.poll_connection(Side::Writer, task))?;
        wired.poll_write(task, bytes)
    }

    /// Sends some of the bytes inline, or moves to the connection: `None`.
    fn poll_inline(
        &mut self,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<Option<usize>>> {
        if let Poll::Ready(reason) = self.shared.flow.poll_lost(task) {
            return Poll::Ready(Err(gone(&reason)));
        }
        let most = usize::try_from(self.credit.left()).unwrap_or(PIECE);
        if most < bytes.len() {
            self.ask_to_move();
        }
        let piece = &bytes[..bytes.len().min(PIECE).min(most)];
        if !piece.is_empty() {
            ready!(self.poll_room(task));
            if self.send(piece) {
                return Poll::Ready(Ok(Some(piece.len())));
            }
            // The limits of packets are smaller than the piece.
            self.credit = Credit::default();
            self.ask_to_move();
        }
        ready!(self.poll_connection(Side::Writer, task))?;
        if let Some(live) = &self.live {
            message::moved(&live.to, self.sent);
        }
        self.over(Side::Writer, Way::Moved);
        Poll::Ready(Ok(None))
    }

    fn ask_to_move(&self) {
        if let Some(live) = &self.live {
            self.shared.ask_to_move(&live.to);
        }
    }

    fn send(&mut self, piece: &[u8]) -> bool {
        let sent = match &self.live {
            Some(live) => message::data(&live.to, piece).is_ok(),
            None => false,
        };
        if sent {
            let length = piece.len() as u64;
            let _ = self.credit.spend(length);
            self.sent += length;
        }
        sent
    }

    fn poll_room(&mut self, task: &mut Context<'_>) -> Poll<()> {
        let peer = self.live.as_ref().and_then(|live| live.to.peer());
        if let Some(peer) = peer
            && (self.room.is_some() || peer.is_crowded())
        {
            let peer = Arc::clone(peer);
            let room = self
                .room
                .get_or_insert_with(|| Box::pin(async move { peer.room().await }));
            ready!(room.as_mut().poll(task));
            self.room = None;
        }
        Poll::Ready(())
    }

    /// Ends the side that is written.
    pub(in crate::stream) fn poll_shutdown(
        &mut self,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match self.writing {
            Way::Ended => Poll::Ready(Ok(())),
            Way::Moved => ready!(self.poll_connection(Side::Writer, task))?.poll_shutdown(task),
            Way::Inline => {
                if let Some(reason) = self.shared.flow.lost() {
                    return Poll::Ready(Err(gone(&reason)));
                }
                if let Some(live) = &self.live {
                    message::end(&live.to);
                }
                self.over(Side::Writer, Way::Ended);
                Poll::Ready(Ok(()))
            }
        }
    }
}
