//! Readers over WebSocket and SSE that drop, stall, resume and switch filter.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client::IntoClientRequest};

use super::arena::{Arena, Dice, FILTERS, Seen, Tally, count};
use crate::support::raw::{self, Raw};

/// What a stalling reader's socket takes before the server notices: not so much that a stall stays unseen.
const NARROW_BYTES: usize = 8 << 10;

/// A stretch of the ledger read with one filter, and what came.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) filter: usize,
    pub(super) from: u64,
    /// Everything up to here was passed.
    pub(super) to: u64,
    pub(super) seen: Vec<Seen>,
    /// First and last seq of what is gone, as it was told.
    pub(super) gone: Vec<(u64, u64)>,
}

impl Stretch {
    fn from(next: u64, dice: &mut Dice) -> Self {
        Self {
            filter: usize::try_from(dice.roll(FILTERS.len() as u64)).expect("small"),
            from: next,
            to: next - 1,
            seen: Vec::new(),
            gone: Vec::new(),
        }
    }
}

/// Reads in sessions, each over a new connection at the cursor of the one before, until all there is has been read.
/// Some go on with the same filter, some with another one.
pub(super) fn read(arena: &Arena, websocket: bool, mut dice: Dice) -> Vec<Stretch> {
    let mut stretches = vec![Stretch::from(1, &mut dice)];
    loop {
        let to = stretches.last().expect("one at least").to;
        if arena.end().is_some_and(|end| to >= end) {
            return stretches;
        }
        let tally = if websocket { &arena.websocket } else { &arena.sse };
        if dice.roll(3) == 0 {
            count(&tally.switched);
            stretches.push(Stretch::from(to + 1, &mut dice));
        } else {
            count(&tally.resumed);
        }
        let mut session = Session {
            arena,
            tally,
            patience: 1 + dice.roll(80),
            stalls: arena.end().is_none() && dice.roll(3) == 0,
            dice: dice.split(),
        };
        let went = if websocket {
            session.over_websocket(&mut stretches)
        } else {
            session.over_sse(stretches.last_mut().expect("one at least"))
        };
        if went.is_none() {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// One connection: reads until patience ends, the connection breaks, or everything was read.
struct Session<'a> {
    arena: &'a Arena,
    tally: &'a Tally,
    patience: u64,
    stalls: bool,
    dice: Dice,
}

/// A WebSocket as a client has it. A narrow one holds little that its reader did not take.
pub(super) fn open_websocket(arena: &Arena, narrow: Option<usize>) -> Option<WebSocket<TcpStream>> {
    let address = arena.address();
    let socket = raw::connect(&address, narrow)?;
    socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let mut request = format!("ws://{address}/api/v1/ws")
        .into_client_request()
        .expect("a url");
    request.headers_mut().insert(
        "Authorization",
        format!("Bearer {}", arena.token).parse().expect("a header"),
    );
    let (socket, _) = tokio_tungstenite::tungstenite::client(request, socket).ok()?;
    Some(socket)
}

impl Session<'_> {
    fn goes_on(&mut self, stretch: &Stretch) -> bool {
        if self.stalls && self.dice.roll(8) == 0 {
            // Long enough for the ring to move on: this reader falls behind.
            thread::sleep(Duration::from_millis(50 + self.dice.roll(350)));
        }
        self.patience = self.patience.saturating_sub(1);
        match self.arena.end() {
            // A narrow socket would take minutes for what is left.
            Some(end) => stretch.to < end && !self.stalls,
            None => self.patience > 0,
        }
    }

    fn over_websocket(&mut self, stretches: &mut Vec<Stretch>) -> Option<()> {
        let mut socket = open_websocket(self.arena, self.stalls.then_some(NARROW_BYTES))?;
        let mut feed = subscribe(&mut socket, stretches.last()?)?;
        while self.goes_on(stretches.last()?) {
            if self.arena.end().is_none() && self.dice.roll(20) == 0 {
                feed = self.switch(&mut socket, stretches, feed)?;
                continue;
            }
            if let Message::Text(text) = socket.read().ok()? {
                self.take(&parsed(&text), stretches.last_mut()?, feed)?;
            }
        }
        Some(())
    }

    /// Another filter on the same socket. What comes before the answer to `unsubscribe` still counts.
    fn switch(
        &mut self,
        socket: &mut WebSocket<TcpStream>,
        stretches: &mut Vec<Stretch>,
        feed: u64,
    ) -> Option<u64> {
        let message = json!({"op": "unsubscribe", "sub": "a"});
        socket.send(Message::text(message.to_string())).ok()?;
        loop {
            let Message::Text(text) = socket.read().ok()? else {
                continue;
            };
            let message = parsed(&text);
            if message["op"] == "unsubscribed" {
                break;
            }
            self.take(&message, stretches.last_mut()?, feed)?;
        }
        count(&self.tally.switched);
        let next = stretches.last()?.to + 1;
        stretches.push(Stretch::from(next, &mut self.dice));
        subscribe(socket, stretches.last()?)
    }

    fn take(&self, message: &Value, stretch: &mut Stretch, feed: u64) -> Option<()> {
        if message["feed"].is_u64() {
            assert_eq!(message["feed"], feed, "nothing follows an end: {message}");
        }
        match message["op"].as_str().expect("every message has an op") {
            "events" => {
                let events = message["events"].as_array().expect("events");
                stretch.seen.extend(events.iter().map(Seen::from_line));
                let cursor = message["cursor"].as_u64().expect("a cursor");
                assert!(cursor > stretch.to, "a frame moves the cursor: {message}");
                stretch.to = cursor;
            }
            "gap" => self.lose(message, stretch),
            "fell_behind" => count(&self.tally.fell_behind),
            "caught_up" => count(&self.tally.caught_up),
            "error" if message["code"] == "closing" => return None,
            _ => panic!("{message}"),
        }
        Some(())
    }

    fn lose(&self, gap: &Value, stretch: &mut Stretch) {
        assert!(
            self.arena.retires && gap["reason"] == "retention",
            "nothing is gone here: {gap}"
        );
        count(&self.tally.gaps);
        let first = gap["first"].as_u64().expect("a seq");
        assert!(first > stretch.to + 1, "{gap}, at {}", stretch.to);
        stretch.gone.push((stretch.to + 1, first - 1));
        stretch.to = first - 1;
    }

    fn over_sse(&mut self, stretch: &mut Stretch) -> Option<()> {
        let raw = Raw::open(&self.arena.address(), self.stalls.then_some(NARROW_BYTES))?;
        raw.timeout(Duration::from_secs(2));
        raw.send(self.sse_request(stretch)).ok()?;
        let (status, body) = raw.stream()?;
        if status == 503 {
            return None;
        }
        assert_eq!(status, 200);
        let mut lines = BufReader::with_capacity(4 << 10, body).lines();
        while self.goes_on(stretch) {
            let message = SseMessage::read(&mut lines)?;
            self.apply(message, stretch)?;
        }
        Some(())
    }

    /// The three ways to say where one was.
    fn sse_request(&mut self, stretch: &Stretch) -> String {
        let Arena { token, .. } = self.arena;
        let filter: String = FILTERS[stretch.filter]
            .0
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        let (query, header) = match self.dice.roll(3) {
            0 => (format!("&from={}", stretch.to + 1), String::new()),
            1 => (format!("&last_event_id={}", stretch.to), String::new()),
            _ => ("&from=1".into(), format!("Last-Event-ID: {}\r\n", stretch.to)),
        };
        format!(
            "GET /api/v1/stream?filter={filter}{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{header}\r\n"
        )
    }

    fn apply(&self, message: SseMessage, stretch: &mut Stretch) -> Option<()> {
        let SseMessage { event, id, data } = message;
        match (event.as_str(), data) {
            ("" | "message", Some(data)) => stretch.seen.push(Seen::from_line(&parsed(&data))),
            ("" | "message", None) | ("subscribed", _) => {}
            ("gap", Some(data)) => self.lose(&parsed(&data), stretch),
            ("fell_behind", _) => count(&self.tally.fell_behind),
            ("caught_up", _) => count(&self.tally.caught_up),
            ("closing", _) => return None,
            (event, data) => panic!("{event}: {data:?}"),
        }
        if let Some(id) = id {
            assert!(
                id >= stretch.to,
                "a cursor never goes back: {id} after {}",
                stretch.to
            );
            stretch.to = id;
        }
        Some(())
    }
}

/// Begins behind what was read; answers with the number of the feed.
fn subscribe(socket: &mut WebSocket<TcpStream>, stretch: &Stretch) -> Option<u64> {
    let filter = FILTERS[stretch.filter].0;
    let message = json!({"op": "subscribe", "sub": "a", "filter": filter, "from": {"seq": stretch.to + 1}});
    socket.send(Message::text(message.to_string())).ok()?;
    loop {
        if let Message::Text(text) = socket.read().ok()? {
            let message = parsed(&text);
            match message["op"].as_str() {
                Some("subscribed") => return message["feed"].as_u64(),
                Some("hello") => {}
                _ if message["code"] == "closing" => return None,
                _ => panic!("{message}"),
            }
        }
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A server-sent event as it comes together.
#[derive(Default)]
struct SseMessage {
    event: String,
    id: Option<u64>,
    data: Option<String>,
}

impl SseMessage {
    /// The next whole message; `None` when the connection ends before.
    fn read(lines: &mut std::io::Lines<BufReader<impl Read>>) -> Option<Self> {
        let mut message = Self::default();
        loop {
            let line = lines.next()?.ok()?;
            if line.is_empty() {
                return Some(message);
            }
            if let Some(event) = line.strip_prefix("event:") {
                event.trim().clone_into(&mut message.event);
            } else if let Some(id) = line.strip_prefix("id:") {
                message.id = id.trim().parse().ok();
            } else if let Some(data) = line.strip_prefix("data:") {
                message.data = Some(data.trim().to_owned());
            }
        }
    }
}
