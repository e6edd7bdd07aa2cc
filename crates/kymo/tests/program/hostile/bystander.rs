//! One ordinary emitter and one ordinary reader, who go about their work whatever others do to the server.
//!
//! The emitter posts an event every few milliseconds and waits for its answer; the reader follows over WebSocket. What
//! an event takes to be acknowledged and to be delivered is counted from the moment it was due. An event that was due
//! while the one before it waited counts as one that waited, so that a stall shows in all it held up.
//!
//! What is compared is the median of the 99th percentiles of short windows, just before an attack and during it, because
//! tests run on machines that others use, too. The best of a few rounds counts: it must be within twice of what was
//! before, and [`NOISE`]. Where an attack is work that the server does for whoever may ask for it, it takes its share of
//! the processor; then less is held, and said: [`Bystander::is_served_beside`], [`Bystander::goes_on_during`].

use std::{
    io::ErrorKind::{Interrupted, TimedOut, WouldBlock},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client::IntoClientRequest};

use crate::support::{DEADLINE, Server};

/// Between two events.
const PACE: Duration = Duration::from_millis(4);
/// A percentile is taken of so long.
const WINDOW: Duration = Duration::from_millis(400);
/// Windows without an attack before each with one.
const WINDOWS_BEFORE: u32 = 3;
/// How long an attack lasts at least.
const A_WHILE: Duration = Duration::from_secs(2);
/// What a wake-up may take longer on two cores that an attacker, a server built for tests and these tests share: each of
/// them may be given a turn of some milliseconds first.
const NOISE: Duration = Duration::from_millis(20);
/// Half of the windows stay below this, or below twice of what was before, while work is done for others.
const SERVED: Duration = Duration::from_millis(100);
/// No event takes longer, whatever happens.
const STALL: Duration = Duration::from_secs(5);
/// Rounds of which the best counts.
const ROUNDS: usize = 5;

/// What became of the event of one moment.
struct Sample {
    due: Instant,
    acknowledged: Option<Instant>,
    delivered: Option<Instant>,
}

type Samples = Arc<Mutex<Vec<Sample>>>;

/// See the module.
pub(super) struct Bystander {
    samples: Samples,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Of some windows the median of their 99th percentiles, and the worst of all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    acknowledged: Duration,
    delivered: Duration,
    worst: Duration,
}

impl Figures {
    fn is_within_twice(self, before: Self) -> bool {
        let is_well = |now: Duration, before: Duration| now <= before * 2 + NOISE;
        is_well(self.acknowledged, before.acknowledged)
            && is_well(self.delivered, before.delivered)
            && self.worst < STALL
    }

    fn say(self, what: &str, before: Self) {
        println!(
            "{what}: p99 of acks {:.1?} → {:.1?}, of deliveries {:.1?} → {:.1?}, worst {:.1?}",
            before.acknowledged, self.acknowledged, before.delivered, self.delivered, self.worst
        );
    }

    fn is_served(self, before: Self) -> bool {
        let is_well = |now: Duration, before: Duration| now <= SERVED.max(before * 2);
        is_well(self.acknowledged, before.acknowledged)
            && is_well(self.delivered, before.delivered)
            && self.worst < STALL
    }
}

impl Bystander {
    /// Begins.
    pub(super) fn start(server: &Server) -> Self {
        let (samples, stop) = (Samples::default(), Arc::new(AtomicBool::new(false)));
        let all_emitted = Arc::new(AtomicBool::new(false));
        let socket = follow(server);
        let reader = {
            let (samples, stop) = (Arc::clone(&samples), Arc::clone(&stop));
            let all_emitted = Arc::clone(&all_emitted);
            thread::spawn(move || read(socket, &samples, &stop, &all_emitted))
        };
        let emitter = {
            let (samples, stop) = (Arc::clone(&samples), Arc::clone(&stop));
            let post = poster(server);
            thread::spawn(move || {
                emit(post, &samples, &stop);
                all_emitted.store(true, SeqCst);
            })
        };
        Self {
            samples,
            stop,
            threads: vec![reader, emitter],
        }
    }

    /// Attacks with `attack` again and again for a while, and fails the test if that makes others wait more than twice as
    /// long.
    pub(super) fn is_unhurt_by(&self, what: &str, attack: impl FnMut()) {
        self.is_unhurt_during(what, for_a_while(attack));
    }

    /// The same with an attack that takes its own time.
    pub(super) fn is_unhurt_during(&self, what: &str, attack: impl FnMut()) {
        self.rounds(what, Figures::is_within_twice, || self.alone(), attack);
    }

    /// The same with what goes on all the time, compared with what was before it began.
    pub(super) fn is_unhurt_since(&self, before: Figures, what: &str) {
        let nothing = || thread::sleep(A_WHILE);
        self.rounds(what, Figures::is_within_twice, || before, nothing);
    }

    /// Attacks with work that anybody may ask for, and fails the test if others are not served well enough meanwhile.
    pub(super) fn is_served_beside(&self, what: &str, attack: impl FnMut()) {
        self.rounds(what, Figures::is_served, || self.alone(), for_a_while(attack));
    }

    /// Attacks with all there is, and fails the test if others are not served at all for long.
    pub(super) fn goes_on_during<T>(&self, what: &str, attack: impl FnOnce() -> T) -> T {
        let before = self.alone();
        let (result, during) = self.figures_of(attack);
        during.say(what, before);
        assert!(during.worst < STALL, "{what} stalls others: {during:?}");
        result
    }

    /// The same again and again for a while.
    pub(super) fn goes_on_beside(&self, what: &str, attack: impl FnMut()) {
        self.goes_on_during(what, for_a_while(attack));
    }

    /// How it goes while nobody disturbs.
    pub(super) fn alone(&self) -> Figures {
        thread::sleep(WINDOW / 2);
        self.figures_of(|| thread::sleep(WINDOW * WINDOWS_BEFORE)).1
    }

    fn rounds(
        &self,
        what: &str,
        is_well: impl Fn(Figures, Figures) -> bool,
        before: impl Fn() -> Figures,
        mut attack: impl FnMut(),
    ) {
        let mut bad = Vec::new();
        while bad.len() < ROUNDS {
            let before = before();
            let ((), during) = self.figures_of(&mut attack);
            during.say(what, before);
            if is_well(during, before) {
                return;
            }
            bad.push((before, during));
        }
        panic!("{what} hurts others: {bad:#?}");
    }

    fn figures_of<T>(&self, work: impl FnOnce() -> T) -> (T, Figures) {
        let from = Instant::now();
        let result = work();
        (result, self.figures(from))
    }

    /// Ends, and makes sure that the reader has read everything.
    pub(super) fn end(mut self) {
        self.stop();
        let samples = self.samples.lock().expect("nobody panicked");
        let missing = samples.iter().filter(|sample| sample.delivered.is_none()).count();
        let first = samples.iter().position(|sample| sample.delivered.is_none());
        assert_eq!(missing, 0, "of {} events, from the {first:?}. on", samples.len());
    }

    fn stop(&mut self) {
        self.stop.store(true, SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().expect("a bystander");
        }
    }

    /// How it went since then.
    fn figures(&self, from: Instant) -> Figures {
        let end = Instant::now();
        let samples = self.samples.lock().expect("nobody panicked");
        let mut windows: Vec<(Vec<Duration>, Vec<Duration>)> = Vec::new();
        let mut count = |due: Instant, acknowledged: Instant, delivered: Instant| {
            let at = due.max(from) - from;
            let window = usize::try_from(at.as_millis() / WINDOW.as_millis()).expect("small");
            if windows.len() <= window {
                windows.resize_with(window + 1, Default::default);
            }
            windows[window].0.push(acknowledged - due);
            windows[window].1.push(delivered - due);
        };
        for sample in samples.iter().filter(|sample| sample.due >= from) {
            let acknowledged = sample.acknowledged.unwrap_or(end);
            let delivered = sample.delivered.unwrap_or(end).max(acknowledged);
            // Those that were due meanwhile were not sent, and would have waited, too.
            let mut due = sample.due;
            while due == sample.due || due < acknowledged {
                count(due, acknowledged, delivered);
                due += PACE;
            }
        }
        let worst = windows.iter().flat_map(|window| window.0.iter().chain(&window.1));
        Figures {
            worst: worst.max().copied().unwrap_or_default(),
            acknowledged: median(windows.iter_mut().map(|window| percentile(&mut window.0))),
            delivered: median(windows.iter_mut().map(|window| percentile(&mut window.1))),
        }
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
    }
}

/// Once again and again for a while.
fn for_a_while(mut attack: impl FnMut()) -> impl FnMut() {
    move || {
        let from = Instant::now();
        while from.elapsed() < A_WHILE {
            attack();
        }
    }
}

fn percentile(window: &mut [Duration]) -> Duration {
    window.sort_unstable();
    let index = window.len().saturating_sub(1) * 99 / 100;
    window.get(index).copied().unwrap_or_default()
}

fn median(windows: impl Iterator<Item = Duration>) -> Duration {
    let mut all: Vec<Duration> = windows.filter(|window| !window.is_zero()).collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn emit(post: impl Fn(&str) -> Result<(), ureq::Error>, samples: &Samples, stop: &AtomicBool) {
    let mut due = Instant::now();
    for n in 0_u64.. {
        if stop.load(SeqCst) {
            return;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // The place is taken before: the reader may be quicker than the answer.
        samples.lock().expect("nobody panicked").push(Sample {
            due,
            acknowledged: None,
            delivered: None,
        });
        if let Err(error) = post(&format!("{{\"type\":\"bystander\",\"data\":{{\"n\":{n}}}}}")) {
            assert!(stop.load(SeqCst), "an ordinary emitter is served: {error}");
            return;
        }
        let index = usize::try_from(n).expect("small");
        samples.lock().expect("nobody panicked")[index].acknowledged = Some(Instant::now());
        while due < Instant::now() {
            due += PACE;
        }
    }
}

fn poster(server: &Server) -> impl Fn(&str) -> Result<(), ureq::Error> + Send + 'static {
    let agent = ureq::Agent::new_with_defaults();
    let (url, token) = (
        format!("{}/api/v1/events", server.url),
        format!("Bearer {}", server.token),
    );
    move |body| {
        let answer = agent
            .post(&url)
            .header("authorization", &token)
            .header("content-type", "application/x-ndjson")
            .send(body)?;
        let receipt: Value = answer.into_body().read_json()?;
        assert_eq!(receipt["accepted"], 1, "{receipt}");
        Ok(())
    }
}

fn follow(server: &Server) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(server.address()).expect("the server listens");
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a socket");
    let mut request = format!("ws://{}/api/v1/ws", server.address())
        .into_client_request()
        .expect("a url");
    request.headers_mut().insert(
        "Authorization",
        format!("Bearer {}", server.token).parse().expect("a header"),
    );
    let (mut socket, _) = tokio_tungstenite::tungstenite::client(request, stream).expect("an upgrade");
    let subscribe = json!({"op": "subscribe", "sub": "b", "filter": "type:bystander", "from": "now"});
    socket
        .send(Message::text(subscribe.to_string()))
        .expect("it is taken");
    while !matches!(socket.read(), Ok(Message::Text(text)) if text.contains("\"subscribed\"")) {}
    socket
}

/// Reads on until told to stop, and then what is still to come.
fn read(mut socket: WebSocket<TcpStream>, samples: &Samples, stop: &AtomicBool, all_emitted: &AtomicBool) {
    let mut next = 0;
    let mut deadline = None;
    loop {
        if stop.load(SeqCst) {
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + DEADLINE);
            // Asked first: what is emitted until then is counted below.
            let is_last = all_emitted.load(SeqCst);
            let all = samples.lock().expect("nobody panicked").len() as u64;
            if (is_last && next >= all) || Instant::now() > deadline {
                return;
            }
        }
        let message = match socket.read() {
            Ok(Message::Text(text)) => serde_json::from_str::<Value>(&text).expect("JSON"),
            Ok(_) => continue,
            Err(tokio_tungstenite::tungstenite::Error::Io(error))
                if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) =>
            {
                continue;
            }
            Err(error) => {
                assert!(stop.load(SeqCst), "an ordinary reader is kept: {error}");
                return;
            }
        };
        let now = Instant::now();
        for event in message["events"].as_array().into_iter().flatten() {
            assert_eq!(event["data"]["n"], next, "in order, once");
            let index = usize::try_from(next).expect("small");
            samples.lock().expect("nobody panicked")[index].delivered = Some(now);
            next += 1;
        }
    }
}
