//! What is said in a session: Socket.IO with the ledger behind it, or the echo that the protocol suites expect.
use kymo_hub::Delivery;

use crate::{
    socketio::{Greeting, Happening, SuiteEcho, Talk},
    ws::{close::Fault, outbox::Outbox},
};

/// How a session ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The connection is gone, or as good as.
    Gone,
    /// The client closed.
    Closed,
    /// The client broke the rules.
    Fault(Fault),
    /// We have a reason, and said it.
    Over(Fault),
    /// The server is shutting down.
    Closing,
}

/// One side of a conversation.
pub(crate) enum Conversation {
    SocketIo(Box<Talk>),
    /// Socket.IO as its suite expects it.
    SuiteEcho(SuiteEcho),
    /// Engine.IO as its suite expects it: whatever comes goes back.
    RawEcho,
}

/// What a conversation waited for.
pub(crate) enum Next {
    Delivered(Delivery),
    Happened(Happening),
    /// It is time for what the suite waits for by itself.
    EchoDue,
}

impl Conversation {
    pub(crate) fn begin(greeting: Greeting) -> Self {
        if greeting.is_suite() {
            return Self::SuiteEcho(SuiteEcho::default());
        }
        Self::SocketIo(Box::new(Talk::new(greeting)))
    }

    pub(crate) const fn raw_echo() -> Self {
        Self::RawEcho
    }

    /// Whether it waits for the disk, so that no more should be heard.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::SocketIo(talk) if talk.is_busy())
    }

    /// Whether there may be events to give.
    pub(crate) fn reads(&self) -> bool {
        matches!(self, Self::SocketIo(talk) if talk.reads())
    }

    /// Whether it is known who the client is.
    pub(crate) fn is_known(&self) -> bool {
        match self {
            Self::SocketIo(talk) => talk.is_known(),
            _ => true,
        }
    }

    /// One message.
    pub(crate) async fn hear(&mut self, text: &str, outbox: &mut Outbox) -> Result<(), End> {
        match self {
            Self::SocketIo(talk) => talk.hear(text, outbox).await,
            Self::SuiteEcho(echo) => echo.hear(text, outbox),
            Self::RawEcho => {
                outbox.text(|out| {
                    out.push(b'4');
                    out.extend_from_slice(text.as_bytes());
                });
                Ok(())
            }
        }
    }

    /// One binary message.
    pub(crate) fn hear_binary(&mut self, bytes: &[u8], outbox: &mut Outbox) -> Result<(), End> {
        match self {
            Self::SocketIo(talk) => talk.hear_binary(),
            Self::SuiteEcho(echo) => echo.hear_binary(bytes, outbox),
            Self::RawEcho => {
                outbox.binary(bytes);
                Ok(())
            }
        }
    }

    /// Moves what is ready in memory to the outbox, until that is full; and takes note of what happened.
    pub(crate) fn pull(&mut self, outbox: &mut Outbox) -> Result<(), End> {
        match self {
            Self::SocketIo(talk) => talk.pull(outbox),
            _ => Ok(()),
        }
    }

    /// Waits for what comes next, events only if they are wanted; for ever if there is nothing to come. Nothing is lost
    /// when it is not waited for any longer.
    pub(crate) async fn next(&mut self, wants_events: bool) -> Next {
        match self {
            Self::SocketIo(talk) => talk.next(wants_events).await,
            Self::SuiteEcho(echo) => {
                echo.due().await;
                Next::EchoDue
            }
            Self::RawEcho => std::future::pending().await,
        }
    }

    /// Deals with what came.
    pub(crate) fn take(&mut self, next: Next, outbox: &mut Outbox) -> Result<(), End> {
        match self {
            Self::SocketIo(talk) => talk.take(next, outbox),
            Self::SuiteEcho(echo) => {
                echo.say_what_is_due(outbox);
                Ok(())
            }
            Self::RawEcho => Ok(()),
        }
    }
}
