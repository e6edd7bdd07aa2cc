//! How agents are, through the hub: what was written is read, any moment can be asked for, and no start begins anew.

mod common;

use std::{path::PathBuf, time::Duration};

use common::{Made, TempHub};
use kymo_event::{Event, LedgerId, Seq};
use kymo_hub::{AgentsError, AgentsPage, AgentsRequest, From, HubSettings, Principal, Scope};
use kymo_ledger::{LedgerSettings, ReadOnly};

fn agent_event(number: u64) -> Event<'static> {
    let kinds = [
        "task.started",
        "tool.started",
        "tool.completed",
        "task.completed",
        "note",
    ];
    let kind = kinds[usize::try_from(number % 5).expect("small")];
    let mut event = Event::new(kind, "test");
    event.agent = Some(format!("a{}", number % 7).into());
    event.task = Some(format!("t{}", number % 3).into());
    event.data = Some(number.to_string().into());
    event
}

fn seq(number: u64) -> Seq {
    Seq::new(number).expect("a seq")
}

async fn ask(hub: &TempHub, at: Option<From>, min: Option<u64>) -> Result<AgentsPage, AgentsError> {
    let request = AgentsRequest {
        at,
        min: min.map(seq),
        limit: usize::MAX,
    };
    hub.hub.agents(request, &Principal::owner()).await
}

/// As of a seq, without the answer's own cursor.
async fn as_of(hub: &TempHub, at: u64) -> serde_json::Value {
    let page = ask(hub, Some(From::Seq(seq(at), None)), None)
        .await
        .expect("an answer");
    assert_eq!(page.cursor, at);
    serde_json::to_value(page).expect("JSON")
}

async fn now(hub: &TempHub) -> serde_json::Value {
    let page = ask(hub, None, Some(hub.head())).await.expect("an answer");
    serde_json::to_value(page).expect("JSON")
}

async fn fill(hub: &TempHub, count: u64) {
    let head = hub.head();
    hub.publish((head + 1..=head + count).map(agent_event)).await;
}

/// Segments of a block or two, and a ring that holds next to nothing.
fn small() -> Made {
    Made {
        settings: HubSettings {
            ring_bytes_max: 1 << 10,
            ..HubSettings::default()
        },
        ledger: LedgerSettings {
            segment_bytes_max: 1,
            ..LedgerSettings::default()
        },
        notices: false,
    }
}

fn snapshots(hub: &TempHub) -> Vec<PathBuf> {
    let Ok(files) = std::fs::read_dir(hub.path().join("snapshots")) else {
        return vec![];
    };
    let mut paths: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "snapshot"));
    paths.sort();
    paths
}

#[tokio::test]
async fn what_was_written_is_in_the_answer_that_must_have_it() {
    let hub = TempHub::new();
    for number in 1..=20 {
        fill(&hub, 1).await;
        let page = ask(&hub, None, Some(number)).await.expect("an answer");
        assert!(page.cursor >= number);
        assert_eq!(page.agents[0].seq, number, "the newest event is told of");
    }
    hub.fill(5).await;
    let page = ask(&hub, None, Some(25))
        .await
        .expect("events of nobody count, too");
    assert_eq!((page.cursor, page.from, page.lost, page.total), (25, 1, 0, 7));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_is_not_waited_for_for_ever() {
    let hub = TempHub::new();
    fill(&hub, 2).await;
    let error = ask(&hub, None, Some(3)).await.expect_err("there is no third");
    assert!(matches!(error, AgentsError::NotYet { min: 3, .. }), "{error}");
}

#[tokio::test]
async fn any_moment_can_be_asked_for_and_was_as_it_is_told() {
    let hub = TempHub::made(small());
    let mut then = Vec::new();
    for _ in 0..30 {
        fill(&hub, 1).await;
        then.push(now(&hub).await);
    }
    fill(&hub, 3_000).await;
    for (index, expected) in then.iter().enumerate() {
        assert_eq!(&as_of(&hub, index as u64 + 1).await, expected);
    }
    assert_eq!(as_of(&hub, hub.head()).await, now(&hub).await);
    let beyond = ask(&hub, Some(From::Seq(seq(999_999), None)), None).await;
    assert_eq!(beyond.expect("the newest there is").cursor, hub.head());
}

#[tokio::test]
async fn a_moment_is_what_was_recorded_up_to_it() {
    let hub = TempHub::new();
    fill(&hub, 3).await;
    let long_ago = ask(&hub, Some(From::Ago(3_600_000_000)), None)
        .await
        .expect("an answer");
    assert_eq!((long_ago.cursor, long_ago.total), (0, 0));
    let just_now = ask(&hub, Some(From::Ago(-3_600_000_000)), None)
        .await
        .expect("an answer");
    assert_eq!((just_now.cursor, just_now.total), (3, 3));
}

#[tokio::test]
async fn a_start_goes_on_where_the_state_was_kept() {
    let hub = TempHub::made(small());
    fill(&hub, 5_000).await;
    let before = now(&hub).await;
    let hub = hub.restarted().await;
    let kept = snapshots(&hub);
    assert_eq!(kept.len(), 1, "closing keeps the state");
    assert_eq!(now(&hub).await, before);
    // That it is the kept state, and not one folded anew, shows where its events are gone.
    fill(&hub, 10).await;
    let after = now(&hub).await;
    assert_eq!(after, as_of(&hub, hub.head()).await);
    let damaged = std::fs::read(&kept[0]).map(|mut bytes| {
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        bytes
    });
    std::fs::write(&kept[0], damaged.expect("a snapshot")).expect("written");
    let hub = hub.restarted().await;
    assert_eq!(
        now(&hub).await,
        after,
        "a damaged one costs time and nothing else"
    );
}

#[tokio::test]
async fn retention_waits_until_what_goes_is_kept_in_the_state() {
    let mut made = small();
    made.ledger.retain_bytes = Some(1);
    let hub = TempHub::made(made);
    let everything = TempHub::made(small());
    for _ in 0..4 {
        fill(&hub, 2_048).await;
        fill(&everything, 2_048).await;
    }
    hub.forget_the_oldest().await;
    let first = hub.hub.ledger().first().get();
    assert!(first > 1_000, "{first}");
    let strip = |mut page: serde_json::Value| {
        for agent in page["agents"].as_array_mut().expect("agents") {
            for time in ["since", "seen"] {
                agent.as_object_mut().expect("an agent").remove(time);
            }
        }
        page
    };
    let whole = strip(now(&everything).await);
    assert_eq!(strip(now(&hub).await), whole);
    let hub = hub.restarted().await;
    assert_eq!(strip(now(&hub).await), whole, "also what is gone is in it");
    let error = ask(&hub, Some(From::Seq(seq(10), None)), None)
        .await
        .expect_err("it is gone");
    let AgentsError::BeforeRetention { known_from } = error else {
        panic!("{error}");
    };
    let oldest = as_of(&hub, known_from).await;
    assert_eq!(strip(oldest), strip(as_of(&everything, known_from).await));
}

#[tokio::test]
async fn snapshots_that_can_never_be_written_hold_back_retention_only_for_a_while() {
    let mut made = small();
    made.ledger.retain_bytes = Some(1);
    let hub = TempHub::made(made);
    // Nothing can be made below a file.
    std::fs::write(hub.path().join("snapshots"), "").expect("written");
    for _ in 0..4 {
        fill(&hub, 2_048).await;
    }
    hub.forget_the_oldest().await;
    let agents = now(&hub).await;
    assert_eq!(agents["from"], 1, "nothing is lost to those who ask now");
}

#[tokio::test]
async fn a_place_in_another_ledger_is_no_moment_of_this_one() {
    let hub = TempHub::made(small());
    fill(&hub, 100).await;
    let elsewhere = From::Seq(seq(50), Some(LedgerId::new("another")));
    let error = ask(&hub, Some(elsewhere), None)
        .await
        .expect_err("it is not here");
    assert!(
        matches!(error, AgentsError::BeforeRetention { known_from: 1 }),
        "{error}"
    );
}

#[tokio::test]
async fn a_ledger_that_lost_its_beginning_before_is_told_of_from_there() {
    let mut made = small();
    made.ledger.retain_bytes = Some(1);
    let hub = TempHub::made(made);
    for _ in 0..4 {
        fill(&hub, 2_048).await;
    }
    hub.forget_the_oldest().await;
    let hub = hub.restarted().await;
    for path in snapshots(&hub) {
        std::fs::remove_file(path).expect("removed");
    }
    let hub = hub.reopened_without_keeping().await;
    let first = hub.hub.ledger().first().get();
    let page = ask(&hub, None, Some(hub.head())).await.expect("an answer");
    assert_eq!((page.from, page.lost), (first, 0));
    let error = ask(&hub, Some(From::Seq(seq(first - 1), None)), None).await;
    assert!(matches!(error, Err(AgentsError::BeforeRetention { known_from }) if known_from == first));
    assert_eq!(as_of(&hub, first + 100).await["from"], first);
}

#[tokio::test]
async fn a_folder_that_nobody_serves_gives_the_same_answers() {
    let hub = TempHub::made(small());
    fill(&hub, 3_000).await;
    let (newest, older) = (now(&hub).await, as_of(&hub, 1_234).await);
    hub.hub.close().await;
    let folder = ReadOnly::open(hub.path()).expect("a folder");
    let ask = |at: Option<From>| {
        let now = kymo_event::Micros(0);
        let page = kymo_hub::agents_in(&folder, at.as_ref(), now, usize::MAX).expect("an answer");
        serde_json::to_value(page).expect("JSON")
    };
    assert_eq!(ask(None), newest);
    assert_eq!(ask(Some(From::Seq(seq(1_234), None))), older);
    std::fs::remove_dir_all(hub.path().join("snapshots")).expect("there are some");
    assert_eq!(ask(None), newest, "without a snapshot it takes longer");
}

#[tokio::test]
async fn a_state_of_events_that_a_crash_took_back_is_not_believed() {
    let other = TempHub::new();
    other.fill(40).await;
    fill(&other, 10).await;
    now(&other).await;
    let hub = TempHub::new();
    fill(&hub, 10).await;
    other.hub.close().await;
    let kept = other.hub.ledger().snapshots("agents");
    let state = kept.newest(u64::MAX).expect("a folder");
    assert!(state.is_none(), "so few events are not worth a snapshot");
    let other = other.restarted().await;
    fill(&other, 1_000).await;
    now(&other).await;
    other.hub.close().await;
    let state = kept.newest(u64::MAX).expect("a folder").expect("a snapshot");
    let ahead = hub.hub.ledger().snapshots("agents");
    ahead.save(state.seq, &state.state).expect("saved");
    let hub = hub.restarted().await;
    assert_eq!(now(&hub).await["total"], 7);
    fill(&hub, 2_000).await;
    let page = ask(&hub, Some(From::Seq(seq(2_000), None)), None)
        .await
        .expect("an answer");
    let events: u64 = page.agents.iter().map(|agent| agent.events).sum();
    assert_eq!((page.cursor, events), (2_000, 2_000));
}

#[tokio::test]
async fn who_may_not_read_is_told_nothing() {
    let hub = TempHub::new();
    let principal = Principal {
        scopes: vec![Scope::Emit],
        ..Principal::owner()
    };
    let error = hub.hub.agents(AgentsRequest::default(), &principal).await;
    assert!(matches!(error, Err(AgentsError::Read(_))));
}

#[tokio::test]
async fn damage_costs_what_is_damaged_and_is_said() {
    let hub = TempHub::made(small());
    for _ in 0..4 {
        fill(&hub, 2_048).await;
    }
    let hub = hub.reopened_without_keeping().await;
    let path = &hub.segments()[1];
    let mut bytes = std::fs::read(path).expect("a segment");
    let line = bytes.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    bytes[line + 60] ^= 1;
    std::fs::write(path, &bytes).expect("a damaged segment");
    let hub = hub.reopened_without_keeping().await;
    let page = ask(&hub, None, Some(hub.head())).await.expect("an answer");
    assert_eq!((page.cursor, page.lost), (hub.head(), 1));
    assert_eq!(page.agents.iter().map(|agent| agent.events).sum::<u64>(), 8_191);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_under_load_are_of_one_place() {
    let hub = TempHub::made(small());
    let all = async {
        for _ in 0..100 {
            fill(&hub, 50).await;
        }
    };
    let asking = async {
        loop {
            let page = ask(&hub, None, None).await.expect("an answer");
            let events: u64 = page.agents.iter().map(|agent| agent.events).sum();
            assert_eq!(events, page.cursor, "all events up to the cursor, and no more");
            if page.cursor == 5_000 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::join!(all, asking);
}
