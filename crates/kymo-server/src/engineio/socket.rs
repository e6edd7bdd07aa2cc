//! A session on a WebSocket: reads, hears, gives, and waits only when nothing else is left to do.
//!
//! The same wheel as the native door's, for one packet per message. A slow client takes less and falls back to the
//! ledger; it is never buffered for without bound.
use std::{future::poll_fn, io};

use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until};

use super::{
    conversation::{End, Next},
    session::{ANSWERS_MAX, Session},
    sessions::Command,
};
use crate::{
    budget::Claim,
    ws::{
        close::Fault,
        frame::Opcode,
        inbox::{Inbox, Incoming},
        upgraded::{AtOnce, Moved, Socket},
    },
};

/// What is read of a socket before others have a turn, in bytes.
const IN_A_ROW_MAX: usize = 64 << 10;

/// What a turn of the wheel waited for.
enum Turn {
    Moved(Moved),
    Came(Next),
    Asked(Command),
    Due,
    Closing,
}

impl Session {
    /// Serves a session that begins on a WebSocket.
    pub(crate) async fn serve_on(mut self, socket: Socket, opened: &[u8]) {
        self.outbox.text(|out| out.extend_from_slice(opened));
        self.go_on(socket).await;
    }

    /// Serves the rest of a session on a WebSocket.
    pub(super) async fn go_on(mut self, mut socket: Socket) {
        let mut large = self.seat.app().budget.claim();
        let mut in_a_row = 0;
        let end = loop {
            if let Err(end) = self.socket_turn(&mut socket, &mut large, &mut in_a_row).await {
                break end;
            }
        };
        drop(large);
        let fault = match end {
            End::Gone => return,
            End::Closed => Fault::echo(1000),
            End::Fault(fault) | End::Over(fault) => fault,
            End::Closing => {
                self.pull_last();
                Fault::CLOSING
            }
        };
        let outbox = std::mem::take(&mut self.outbox);
        // Its place is free for others while it goes.
        drop(self);
        socket.close(outbox, fault).await;
    }

    async fn socket_turn(
        &mut self,
        socket: &mut Socket,
        large: &mut Claim,
        in_a_row: &mut usize,
    ) -> Result<(), End> {
        let heard_all = self.hear_socket(&mut socket.inbox).await?;
        socket.inbox.settle();
        large
            .set(socket.inbox.excess())
            .map_err(|_| End::Over(Fault::BUSY))?;
        self.beat()?;
        self.conversation.pull(&mut self.outbox)?;
        let wrote = self.write_at_once(socket).await.map_err(|_| End::Gone)?;
        if wrote && self.conversation.reads() || !heard_all && self.wants_messages() {
            return Ok(());
        }
        match self.wait(socket).await.map_err(|_| End::Gone)? {
            Turn::Moved(Moved::Read(0)) => Err(End::Gone),
            Turn::Moved(Moved::Read(bytes)) => {
                *in_a_row += bytes;
                if *in_a_row >= IN_A_ROW_MAX {
                    *in_a_row = 0;
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            Turn::Moved(Moved::Wrote) => {
                self.heart.took(Instant::now());
                Ok(())
            }
            Turn::Due => {
                // Nothing keeps memory that does not need it for a while.
                socket.inbox.shrink();
                self.outbox.shrink();
                Ok(())
            }
            Turn::Came(next) => self.conversation.take(next, &mut self.outbox),
            Turn::Asked(command) => {
                Self::decline(command);
                Ok(())
            }
            Turn::Closing => Err(End::Closing),
        }
    }

    fn wants_messages(&self) -> bool {
        !self.conversation.is_busy() && self.outbox.own_bytes() < ANSWERS_MAX
    }

    /// Hears what came, as far as there is room for answers; whether that was all.
    async fn hear_socket(&mut self, inbox: &mut Inbox) -> Result<bool, End> {
        while self.wants_messages() {
            inbox.limit(self.message_max());
            match inbox.next().map_err(End::Fault)? {
                None => return Ok(true),
                Some(Incoming::Text(text)) => self.hear(text).await?,
                Some(Incoming::Binary(bytes)) => {
                    self.heart.heard(Instant::now());
                    self.conversation.hear_binary(bytes, &mut self.outbox)?;
                }
                Some(Incoming::Ping(payload)) => self.outbox.control(Opcode::Pong, payload),
                Some(Incoming::Pong) => self.heart.heard(Instant::now()),
                Some(Incoming::Close(code)) => return Err(End::Over(Fault::echo(code))),
            }
        }
        Ok(false)
    }

    /// Writes what the socket takes now; whether that was anything.
    async fn write_at_once(&mut self, socket: &mut Socket) -> io::Result<bool> {
        let written = socket.write_at_once(&mut self.outbox).await?;
        match written {
            AtOnce::Nothing => {}
            AtOnce::Wrote => self.heart.took(Instant::now()),
            AtOnce::Blocked => self.heart.slow(),
        }
        Ok(written == AtOnce::Wrote)
    }

    async fn wait(&mut self, socket: &mut Socket) -> io::Result<Turn> {
        let wants_messages = self.wants_messages();
        let wants_events = !self.outbox.is_full();
        let due = self.heart.due();
        let Self {
            conversation,
            outbox,
            closing,
            commands,
            ..
        } = self;
        tokio::select! {
            moved = poll_fn(|cx| socket.poll_move(wants_messages, outbox, cx)) => moved.map(Turn::Moved),
            next = conversation.next(wants_events) => Ok(Turn::Came(next)),
            Some(command) = commands.recv() => Ok(Turn::Asked(command)),
            Some(()) = closing.next() => Ok(Turn::Closing),
            () = sleep_until(due) => Ok(Turn::Due),
        }
    }
}
