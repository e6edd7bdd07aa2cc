//! Readers over WebSocket and SSE that drop, stall, resume and switch filter.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    sync::atomic::Ordering::SeqCst,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use super::arena::{Arena, Dice, FILTERS, Seen};

/// A stretch of the ledger read with one filter, and what came.
pub(super) struct Stretch {
    pub(super) filter: usize,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) seen: Vec<Seen>,
}
/// Reads in sessions, each over a new connection at the cursor of the one before, until all there is has been read.
pub(super) fn read(arena: &Arena, websocket: bool, mut dice: Dice) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut next = 1;
    while arena.final_head.load(SeqCst) == 0 || next <= arena.final_head.load(SeqCst) {
        let filter = usize::try_from(dice.roll(FILTERS.len() as u64)).expect("small");
        let mut stretch = Stretch {
            filter,
            from: next,
            to: next - 1,
            seen: Vec::new(),
        };
        let sessions = 1 + dice.roll(3);
        for _ in 0..sessions {
            let mut session = Session {
                arena,
                patience: 1 + dice.roll(60),
                stall: dice.roll(4) == 0,
                dice: Dice(dice.roll(u64::MAX) | 1),
            };
            if websocket {
                session.over_websocket(&mut stretch);
            } else {
                session.over_sse(&mut stretch);
            }
        }
        next = stretch.to + 1;
        stretches.push(stretch);
    }
    stretches
}

/// One connection: reads until patience ends, the connection breaks, or everything was read.
struct Session<'a> {
    arena: &'a Arena,
    patience: u64,
    stall: bool,
    dice: Dice,
}

impl Session<'_> {
    fn goes_on(&mut self, stretch: &Stretch) -> bool {
        if self.stall && self.dice.roll(10) == 0 {
            // Long enough for the ring to move on: this reader falls behind.
            thread::sleep(Duration::from_millis(150 + self.dice.roll(250)));
        }
        self.patience = self.patience.saturating_sub(1);
        let head = self.arena.final_head.load(SeqCst);
        if head > 0 {
            stretch.to < head
        } else {
            self.patience > 0
        }
    }

    fn over_websocket(&mut self, stretch: &mut Stretch) -> Option<()> {
        let socket = TcpStream::connect(&self.arena.address).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        let mut request = format!("ws://{}/api/v1/ws", self.arena.address)
            .into_client_request()
            .expect("a url");
        request.headers_mut().insert(
            "Authorization",
            format!("Bearer {}", self.arena.token).parse().expect("a header"),
        );
        let (mut socket, _) = tokio_tungstenite::tungstenite::client(request, socket).ok()?;
        let subscribe = json!({"op": "subscribe", "sub": "a", "filter": FILTERS[stretch.filter].0, "from": {"seq": stretch.to + 1}});
        socket.send(Message::text(subscribe.to_string())).ok()?;
        while self.goes_on(stretch) {
            match socket.read().ok()? {
                Message::Text(text) => take_message(&serde_json::from_str(&text).expect("JSON"), stretch),
                _ => continue,
            }
        }
        Some(())
    }

    fn over_sse(&mut self, stretch: &mut Stretch) -> Option<()> {
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .timeout_recv_body(Some(Duration::from_secs(2)))
                .build(),
        );
        let filter = FILTERS[stretch.filter]
            .0
            .replace(' ', "%20")
            .replace('>', "%3E")
            .replace('<', "%3C");
        let answer = agent
            .get(format!(
                "http://{}/api/v1/stream?filter={filter}&from=1",
                self.arena.address
            ))
            .header("Authorization", format!("Bearer {}", self.arena.token))
            .header("Last-Event-ID", stretch.to.to_string())
            .call()
            .ok()?;
        let mut lines = BufReader::new(answer.into_body().into_reader()).lines();
        let mut message = SseMessage::default();
        while self.goes_on(stretch) {
            while !message.take(&lines.next()?.ok()?) {}
            std::mem::take(&mut message).apply(stretch);
        }
        Some(())
    }
}

fn take_message(message: &Value, stretch: &mut Stretch) {
    match message["op"].as_str().expect("every message has an op") {
        "events" => {
            stretch.seen.extend(
                message["events"]
                    .as_array()
                    .expect("events")
                    .iter()
                    .map(Seen::from_line),
            );
            stretch.to = message["cursor"].as_u64().expect("a cursor");
        }
        "error" if message["code"] != "closing" => panic!("{message}"),
        "gap" => panic!("nothing is gone here: {message}"),
        _ => {}
    }
}

/// A server-sent event as it comes together.
#[derive(Default)]
struct SseMessage {
    event: String,
    id: Option<u64>,
    data: Option<String>,
}

impl SseMessage {
    /// Takes a line; true at the end of a message.
    fn take(&mut self, line: &str) -> bool {
        if let Some(event) = line.strip_prefix("event:") {
            event.trim().clone_into(&mut self.event);
        } else if let Some(id) = line.strip_prefix("id:") {
            self.id = id.trim().parse().ok();
        } else if let Some(data) = line.strip_prefix("data:") {
            self.data = Some(data.trim().to_owned());
        }
        line.is_empty()
    }

    fn apply(self, stretch: &mut Stretch) {
        assert_ne!(self.event, "gap", "nothing is gone here: {:?}", self.data);
        if let (Some(data), true) = (&self.data, self.event.is_empty() || self.event == "message") {
            stretch
                .seen
                .push(Seen::from_line(&serde_json::from_str(data).expect("JSON")));
        }
        if let Some(id) = self.id {
            stretch.to = stretch.to.max(id);
        }
    }
}
