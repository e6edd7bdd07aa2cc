//! What every sink is promised, with an other side that is told how to behave.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use kymo_connect::{
    Cursors,
    sink::{Batch, Begin, Refused, Selection, Sink, SinkFault, SinkPlan, run_sink},
};
use kymo_event::{Event, Filter, way};
use kymo_hub::{BridgeAbout, BridgeFault, BridgeState, Direction};
use serde_json::Value;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::rig::{Station, numbered, wait_for};

const BROKER: &str = "test://other-side";

/// How the other side behaves, and what it was given.
#[derive(Default)]
struct State {
    given: Vec<(String, Value)>,
    identities: Vec<String>,
    away: bool,
    refusing: bool,
    hanging: bool,
    /// Numbers it never takes.
    poison: Vec<u64>,
    connects: usize,
    deliveries: usize,
}

#[derive(Clone, Default)]
struct OtherSide {
    state: Arc<Mutex<State>>,
    gone: Arc<Notify>,
}

fn fault(code: &'static str) -> BridgeFault {
    BridgeFault::new(code, "as told")
}

impl OtherSide {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().expect("nobody panics while holding it"));
    }

    fn get<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().expect("nobody panics while holding it"))
    }

    fn numbers(&self) -> Vec<u64> {
        self.get(|state| state.given.iter().filter_map(|(_, data)| data.as_u64()).collect())
    }

    /// Breaks the connection and lets nobody in.
    fn leave(&self) {
        self.set(|state| state.away = true);
        self.gone.notify_one();
    }
}

impl Sink for OtherSide {
    async fn connect(&mut self) -> Result<(), BridgeFault> {
        self.set(|state| state.connects += 1);
        match self.get(|state| state.away) {
            true => Err(fault("unreachable")),
            false => Ok(()),
        }
    }

    async fn deliver(&mut self, batch: &Batch) -> Result<Vec<Refused>, SinkFault> {
        self.set(|state| state.deliveries += 1);
        if self.get(|state| state.hanging) {
            std::future::pending::<()>().await;
        }
        let mut state = self.state.lock().expect("nobody panics while holding it");
        if state.away {
            return Err(SinkFault::Lost(fault("unreachable")));
        }
        if state.refusing {
            return Err(SinkFault::Refused(fault("no_room")));
        }
        let mut refused = Vec::new();
        let ledger = kymo_event::LedgerId::new("l");
        for (index, item) in batch.iter().enumerate() {
            let line: Value = serde_json::from_slice(&item.line()).expect("a line");
            if line["data"]
                .as_u64()
                .is_some_and(|number| state.poison.contains(&number))
            {
                refused.push(Refused {
                    index,
                    fault: fault("too_large"),
                });
                continue;
            }
            state.identities.push(item.identity(&ledger).into_owned());
            state.given.push((
                line["type"].as_str().expect("a type").to_owned(),
                line["data"].clone(),
            ));
        }
        Ok(refused)
    }

    async fn lost(&mut self) -> BridgeFault {
        self.gone.notified().await;
        fault("unreachable")
    }

    fn origin(&self) -> Option<&str> {
        Some(BROKER)
    }
}

struct Running {
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.end.cancel();
        self.task.await.expect("it does not panic");
    }
}

fn start(station: &Station, other: &OtherSide, filter: &str, begin: Begin) -> Running {
    let plan = SinkPlan {
        about: BridgeAbout {
            name: "out".into(),
            kind: "test",
            direction: Direction::Sink,
            target: BROKER.into(),
        },
        selection: Selection {
            filter: Filter::parse(filter).expect("a filter"),
            begin,
            backfill: false,
        },
    };
    let end = CancellationToken::new();
    let (other, hub, ending) = (other.clone(), station.hub.clone(), end.clone());
    let cursors = Cursors::new(station.data.path());
    let task = tokio::spawn(async move { run_sink(other, plan, hub, &cursors, ending).await });
    Running { end, task }
}

async fn given(other: &OtherSide, count: usize) {
    wait_for("the events on the other side", async || {
        (other.numbers().len() >= count).then_some(())
    })
    .await;
}

async fn state(station: &Station, state: BridgeState) {
    wait_for("the state", async || {
        let infos = station.hub.bridges().infos();
        infos.iter().any(|info| info.state == state).then_some(())
    })
    .await;
}

fn range(numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.collect()
}

#[tokio::test]
async fn a_sink_goes_on_where_it_was_and_gives_everything_once_in_order() {
    let mut station = Station::new();
    let other = OtherSide::default();
    station.emit("a", 0..10).await;
    for round in 0..4 {
        let running = start(&station, &other, "type:a", Begin::Start);
        let (from, to) = (round * 1_000 + 10, (round + 1) * 1_000 + 10);
        station.emit("a", from..to - 500).await;
        station.emit("b", 0..100).await;
        given(&other, to - 500).await;
        running.stop().await;
        station.emit("a", to - 500..to).await;
        station = station.reopened().await;
    }
    let running = start(&station, &other, "type:a", Begin::Start);
    given(&other, 4_010).await;
    wait_for("a sink without lag", async || {
        (station.bridge().lag_events == Some(0)).then_some(())
    })
    .await;
    let info = station.bridge();
    assert_eq!(
        (info.state, info.counts.events, info.lag_s),
        (BridgeState::Connected, 500, Some(0.0))
    );
    running.stop().await;
    assert_eq!(station.bridge().state, BridgeState::Stopped);
    assert_eq!(other.numbers(), range(0..4_010));
    other.get(|state| {
        let distinct: std::collections::HashSet<_> = state.identities.iter().collect();
        assert_eq!(distinct.len(), 4_010, "each has an identity of its own");
    });
}

#[tokio::test]
async fn a_new_sink_begins_with_what_comes_from_now_on_unless_told_otherwise_also_after_a_restart() {
    let station = Station::new();
    station.emit("a", 0..10).await;
    let other = OtherSide::default();
    other.set(|state| state.away = true);
    let running = start(&station, &other, "type:a", Begin::Now);
    state(&station, BridgeState::Waiting).await;
    station.emit("a", 10..20).await;
    // It never connected; nonetheless it has begun.
    running.stop().await;
    other.set(|state| state.away = false);
    let running = start(&station, &other, "type:a", Begin::Now);
    given(&other, 10).await;
    running.stop().await;
    assert_eq!(other.numbers(), range(10..20));
}

#[tokio::test]
async fn an_other_side_that_is_away_is_waited_for_and_caught_up_with() {
    let station = Station::new();
    let other = OtherSide::default();
    other.set(|state| state.away = true);
    let running = start(&station, &other, "type:a", Begin::Start);
    state(&station, BridgeState::Waiting).await;
    station.emit("a", 0..5_000).await;
    let info = station.bridge();
    assert_eq!(info.last_error.expect("it says why").fault.code, "unreachable");
    wait_for("the lag", async || {
        let info = station.bridge();
        (info.lag_events >= Some(5_000) && info.next_try.is_some()).then_some(())
    })
    .await;
    other.set(|state| state.away = false);
    given(&other, 5_000).await;
    // An idle connection that breaks is noticed too.
    let connects = other.get(|state| state.connects);
    other.leave();
    state(&station, BridgeState::Waiting).await;
    other.set(|state| state.away = false);
    state(&station, BridgeState::Connected).await;
    assert!(other.get(|state| state.connects) > connects);
    running.stop().await;
    assert_eq!(other.numbers(), range(0..5_000));
    let told = station.reopened().await.stored("type:kymo.bridge.*").await;
    let kinds: Vec<_> = told
        .iter()
        .map(|event| event["type"].as_str().expect("text"))
        .collect();
    assert_eq!(
        kinds,
        ["waiting", "connected", "waiting", "connected", "stopped"].map(|kind| format!("kymo.bridge.{kind}"))
    );
    assert_eq!(told[0]["data"]["bridge"], "out");
}

#[tokio::test(start_paused = true)]
async fn an_other_side_that_takes_nothing_is_left_alone_and_tried_again_until_it_does() {
    let station = Station::new();
    let other = OtherSide::default();
    other.set(|state| state.refusing = true);
    let running = start(&station, &other, "type:a", Begin::Start);
    station.emit("a", 0..10).await;
    state(&station, BridgeState::Paused).await;
    assert_eq!(other.get(|state| state.connects), 1, "the connection stays");
    let deliveries = other.get(|state| state.deliveries);
    tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    let tried = other.get(|state| state.deliveries) - deliveries;
    assert!((10..60).contains(&tried), "{tried} tries in ten minutes");
    other.set(|state| state.refusing = false);
    given(&other, 10).await;
    state(&station, BridgeState::Connected).await;
    running.stop().await;
    assert_eq!(other.numbers(), range(0..10));
}

#[tokio::test(start_paused = true)]
async fn an_other_side_that_hangs_is_given_up_and_connected_to_again() {
    let station = Station::new();
    let other = OtherSide::default();
    other.set(|state| state.hanging = true);
    let running = start(&station, &other, "type:a", Begin::Start);
    station.emit("a", 0..10).await;
    state(&station, BridgeState::Waiting).await;
    assert_eq!(
        station.bridge().last_error.expect("it says why").fault.code,
        "timeout"
    );
    other.set(|state| state.hanging = false);
    given(&other, 10).await;
    assert!(other.get(|state| state.connects) > 1);
    running.stop().await;
    assert_eq!(other.numbers(), range(0..10));
}

#[tokio::test]
async fn what_the_other_side_never_takes_is_counted_and_said_and_holds_up_nothing() {
    let station = Station::new();
    let other = OtherSide::default();
    other.set(|state| state.poison = vec![3, 7]);
    let running = start(&station, &other, "", Begin::Start);
    station.emit("a", 0..10).await;
    given(&other, 8).await;
    running.stop().await;
    assert_eq!(other.numbers(), [0, 1, 2, 4, 5, 6, 8, 9]);
    let info = station.bridge();
    assert_eq!(info.counts.refused, 2);
    let told = station.reopened().await.stored("type:kymo.bridge.refused").await;
    let refused: u64 = told
        .iter()
        .filter_map(|event| event["data"]["refused"].as_u64())
        .sum();
    assert_eq!(refused, 2, "{told:?}");
    assert_eq!(told[0]["data"]["code"], "too_large");
}

#[tokio::test]
async fn nothing_goes_in_circles() {
    let station = Station::new();
    let other = OtherSide::default();
    let running = start(&station, &other, "", Begin::Start);
    state(&station, BridgeState::Connected).await;
    let hops = |number, hops| Event {
        hops: Some(hops),
        ..numbered("a", number)
    };
    let past = Event {
        backfill: true,
        ..numbered("a", 1)
    };
    let from = |number, broker| {
        let mut event = numbered("a", number);
        way::mark(&mut event, broker, "x");
        event
    };
    let events = [
        numbered("a", 0),
        past,
        from(2, BROKER),
        from(3, "test://elsewhere"),
        hops(4, 8),
        hops(5, 9),
        numbered("a", 6),
    ];
    station.emit_events(events.into_iter()).await;
    given(&other, 4).await;
    running.stop().await;
    assert_eq!(other.numbers(), [0, 3, 4, 6]);
    let about_itself = other.get(|state| {
        let kinds = state.given.iter().map(|(kind, _)| kind.clone());
        kinds.filter(|kind| kind.starts_with("kymo.bridge.")).count()
    });
    assert_eq!(about_itself, 0, "what is said of a sink is not for itself");
    assert!(station.bridge().counts.skipped >= 3);
}

#[tokio::test]
async fn a_damaged_place_is_said_and_the_sink_begins_anew() {
    let station = Station::new();
    let other = OtherSide::default();
    station.emit("a", 0..10).await;
    let running = start(&station, &other, "type:a", Begin::Start);
    given(&other, 10).await;
    running.stop().await;
    let place: PathBuf = station.data.path().join("cursors/sink-out.json");
    std::fs::write(&place, "{\"ledger\":").expect("written");
    let running = start(&station, &other, "type:a", Begin::Start);
    given(&other, 20).await;
    running.stop().await;
    let station = station.reopened().await;
    let told = station.stored("type:kymo.bridge.cursor_damaged").await;
    let kept = told[0]["data"]["kept"].as_str().expect("it is named");
    assert_eq!(std::fs::read(kept).expect("kept"), b"{\"ledger\":");
}

#[tokio::test]
async fn a_place_in_another_ledger_is_none_in_this_one() {
    let station = Station::new();
    let other = OtherSide::default();
    station.emit("a", 0..10).await;
    let place = station.data.path().join("cursors/sink-out.json");
    std::fs::create_dir_all(place.parent().expect("a folder")).expect("made");
    std::fs::write(&place, "{\"ledger\":\"another\",\"next\":8}").expect("written");
    let running = start(&station, &other, "type:a", Begin::Start);
    given(&other, 10).await;
    running.stop().await;
    assert_eq!(other.numbers(), range(0..10));
    let told = station.reopened().await.stored("type:kymo.bridge.gap").await;
    assert_eq!(told[0]["data"]["reason"], "other_ledger");
}

#[tokio::test]
async fn shutdown_waits_for_what_is_being_delivered_only_a_little() {
    let station = Station::new();
    let other = OtherSide::default();
    other.set(|state| state.hanging = true);
    let running = start(&station, &other, "type:a", Begin::Start);
    station.emit("a", 0..10).await;
    wait_for("a delivery", async || {
        (other.get(|state| state.deliveries) > 0).then_some(())
    })
    .await;
    let began = std::time::Instant::now();
    running.stop().await;
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
    other.set(|state| state.hanging = false);
    let running = start(&station, &other, "type:a", Begin::Start);
    given(&other, 10).await;
    running.stop().await;
    assert_eq!(other.numbers(), range(0..10));
}
