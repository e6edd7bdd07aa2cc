//! Readers that subscribe, drop, resume, switch filter and fall behind at random, while writers write at random: each
//! gets exactly the matching events, in order, once.
#![allow(clippy::cast_possible_truncation, clippy::print_stdout)] // small numbers; a seed must be seen

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use common::*;
use kymo_event::{Event, Seq};
use kymo_hub::{Delivery, From, Hub, HubSettings, Subscriber};

/// A small generator of its own, so that a run can be repeated by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A filter, and which events it matches.
type Matching = (&'static str, fn(u64) -> bool);

const FILTERS: [Matching; 7] = [
    ("", |_| true),
    ("data.n:<1", |number| number % 97 == 0),
    ("type:even", |number| number % 2 == 0),
    ("agent:a7", |number| number % 50 == 7),
    ("type:never", |_| false),
    ("agent:a7 OR agent:a8", |number| matches!(number % 50, 7 | 8)),
    ("-type:even", |number| number % 2 == 1),
];

/// The events are made by one count, so that every reader knows what each seq holds: writers take turns.
struct Writers {
    hub: Hub,
    next: tokio::sync::Mutex<u64>,
    done: AtomicBool,
    stored: AtomicU64,
}

fn event(number: u64) -> Event<'static> {
    let mut event = Event::new(if number.is_multiple_of(2) { "even" } else { "odd" }, "stress");
    event.agent = Some(format!("a{}", number % 50).into());
    event.data = Some(
        format!(
            r#"{{"n":{},"pad":"{}"}}"#,
            number % 97,
            "x".repeat((number % 300) as usize)
        )
        .into(),
    );
    event
}

impl Writers {
    async fn work(self: Arc<Self>, seed: u64, until: Instant) {
        let mut random = Random(seed);
        while Instant::now() < until {
            let count = if random.below(10) == 0 {
                random.below(3_000)
            } else {
                random.below(20)
            } + 1;
            let mut next = self.next.lock().await;
            let receipt = publish(&self.hub, (*next..*next + count).map(event))
                .await
                .expect("the hub takes it");
            assert_eq!(receipt.first.map(Seq::get), Some(*next), "seqs have no holes");
            *next += count;
            self.stored.store(*next - 1, SeqCst);
            drop(next);
            for _ in 0..random.below(20) {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// One reader's life: it checks everything it is given.
struct Checker {
    writers: Arc<Writers>,
    random: Random,
    filter: usize,
    /// Everything up to here was seen.
    cursor: u64,
    live: Option<bool>,
    events: u64,
    reconnects: u64,
    fell_behind: u64,
}

impl Checker {
    fn subscribe(&mut self) -> Subscriber {
        self.live = None;
        self.reconnects += 1;
        let from = Seq::new(self.cursor + 1).expect("after a cursor");
        subscribe(&self.writers.hub, FILTERS[self.filter].0, From::Seq(from, None))
    }

    async fn run(mut self) -> Self {
        let mut subscriber = self.subscribe();
        loop {
            if self.random.below(3) == 0 {
                // Begins to wait and is called away, as a door is that also listens to its client.
                for _ in 0..self.random.below(20) {
                    let given = tokio::select! {
                        biased;
                        given = subscriber.next() => Some(given),
                        () = tokio::task::yield_now() => subscriber.try_next(),
                    };
                    given.into_iter().for_each(|given| self.check(given));
                }
            }
            let delivery = tokio::time::timeout(PATIENCE, subscriber.next());
            let finished = self.writers.done.load(SeqCst) && self.cursor == self.writers.stored.load(SeqCst);
            if finished && self.live == Some(true) {
                return self;
            }
            if self.random.below(12) == 0 {
                // Asked, and gone before the answer: the next life resumes by what was told.
                let once = tokio::select! { biased; given = delivery => Some(given), () = std::future::ready(()) => None };
                if let Some(given) = once {
                    self.check(given.expect("something is delivered"));
                }
                if self.random.below(3) == 0 {
                    self.filter = self.random.below(FILTERS.len() as u64) as usize;
                }
                drop(subscriber);
                subscriber = self.subscribe();
                continue;
            }
            self.check(delivery.await.expect("something is delivered"));
            while let Some(delivery) = subscriber.try_next() {
                self.check(delivery);
            }
            if self.random.below(8) == 0 {
                // A slow one.
                for _ in 0..self.random.below(400) {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn check(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Frame {
                bytes,
                cursor,
                events,
            } => {
                let got = seqs(&bytes);
                assert_eq!(got.len(), events);
                let matches = FILTERS[self.filter].1;
                let expected: Vec<_> = (self.cursor + 1..=cursor.get())
                    .filter(|seq| matches(*seq))
                    .collect();
                assert_eq!(
                    got, expected,
                    "after {} with {:?}",
                    self.cursor, FILTERS[self.filter].0
                );
                assert!(cursor.get() > self.cursor);
                self.cursor = cursor.get();
                self.events += events as u64;
            }
            Delivery::CaughtUp { cursor } => {
                assert_ne!(self.live, Some(true));
                self.live = Some(true);
                self.passed(cursor);
            }
            Delivery::FellBehind { cursor, lag_events } => {
                assert_eq!(self.live, Some(true));
                assert!(lag_events > 0);
                self.live = Some(false);
                self.fell_behind += 1;
                self.passed(cursor);
            }
            other => panic!("nothing of that kind happened: {other:?}"),
        }
    }

    fn passed(&mut self, cursor: Option<Seq>) {
        let cursor = cursor.map_or(0, Seq::get);
        let matches = FILTERS[self.filter].1;
        assert!(
            cursor >= self.cursor && !(self.cursor + 1..=cursor).any(matches),
            "no match hides behind a cursor"
        );
        self.cursor = cursor;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_and_writers_at_random_lose_and_repeat_nothing() {
    at_random(0).await;
}

/// With so many who wait the writer wakes all at times, and leaves it to who looks on for them at others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_and_writers_at_random_beside_a_crowd_that_waits_lose_and_repeat_nothing() {
    at_random(54).await;
}

/// Beside so many who wait for what never comes.
async fn at_random(crowd: usize) {
    let seconds = std::env::var("KYMO_STRESS_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(3);
    let seed = std::env::var("KYMO_STRESS_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0x5eed_cafe);
    println!("seed {seed}, {seconds} s");
    let temp = TempHub::with(HubSettings {
        ring_bytes_max: 256 << 10,
        frame_bytes_max: 8 << 10,
        catchup_bytes_max: 128 << 10,
        ..HubSettings::default()
    });
    let writers = Arc::new(Writers {
        hub: temp.hub.clone(),
        next: tokio::sync::Mutex::new(1),
        done: AtomicBool::new(false),
        stored: AtomicU64::new(0),
    });
    let mut crowd: Vec<_> = (0..crowd).map(|_| temp.read("agent:nobody", From::Now)).collect();
    for member in &mut crowd {
        member.caught_up().await;
    }
    let mut waiting = tokio::task::JoinSet::new();
    for mut member in crowd {
        waiting.spawn(async move {
            loop {
                match member.subscriber.next().await {
                    // In a ring this small also who only waits may fall behind.
                    Delivery::Frame { events: 0, .. }
                    | Delivery::FellBehind { .. }
                    | Delivery::CaughtUp { .. } => {}
                    other => return other,
                }
            }
        });
    }
    let until = Instant::now() + Duration::from_secs(seconds);
    let checkers: Vec<_> = (0..24)
        .map(|number| Checker {
            writers: writers.clone(),
            random: Random(seed + 1_000 + number),
            filter: (number % FILTERS.len() as u64) as usize,
            cursor: 0,
            live: None,
            events: 0,
            reconnects: 0,
            fell_behind: 0,
        })
        .map(|checker| tokio::spawn(checker.run()))
        .collect();
    let writing: Vec<_> = (0..4)
        .map(|number| tokio::spawn(writers.clone().work(seed + number, until)))
        .collect();
    for writer in writing {
        writer.await.expect("no writer panicked");
    }
    // One more event, so that everybody who waits at the end looks up and sees that it is.
    let last = *writers.next.lock().await;
    writers.stored.store(last, SeqCst);
    writers.done.store(true, SeqCst);
    temp.publish([event(last)]).await;
    let (mut events, mut reconnects, mut fell_behind) = (0, 0, 0);
    for checker in checkers {
        let checker = checker.await.expect("no reader was told anything wrong");
        events += checker.events;
        reconnects += checker.reconnects;
        fell_behind += checker.fell_behind;
    }
    println!(
        "{} stored, {events} delivered, {reconnects} connections, fell behind {fell_behind} times",
        temp.head()
    );
    assert!(reconnects > 100 && events > temp.head() && fell_behind > 0);
    let told = waiting.try_join_next();
    assert!(told.is_none(), "nothing came for nobody: {told:?}");
}
