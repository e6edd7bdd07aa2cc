//! What a client is given: the live events from where it began, and before they go on, what it asked to see again.
//!
//! Both are cursors of the hub and nothing is copied for either: an event is fetched when there is room for it. While
//! something is replayed the live ones wait where they are, so that each stays in order and nothing is lost.
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kymo_event::{Channel, LineView, Seq, json::push_number};
use kymo_hub::{
    Delivery, From, HistoryRequest, Hub, Principal, SubscribeError, SubscribeRequest, Subscriber,
};

use super::{
    frames::{Events, end},
    packet,
    talk::write_error,
    wishes::View,
};
use crate::{
    engineio::End,
    error::ApiError,
    events::write_gap,
    ws::{close::Fault, outbox::Outbox},
};

/// Replays that wait for each other at most.
const REPLAYS_MAX: usize = 8;
/// What is looked through for the newest events, in bytes and time.
const NEWEST_BYTES_MAX: usize = 8 << 20;
const NEWEST_WITHIN: Duration = Duration::from_secs(5);

/// What one client reads.
pub(crate) struct Reader {
    hub: Hub,
    principal: Arc<Principal>,
    pub(crate) view: View,
    /// Whether live events carry offsets.
    offsets: bool,
    /// `None` while it looks at nothing.
    live: Option<Subscriber>,
    replays: VecDeque<Replay>,
}

/// Newest events that were asked for.
struct Replay {
    subscriber: Subscriber,
    /// Events still to be given.
    left: usize,
    newest: Newest,
    /// Who waits for the answer.
    id: Option<String>,
}

/// Where the newest events are.
#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    count: usize,
    /// Their first and last, if there is any.
    range: Option<(Seq, Seq)>,
}

impl Reader {
    pub(crate) fn new(hub: Hub, principal: Arc<Principal>, view: View, offsets: bool) -> Self {
        Self {
            hub,
            principal,
            view,
            offsets,
            live: None,
            replays: VecDeque::new(),
        }
    }

    /// Whether there may be anything to give.
    pub(crate) fn reads(&self) -> bool {
        self.live.is_some() || !self.replays.is_empty()
    }

    /// Begins with the newest so many.
    pub(crate) async fn begin_with(&mut self, newest: usize) -> Result<(), ApiError> {
        // Asked first: what comes meanwhile is live.
        let end = self.hub.ledger().head().map_or(Seq::FIRST, Seq::next);
        let from = match self.newest(newest).await?.range {
            Some((first, _)) => first,
            None => end,
        };
        self.begin_at(From::Seq(from, None)).await
    }

    /// Begins at a place.
    pub(crate) async fn begin_at(&mut self, from: From) -> Result<(), ApiError> {
        self.live = match self.looks_at_nothing() {
            true => None,
            false => Some(self.subscribe(from, self.offsets).await?),
        };
        Ok(())
    }

    /// Looks at something else, from `from` on; unless it is said, from where it is now.
    pub(crate) async fn look(
        &mut self,
        view: View,
        from: Option<From>,
        outbox: &mut Outbox,
    ) -> Result<Result<(), ApiError>, End> {
        let from = match (from, &mut self.live) {
            (Some(from), _) => from,
            (None, None) => From::Now,
            (None, Some(live)) => {
                // What waits for nothing is brought up to now first; else old events would match that were passed.
                let delivery = live.try_next();
                let position = live.position();
                if let Some(delivery) = delivery {
                    self.deliver_live(delivery, outbox)?;
                }
                From::Seq(position, None)
            }
        };
        let before = std::mem::replace(&mut self.view, view);
        let begun = self.begin_at(from).await;
        if begun.is_err() {
            self.view = before;
        }
        Ok(begun)
    }

    /// Where the next event will be.
    pub(crate) fn position(&self) -> Option<Seq> {
        self.live.as_ref().map(Subscriber::position)
    }

    /// Gives the newest so many once more, and then answers.
    pub(crate) async fn replay(
        &mut self,
        count: usize,
        id: Option<&str>,
        outbox: &mut Outbox,
    ) -> Result<(), ApiError> {
        if self.replays.len() >= REPLAYS_MAX {
            let message = "replays wait for each other already; ask again once one was answered";
            return Err(ApiError::new("busy", message).retry_after(1));
        }
        let newest = self.newest(count).await?;
        let Some((first, _)) = newest.range else {
            answer(id, newest, outbox);
            return Ok(());
        };
        // Without offsets, so that whoever is cut off in between does not go on where it was long ago.
        let subscriber = self.subscribe(From::Seq(first, None), false).await?;
        self.replays.push_back(Replay {
            subscriber,
            left: newest.count,
            newest,
            id: id.map(str::to_owned),
        });
        Ok(())
    }

    /// Moves what is ready in memory to the outbox, until that is full.
    pub(crate) fn pull(&mut self, outbox: &mut Outbox) -> Result<(), End> {
        while !outbox.is_full() {
            let reader = match self.replays.front_mut() {
                Some(replay) => Some(&mut replay.subscriber),
                None => self.live.as_mut(),
            };
            let Some(delivery) = reader.and_then(Subscriber::try_next) else {
                break;
            };
            self.deliver(delivery, outbox)?;
        }
        Ok(())
    }

    /// Waits for what comes next; for ever if there is nothing to come.
    pub(crate) async fn next(&mut self) -> Delivery {
        let reader = match self.replays.front_mut() {
            Some(replay) => Some(&mut replay.subscriber),
            None => self.live.as_mut(),
        };
        match reader {
            Some(reader) => reader.next().await,
            None => std::future::pending().await,
        }
    }

    /// Puts into the outbox what [`Reader::next`] gave.
    pub(crate) fn deliver(&mut self, delivery: Delivery, outbox: &mut Outbox) -> Result<(), End> {
        match self.replays.front_mut() {
            Some(replay) => {
                if replay.deliver(delivery, outbox)? {
                    self.replays.pop_front();
                }
                Ok(())
            }
            None => self.deliver_live(delivery, outbox),
        }
    }

    fn deliver_live(&self, delivery: Delivery, outbox: &mut Outbox) -> Result<(), End> {
        match delivery {
            Delivery::Frame { bytes, .. } => outbox.share(bytes),
            Delivery::CaughtUp { cursor } => outbox.text(|out| {
                out.extend_from_slice(b"42[\"caught_up\",{\"cursor\":");
                push_number(out, cursor.map_or(0, Seq::get));
                out.extend_from_slice(b"}]");
            }),
            Delivery::FellBehind { cursor, lag_events } => outbox.text(|out| {
                out.extend_from_slice(b"42[\"fell_behind\",{\"cursor\":");
                push_number(out, cursor.map_or(0, Seq::get));
                out.extend_from_slice(b",\"lag_events\":");
                push_number(out, lag_events);
                out.extend_from_slice(b"}]");
            }),
            Delivery::Gap(gap) => outbox.text(|out| {
                out.extend_from_slice(b"42[\"gap\",{");
                write_gap(&gap, out);
                out.push(b'}');
                // The offset moves over the gap (or back, if it was ahead): it is told once.
                end(gap.first.get() - 1, self.offsets, out);
            }),
            // The hub tries again by itself; nothing is lost.
            Delivery::Failed { code, message } => write_error(None, &ApiError::new(code, message), outbox),
            Delivery::Closing { .. } => return Err(End::Over(Fault::CLOSING)),
        }
        Ok(())
    }

    fn looks_at_nothing(&self) -> bool {
        self.view.channels.as_ref().is_some_and(Vec::is_empty)
    }

    fn channels(&self) -> Vec<Channel> {
        self.view.channels.clone().unwrap_or_default()
    }

    async fn subscribe(&self, from: From, offsets: bool) -> Result<Subscriber, SubscribeError> {
        let ledger = self.hub.ledger().id();
        let request = SubscribeRequest {
            filter: self.view.filter.clone(),
            channels: self.channels(),
            from,
            encoder: Arc::new(Events::new(self.view.dialect, offsets, ledger)),
        };
        self.hub.subscribe(request, &self.principal).await
    }

    /// Finds the newest so many, as far as they can be found in reasonable time.
    async fn newest(&self, count: usize) -> Result<Newest, ApiError> {
        let mut found = Newest::default();
        if count == 0 || self.looks_at_nothing() {
            return Ok(found);
        }
        let deadline = Instant::now() + NEWEST_WITHIN;
        let (mut to, mut bytes_left) = (None, NEWEST_BYTES_MAX);
        while found.count < count && bytes_left > 0 && Instant::now() < deadline {
            let request = HistoryRequest {
                filter: self.view.filter.clone(),
                channels: self.channels(),
                from: None,
                to,
                limit: count - found.count,
                bytes_max: bytes_left,
                newest_first: true,
            };
            let page = self.hub.history(request, &self.principal).await?;
            bytes_left -= page.lines.iter().map(Bytes::len).sum::<usize>().min(bytes_left);
            let seq = |line: Option<&Bytes>| LineView::parse(line?).ok().map(|view| view.seq());
            if let (Some(last), Some(first)) = (seq(page.lines.first()), seq(page.lines.last())) {
                found.count += page.lines.len();
                found.range = Some((first, found.range.map_or(last, |(_, last)| last)));
            }
            match page.next {
                Some(next) => to = Some(From::Seq(next, None)),
                None => break,
            }
        }
        Ok(found)
    }
}

impl Replay {
    /// Puts a delivery into the outbox; whether it was the last.
    fn deliver(&mut self, delivery: Delivery, outbox: &mut Outbox) -> Result<bool, End> {
        let last = self.newest.range.map(|(_, last)| last);
        let over = match delivery {
            Delivery::Frame {
                bytes,
                events,
                cursor,
            } => {
                let given = events.min(self.left);
                outbox.share(first_of(bytes, events, given));
                self.left -= given;
                self.left == 0 || last <= Some(cursor)
            }
            Delivery::Gap(gap) => {
                outbox.text(|out| {
                    out.extend_from_slice(b"42[\"gap\",{");
                    write_gap(&gap, out);
                    out.extend_from_slice(b"}]");
                });
                last < Some(gap.first)
            }
            Delivery::CaughtUp { .. } => true,
            Delivery::FellBehind { .. } => false,
            Delivery::Failed { code, message } => {
                write_error(self.id.take().as_deref(), &ApiError::new(code, message), outbox);
                return Ok(true);
            }
            Delivery::Closing { .. } => return Err(End::Over(Fault::CLOSING)),
        };
        if over {
            answer(self.id.as_deref(), self.newest, outbox);
        }
        Ok(over)
    }
}

/// The first so many packets of a frame.
fn first_of(frame: Bytes, packets: usize, wanted: usize) -> Bytes {
    if wanted >= packets {
        return frame;
    }
    let mut rest = &*frame;
    for _ in 0..wanted {
        rest = crate::ws::frame::split_own(rest).map_or(&[], |(_, _, behind)| behind);
    }
    let end = frame.len() - rest.len();
    frame.slice(..end)
}

/// Says what was replayed.
fn answer(id: Option<&str>, newest: Newest, outbox: &mut Outbox) {
    let Some(id) = id else {
        return;
    };
    outbox.text(|out| {
        packet::begin(b'3', "/", Some(id), out);
        out.extend_from_slice(b"[{\"count\":");
        push_number(out, newest.count as u64);
        if let Some((first, last)) = newest.range {
            out.extend_from_slice(b",\"first\":");
            push_number(out, first.get());
            out.extend_from_slice(b",\"last\":");
            push_number(out, last.get());
        }
        out.extend_from_slice(b"}]");
    });
}
