//! What is said on one connection: CONNECT, the client's events, and their answers.
//!
//! Knows no socket: it is handed messages, and fills an outbox.
use std::{future::Future, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use kymo_event::{RawJson, json::string_token};
use kymo_hub::{PublishError, Receipt, Scope};

use super::{
    Greeting,
    packet::{self, Kind, Packet},
    reader::Reader,
    recovery::Resumed,
    wishes::Wishes,
};
use crate::{
    app::Open,
    auth::Caller,
    engineio::{End, Next, random_id},
    error::ApiError,
    events::write_receipt,
    ws::{close::Fault, outbox::Outbox},
};

/// How long a client may take to say CONNECT.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Emits of one client that wait for the disk; more are not heard.
const IN_FLIGHT_MAX: usize = 256;
/// And their bytes, about.
const IN_FLIGHT_BYTES_MAX: usize = 32 << 20;

/// Something other than messages and deliveries.
pub(crate) enum Happening {
    /// An emit was answered.
    Answered(Box<Answer>),
    /// The time to connect is over.
    ConnectOver,
    /// The token was revoked.
    Revoked,
}

/// The answer to an emit.
pub(crate) struct Answer {
    pub(super) id: Option<String>,
    pub(super) bytes: usize,
    pub(super) result: Result<Receipt, PublishError>,
}

/// One side of one conversation.
pub(crate) struct Talk {
    pub(super) greeting: Greeting,
    pub(super) stage: Stage,
    // Only what was woken is polled, however much is waited for.
    pub(super) happenings: FuturesUnordered<BoxFuture<'static, Happening>>,
    pub(super) in_flight: usize,
    pub(super) in_flight_bytes: usize,
    /// Binary messages that belong to a packet that was refused.
    attachments: usize,
    _open: Open,
}

/// How far a client is.
pub(super) enum Stage {
    /// It has yet to connect.
    Expected,
    Connected(Box<Member>),
    /// It disconnected.
    Left,
}

/// A client that was let in.
pub(super) struct Member {
    pub(super) caller: Arc<Caller>,
    pub(super) reader: Reader,
    /// By which it is known when it comes back, if it asked for that.
    pub(super) pid: Option<String>,
}

impl Talk {
    pub(crate) fn new(greeting: Greeting) -> Self {
        let talk = Self {
            _open: greeting.app.counts.socketio.enter(),
            greeting,
            stage: Stage::Expected,
            happenings: FuturesUnordered::new(),
            in_flight: 0,
            in_flight_bytes: 0,
            attachments: 0,
        };
        talk.expect(tokio::time::sleep(CONNECT_WITHIN), Happening::ConnectOver);
        talk
    }

    /// Whether it waits for the disk, so that no more should be heard.
    pub(crate) const fn is_busy(&self) -> bool {
        self.in_flight >= IN_FLIGHT_MAX || self.in_flight_bytes >= IN_FLIGHT_BYTES_MAX
    }

    /// Whether there may be events to give.
    pub(crate) fn reads(&self) -> bool {
        matches!(&self.stage, Stage::Connected(member) if member.reader.reads())
    }

    /// Whether it is known who the client is.
    pub(crate) const fn is_known(&self) -> bool {
        !matches!(self.stage, Stage::Expected)
    }

    /// One message.
    pub(crate) async fn hear(&mut self, text: &str, outbox: &mut Outbox) -> Result<(), End> {
        if self.attachments > 0 {
            return Err(End::Fault(Fault::protocol("attachments are missing")));
        }
        let limits = &self.greeting.app.hub().settings().limits;
        // An event is an argument of a packet: two brackets deeper than by itself.
        let packet = Packet::read(text, limits.nesting_max + 2);
        let packet = packet.map_err(|reason| End::Fault(Fault::protocol(reason)))?;
        self.attachments = packet.attachments;
        match (packet.kind, &self.stage) {
            (Kind::Connect, _) if packet.namespace != "/" => {
                outbox.text(|out| {
                    packet::begin(b'4', packet.namespace, None, out);
                    out.extend_from_slice(b"{\"message\":\"Invalid namespace\"}");
                });
                Ok(())
            }
            (Kind::Connect, Stage::Expected | Stage::Left) => self.connect(packet.payload, outbox).await,
            _ if packet.namespace != "/" => Err(End::Fault(Fault::protocol("nobody is in this namespace"))),
            (Kind::Disconnect, Stage::Connected(_)) => {
                self.stage = Stage::Left;
                Ok(())
            }
            (Kind::Event, Stage::Connected(_)) => self.event(&packet, outbox).await,
            // Nothing of ours asks for an answer.
            (Kind::Ack, Stage::Connected(_)) => Ok(()),
            _ => Err(End::Fault(Fault::protocol(
                "this does not fit to what was said before",
            ))),
        }
    }

    /// One binary message: it belongs to a packet that was refused.
    pub(crate) fn hear_binary(&mut self) -> Result<(), End> {
        let left = self.attachments.checked_sub(1);
        self.attachments = left.ok_or(End::Fault(Fault::BINARY))?;
        Ok(())
    }

    async fn connect(&mut self, auth: Option<RawJson<'_>>, outbox: &mut Outbox) -> Result<(), End> {
        match self.greeting.admit(auth).await {
            Ok((member, sid)) => {
                outbox.text(|out| {
                    packet::begin(b'0', "/", None, out);
                    out.extend_from_slice(format!("{{\"sid\":\"{sid}\"").as_bytes());
                    if let Some(pid) = &member.pid {
                        out.extend_from_slice(format!(",\"pid\":{}", string_token(pid)).as_bytes());
                    }
                    out.push(b'}');
                });
                self.expect(
                    member.caller.revoked.clone().cancelled_owned(),
                    Happening::Revoked,
                );
                self.stage = Stage::Connected(Box::new(member));
            }
            Err(error) => outbox.text(|out| {
                packet::begin(b'4', "/", None, out);
                let message = string_token(&error.message);
                out.extend_from_slice(format!("{{\"message\":{message},\"data\":{{").as_bytes());
                error.write_fields(out);
                out.extend_from_slice(b"}}");
            }),
        }
        Ok(())
    }

    async fn event(&mut self, packet: &Packet<'_>, outbox: &mut Outbox) -> Result<(), End> {
        let done = if packet.attachments > 0 {
            let message = "events are JSON; attachments are not taken, send text";
            Ok(Err(ApiError::new("invalid_body", message)))
        } else {
            self.obey(packet, outbox).await
        };
        if let Err(error) = done? {
            write_error(packet.id, &error, outbox);
        }
        Ok(())
    }

    /// Moves what is ready in memory to the outbox, until that is full; and takes note of what happened.
    pub(crate) fn pull(&mut self, outbox: &mut Outbox) -> Result<(), End> {
        // Polled without a waker: the happenings keep their own, and the next wait sees what woke meanwhile.
        while let Some(Some(happening)) = self.happenings.next().now_or_never() {
            self.happened(happening, outbox)?;
        }
        match &mut self.stage {
            Stage::Connected(member) => member.reader.pull(outbox),
            _ => Ok(()),
        }
    }

    /// Waits for what comes next; for ever if there is nothing to come.
    pub(crate) async fn next(&mut self, wants_events: bool) -> Next {
        let Self {
            happenings, stage, ..
        } = self;
        let events = async {
            match stage {
                Stage::Connected(member) if wants_events => member.reader.next().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(happening) = happenings.next() => Next::Happened(happening),
            delivery = events => Next::Delivered(delivery),
            else => std::future::pending().await,
        }
    }

    /// Deals with what came.
    pub(crate) fn take(&mut self, next: Next, outbox: &mut Outbox) -> Result<(), End> {
        match (next, &mut self.stage) {
            (Next::Happened(happening), _) => self.happened(happening, outbox),
            (Next::Delivered(delivery), Stage::Connected(member)) => member.reader.deliver(delivery, outbox),
            (Next::Delivered(_) | Next::EchoDue, _) => Ok(()),
        }
    }

    fn happened(&mut self, happening: Happening, outbox: &mut Outbox) -> Result<(), End> {
        match happening {
            Happening::Answered(answer) => {
                self.answered(&answer, outbox);
                Ok(())
            }
            Happening::ConnectOver => match self.stage {
                Stage::Expected => Err(End::Over(Fault::SILENT)),
                _ => Ok(()),
            },
            // Told as a DISCONNECT, behind which clients do not come again by themselves.
            Happening::Revoked if matches!(self.stage, Stage::Connected(_)) => {
                write_error(
                    None,
                    &ApiError::new("unauthorized", "the token was revoked"),
                    outbox,
                );
                outbox.text(|out| packet::begin(b'1', "/", None, out));
                self.stage = Stage::Left;
                Err(End::Over(Fault::REVOKED))
            }
            Happening::Revoked => Ok(()),
        }
    }

    pub(super) fn answered(&mut self, answer: &Answer, outbox: &mut Outbox) {
        self.in_flight -= 1;
        self.in_flight_bytes -= answer.bytes;
        let id = answer.id.as_deref();
        match (&answer.result, id) {
            (Ok(receipt), Some(id)) => outbox.text(|out| {
                packet::begin(b'3', "/", Some(id), out);
                out.push(b'[');
                write_receipt(receipt, out);
                out.push(b']');
            }),
            // Whoever did not ask is told only what was not stored.
            (Ok(receipt), None) => {
                for rejected in &receipt.rejected {
                    write_error(None, &ApiError::new(rejected.code, &*rejected.message), outbox);
                }
            }
            (Err(error), id) => write_error(id, &error.clone().into(), outbox),
        }
    }

    pub(super) fn expect(&self, what: impl Future<Output = ()> + Send + 'static, then: Happening) {
        self.happenings.push(Box::pin(async move {
            what.await;
            then
        }));
    }
}

impl Greeting {
    /// Lets a client in, and finds where it begins.
    pub(super) async fn admit(&self, auth: Option<RawJson<'_>>) -> Result<(Member, String), ApiError> {
        let Greeting {
            app, door, wishes, ..
        } = self;
        let wishes = wishes.with_auth(auth)?;
        let caller = self.caller(&wishes)?;
        let sid = random_id().map_err(|_| ApiError::fault())?;
        let ledger = app.hub().ledger().id();
        let resumed = match wishes.recovery {
            true => door.recovery.resume(&wishes, &ledger),
            false => None,
        };
        let (known, from, view) = match resumed {
            Some(Resumed { pid, from, view }) => (pid, Some(from), view),
            None => (None, None, None),
        };
        let view = view.map_or_else(|| wishes.view(), Ok)?;
        let hub = app.hub().clone();
        let mut reader = Reader::new(hub, Arc::clone(&caller.principal), view, wishes.recovery);
        if caller.principal.may(Scope::Read) {
            match from {
                Some(from) => reader.begin_at(from).await?,
                None => reader.begin_with(wishes.catchup(door.settings.catchup)?).await?,
            }
        }
        let pid = match wishes.recovery {
            true => known.or_else(|| door.recovery.pid(&ledger)),
            false => None,
        };
        let member = Member { caller, reader, pid };
        Ok((member, sid))
    }

    fn caller(&self, wishes: &Wishes) -> Result<Arc<Caller>, ApiError> {
        let Greeting {
            app, door, caller, ..
        } = self;
        // A token that is sent must be good: nobody becomes anonymous by a wrong one.
        match (&wishes.token, caller) {
            (Some(token), _) => app.auth.identify_token(token),
            (None, Err(error)) => Err(error.clone()),
            (None, Ok(Some(caller))) => Ok(Arc::clone(caller)),
            (None, Ok(None)) => door
                .door
                .stranger("as `auth: { token }`, or as `Authorization: Bearer <token>`"),
        }
    }
}

/// Says that something was refused: as the answer, if one is waited for, else as the event `error`.
pub(super) fn write_error(id: Option<&str>, error: &ApiError, outbox: &mut Outbox) {
    outbox.text(|out| {
        match id {
            Some(id) => {
                packet::begin(b'3', "/", Some(id), out);
                out.extend_from_slice(b"[{\"error\":{");
                error.write_fields(out);
                out.extend_from_slice(b"}}]");
            }
            None => {
                out.extend_from_slice(b"42[\"error\",{");
                error.write_fields(out);
                out.extend_from_slice(b"}]");
            }
        };
    });
}
