//! Sources and the real hub with its ledger.

use std::{fs, path::Path, sync::Arc, time::Duration};

use kymo_connect::{
    Cursors, HubOutlet, Outlet, Tail, TailPlan, TailSettings, Taken, Watch, WatchSettings, take_up_spools,
};
use kymo_event::{Event, Filter};
use kymo_hub::{BridgeState, HistoryRequest, Hub, HubSettings, Notices, Principal};
use kymo_ledger::Ledger;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{collector::DEADLINE, rig::Ground};

fn hub(data: &Path) -> Hub {
    hub_with(data, HubSettings::default())
}

fn hub_with(data: &Path, settings: HubSettings) -> Hub {
    let notices = Notices::new();
    let ledger = Ledger::open(data, kymo_ledger::LedgerSettings::default(), notices.on_notice()).unwrap();
    Hub::start_with(settings, ledger, notices)
}

/// What is stored and matches.
async fn stored(hub: &Hub, filter: &str) -> Vec<Value> {
    let request = HistoryRequest {
        filter: Filter::parse(filter).unwrap(),
        channels: vec![],
        from: None,
        to: None,
        limit: 1_000,
        bytes_max: 1 << 20,
        newest_first: false,
    };
    let page = hub.history(request, &Principal::owner()).await.unwrap();
    page.lines
        .iter()
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// Waits until so many are stored.
async fn until(hub: &Hub, filter: &str, count: usize) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        let found = stored(hub, filter).await;
        if found.len() >= count {
            return found;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited in vain for {count} × {filter}: {found:#?}"
        );
        tokio::task::yield_now().await;
    }
}

/// Takes spools up until none is left.
async fn take_up(spool: &Path, outlet: Arc<HubOutlet>) {
    let stop = CancellationToken::new();
    let taking = take_up_spools(spool, outlet, Duration::from_millis(10), stop.clone());
    let gone = async {
        while fs::read_dir(spool).unwrap().next().is_some() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::time::timeout(DEADLINE, async { tokio::join!(taking, gone) })
        .await
        .expect("taken up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_in_a_folder_is_in_the_ledger() {
    let ground = Ground::new();
    ground.repository();
    let hub = hub(&ground.path(".kymo"));
    let stop = CancellationToken::new();
    let settings = WatchSettings {
        folders: vec![ground.root.clone()],
        ..WatchSettings::default()
    };
    let outlet = Arc::new(HubOutlet::new(hub.clone(), "watch"));
    let watch = Watch::start(settings, outlet, stop.clone()).await.unwrap();
    ground.write("src/a.rs", "fn main() {}\n");
    let created = &until(&hub, "type:file.created data.language:Rust", 1).await[0];
    assert_eq!(created["data"]["path"], "src/a.rs");
    assert!(
        created["time"].as_str() <= created["recorded"].as_str(),
        "seen before it was recorded"
    );
    ground.commit("Begin again");
    until(&hub, "type:git.commit", 1).await;
    stop.cancel();
    watch.finished().await;
    until(&hub, "type:watch.stopped", 1).await;
    let own = stored(&hub, "type:file.* data.path:.kymo*").await;
    assert!(own.is_empty(), "the ledger does not watch itself: {own:#?}");
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_that_is_read_twice_is_stored_once_and_what_is_refused_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let hub = hub(data.path());
    let spool = data.path().join("spool");
    fs::create_dir(&spool).unwrap();
    let lines = "{\"type\":\"a\",\"source\":\"t\"}\n{\"type\":\"a\",\"source\":\"t\"}\n{\"type\":\"kymo.fake\",\"source\":\"t\"}\n";
    let outlet = Arc::new(HubOutlet::new(hub.clone(), "spool"));
    // As after a crash between emitting and removing: the claim is there again.
    for _ in 0..2 {
        fs::write(spool.join("1-x.0198.taking"), lines).unwrap();
        take_up(&spool, outlet.clone()).await;
    }
    assert_eq!(until(&hub, "type:a", 2).await.len(), 2);
    let refused = &until(&hub, "type:kymo.spool.refused", 1).await[0];
    assert_eq!(refused["data"]["lines"][0]["code"], "reserved_type");
    assert_eq!(refused["data"]["lines"][0]["line"], 3);
    hub.close().await;
}

#[tokio::test]
async fn a_closing_hub_says_so_and_a_refused_event_is_reported() {
    let data = tempfile::tempdir().unwrap();
    let hub = hub(data.path());
    let outlet = HubOutlet::new(hub.clone(), "watch");
    let bad = vec![Event::new("fine", "t"), Event::new("kymo.not.ours", "t")];
    let error = outlet.emit(bad).await.unwrap_err();
    assert!(error.starts_with("1 of 2 events were refused"), "{error}");
    let note = &until(&hub, "type:kymo.source.refused", 1).await[0];
    assert_eq!(
        (&note["data"]["door"], &note["data"]["code"]),
        (&"watch".into(), &"reserved_type".into())
    );
    assert_eq!(stored(&hub, "type:fine").await.len(), 1);
    hub.close().await;
    assert!(outlet.emit(vec![Event::new("late", "t")]).await.is_err());
}

/// A hub that takes so many events a second of each source.
fn hub_limited(data: &Path, rate_per_source: u32) -> Hub {
    let settings = HubSettings {
        rate_per_source,
        ..HubSettings::default()
    };
    hub_with(data, settings)
}

/// Their data, in the order in which they are stored.
async fn numbers(hub: &Hub, filter: &str) -> Vec<u64> {
    let stored = stored(hub, filter).await;
    stored
        .iter()
        .map(|event| event["data"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn what_the_rate_limit_holds_back_is_stored_later_in_order_and_once() {
    // Within one batch, and over several.
    for (rate, count) in [(40, 100), (400, 700)] {
        let data = tempfile::tempdir().unwrap();
        let hub = hub_limited(data.path(), rate);
        let outlet = HubOutlet::new(hub.clone(), "watch");
        let burst = (0..count).map(|n| {
            let mut event = Event::new("step", "busy");
            event.data = Some(n.to_string().into());
            event
        });
        assert_eq!(outlet.emit_each(burst.collect()).await, Ok(Taken::default()));
        assert_eq!(numbers(&hub, "type:step").await, (0..count).collect::<Vec<_>>());
        hub.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_is_not_held_back_by_the_rate_limit() {
    let data = tempfile::tempdir().unwrap();
    let hub = hub_limited(data.path(), 1);
    let spool = data.path().join("spool");
    fs::create_dir(&spool).unwrap();
    for writer in ["1-x", "2-y"] {
        let lines = (0..200).map(|n| format!("{{\"type\":\"a\",\"source\":\"{writer}\",\"data\":{n}}}\n"));
        fs::write(
            spool.join(format!("{writer}.0198.taking")),
            lines.collect::<String>(),
        )
        .unwrap();
    }
    // At one a second this would take minutes.
    take_up(&spool, Arc::new(HubOutlet::new(hub.clone(), "spool"))).await;
    for writer in ["1-x", "2-y"] {
        let filter = format!("type:a source:{writer}");
        assert_eq!(numbers(&hub, &filter).await, (0..200).collect::<Vec<_>>());
    }
    assert!(stored(&hub, "type:kymo.spool.refused").await.is_empty());
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_that_cannot_write_its_place_down_hands_nothing_on_until_it_can() {
    let (data, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hub = hub(data.path());
    // Where the place would be written stands a folder.
    let obstacle = data.path().join("cursors/source-logs.json.new");
    fs::create_dir_all(&obstacle).unwrap();
    fs::write(logs.path().join("a.jsonl"), "{\"type\":\"step\",\"data\":1}\n").unwrap();
    let settings = TailSettings {
        paths: vec![logs.path().to_string_lossy().into_owned()],
        ..TailSettings::default()
    };
    let end = CancellationToken::new();
    let plan = TailPlan::kept("logs", settings, data.path(), &Cursors::new(data.path()), &hub);
    let tail = Tail::start(plan, Arc::new(HubOutlet::new(hub.clone(), "tail")), &end).unwrap();
    let mut tried = std::collections::BTreeSet::new();
    let deadline = std::time::Instant::now() + DEADLINE;
    while tried.len() < 4 {
        assert!(std::time::Instant::now() < deadline, "it tries again");
        let info = hub.bridges().infos().remove(0);
        tried.extend(info.last_error.map(|error| {
            assert_eq!(error.fault.code, "cursor_unwritable");
            error.time
        }));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(hub.bridges().infos()[0].state, BridgeState::Waiting);
    assert!(
        stored(&hub, "type:step OR type:kymo.bridge.connected")
            .await
            .is_empty()
    );
    fs::remove_dir(&obstacle).unwrap();
    until(&hub, "type:step", 1).await;
    end.cancel();
    tail.finished().await;
    assert_eq!(numbers(&hub, "type:step").await, [1]);
    hub.close().await;
}
