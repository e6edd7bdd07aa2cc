//! What the fold tells of agents, by what their events say.

use std::collections::BTreeMap;

use kymo_event::{Event, Level};
use proptest::prelude::*;

use super::*;
use crate::{
    BoundKey, Scope,
    samples::{group, seq},
};

/// `type`, or `type key=value …`; keys are those of the envelope, `data` is the rest of the text.
fn event(text: &'static str) -> Event<'static> {
    let (head, data) = text
        .split_once(" data=")
        .map_or((text, None), |(head, data)| (head, Some(data)));
    let mut words = head.split(' ');
    let mut event = Event::new(words.next().expect("a type"), "lab");
    event.agent = Some("a".into());
    event.data = data.map(Into::into);
    for word in words {
        let (key, value) = word.split_once('=').expect("key=value");
        match key {
            "agent" => event.agent = (!value.is_empty()).then(|| value.into()),
            "source" => event.source = value.into(),
            "session" => event.session = Some(value.into()),
            "user" => event.user = Some(value.into()),
            "tier" => event.tier = Some(value.into()),
            "task" => event.task = Some(value.into()),
            "span" => event.span = Some(value.into()),
            "dialect" => event.dialect = Some(value.into()),
            "level" => event.level = Level::parse(value).expect("a level"),
            "backfill" => event.backfill = true,
            _ => panic!("{key}"),
        }
    }
    event
}

fn folded(events: &[&'static str]) -> Agents {
    let mut agents = Agents::new(Seq::FIRST, 100);
    fold_into(&mut agents, 1, events);
    agents
}

fn fold_into(agents: &mut Agents, first: u64, events: &[&'static str]) {
    let lines = group(first, events.iter().map(|text| event(text)));
    agents.fold(
        (0..lines.len()).map(|index| lines.line(index)),
        seq(first + events.len() as u64),
    );
}

fn page(agents: &Agents) -> AgentsPage {
    agents.page(&Principal::owner(), Micros(0), usize::MAX)
}

fn only(events: &[&'static str]) -> AgentInfo {
    let mut page = page(&folded(events));
    assert_eq!(page.agents.len(), 1, "{events:?}");
    page.agents.remove(0)
}

/// State, task and what it is doing, in words.
fn told(events: &[&'static str]) -> String {
    let agent = only(events);
    let mut words = vec![agent.state.as_str().to_owned()];
    words.extend(agent.status.map(|status| format!("says:{status}")));
    words.extend(agent.task.map(|task| format!("task:{task}")));
    words.extend(agent.doing.map(|doing| format!("doing:{doing}")));
    words.join(" ")
}

#[test]
fn what_begins_is_work_until_it_ends() {
    for (events, expected) in [
        (&["file.changed"][..], "idle"),
        (&["task.started task=t1"], "working task:t1 doing:task"),
        (&["task.started task=t1", "task.completed task=t1"], "idle"),
        (&["task_started task=t1", "task-failed task=t1"], "idle"),
        (
            &["task.started task=t1", "task.completed task=t2"],
            "working task:t1 doing:task",
        ),
        (
            &[
                "task.started task=t1",
                "tool.started task=t1 span=s1",
                "tool.started task=t1 span=s2",
            ],
            "working task:t1 doing:tool",
        ),
        (
            &[
                "task.started task=t1",
                "tool.started task=t1 span=s1",
                "tool.failed task=t1 span=s1",
            ],
            "working task:t1 doing:task",
        ),
        (&["thesis_start task=t1", "thesis_end task=t1"], "idle task:t1"),
        (&["search-started", "search-completed"], "idle"),
        // An end that says less than its start, and one without a start.
        (&["tool.started span=s1", "tool.completed"], "idle"),
        (&["tool.completed span=s1"], "idle"),
        (&["eval task=t9"], "idle task:t9"),
    ] {
        assert_eq!(told(events), expected, "{events:?}");
    }
}

#[test]
fn an_agent_comes_and_goes() {
    for (events, expected) in [
        (&["agent.started"][..], "idle"),
        (&["session.started", "tool.started"], "working doing:tool"),
        (&["tool.started", "session.ended"], "stopped"),
        (&["task.started task=t", "agent.failed"], "failed"),
        (&["agent.failed", "heartbeat"], "idle"),
        (&["agent.stopped", "egos.system.heartbeat"], "idle"),
        (&["agent.stopped", "note"], "idle"),
        (&["tool.started", "agent.idle"], "idle"),
        (&["tool.started", "heartbeat"], "working doing:tool"),
    ] {
        assert_eq!(told(events), expected, "{events:?}");
    }
}

#[test]
fn what_an_agent_says_of_itself_counts_until_its_events_say_otherwise() {
    const BUSY: &str =
        r#"agent-state-changed data={"agentId":"a","state":{"status":"processing","tier":"gold"}}"#;
    const WAITS: &str = r#"agent-state-changed data={"agentId":"a","state":{"status":"monitoring"}}"#;
    const OTHER: &str = r#"agent-state-changed data={"state":"composting"}"#;
    for (events, expected) in [
        (&[BUSY][..], "working says:processing"),
        (&[BUSY, WAITS], "idle says:monitoring"),
        (&["tool.started", WAITS], "idle says:monitoring"),
        (&[WAITS, "tool.started"], "working says:monitoring doing:tool"),
        (
            &[BUSY, "tool.started", "tool.completed"],
            "working says:processing",
        ),
        (&[WAITS, "tool.started", "tool.completed"], "idle says:monitoring"),
        (&[OTHER], "idle says:composting"),
        (&["tool.started", OTHER], "working says:composting doing:tool"),
        (&["agent-state-changed"], "idle"),
        (&["agent-state-changed data=7"], "idle"),
        (
            &[r#"agent.state.changed data={"status":"Offline"}"#],
            "stopped says:Offline",
        ),
        (&[r#"status dialect=conductor data="error""#], "failed says:error"),
        (
            &[r#"status dialect=conductor data={"state":"ready"}"#],
            "idle says:ready",
        ),
        (&[r#"status data="error""#], "idle"),
    ] {
        assert_eq!(told(events), expected, "{events:?}");
    }
    let agent = only(&[BUSY]);
    let kept = agent.told.expect("what it said is kept");
    assert_eq!(kept.get(), r#"{"status":"processing","tier":"gold"}"#);
}

#[test]
fn a_long_story_is_not_kept_and_its_word_is_cut() {
    let word = "w".repeat(5_000);
    let text: &'static str =
        format!("agent-state-changed data={{\"state\":{{\"status\":\"{word}\"}}}}").leak();
    let agent = only(&[text]);
    assert!(agent.told.is_none());
    assert_eq!(agent.status.expect("a word").len(), 100);
}

#[test]
fn since_is_where_the_state_began_and_counts_are_of_all_it_did() {
    let agent = only(&[
        "note",
        "tool.started span=1",
        "tool.started span=2 level=warn",
        "tool.failed span=1 level=error",
        "tool.completed span=2",
        "tool.started span=3",
    ]);
    assert_eq!((agent.since_seq, agent.seq, agent.first_seq), (6, 6, 1));
    assert_eq!((agent.started, agent.completed, agent.failed), (3, 1, 1));
    assert_eq!(
        (agent.events, agent.warnings, agent.errors, agent.open),
        (6, 1, 1, 1)
    );
    assert_eq!(
        only(&["tool.started span=1", "tool.started span=2", "note"]).since_seq,
        1
    );
}

#[test]
fn the_imported_past_and_events_of_nobody_are_no_state() {
    let agents = folded(&[
        "tool.started backfill=1",
        "tool.started agent=",
        "note data={\"agent\":\"b\"}",
    ]);
    let page = page(&agents);
    assert_eq!((page.cursor, page.total), (3, 1));
    assert_eq!((&*page.agents[0].agent, page.agents[0].events), ("a", 1));
}

#[test]
fn an_agent_in_several_sessions_works_if_it_works_in_one() {
    let two = [
        "tool.started session=1",
        "tool.started session=2",
        "tool.completed session=2",
    ];
    assert_eq!(told(&two), "working doing:tool");
    // What it says outside any session is true of those that were silent since.
    let gone = [two[0], two[1], two[2], "agent.stopped"];
    assert_eq!(told(&gone), "stopped");
    let back = [gone[0], gone[1], gone[2], gone[3], "note session=1"];
    assert_eq!(told(&back), "working doing:tool");
}

#[test]
fn starts_without_ends_are_remembered_in_bounded_number() {
    let events: Vec<&'static str> = (0..50)
        .map(|n| &*format!("tool.started span={n}").leak())
        .collect();
    assert_eq!(only(&events).open, 8);
}

#[test]
fn bound_readers_see_what_was_done_under_their_keys() {
    let agents = folded(&[
        "tool.started user=ann session=s1",
        "note user=bob level=error",
        "note agent=b source=other tier=gold",
    ]);
    let seen = |key, value: &str| {
        let principal = Principal {
            name: "someone".into(),
            scopes: vec![Scope::Read],
            bound: BTreeMap::from([(key, value.to_owned())]),
        };
        let page = agents.page(&principal, Micros(0), 10);
        assert_eq!(page.total, agents.count(&principal));
        let name = |agent: &AgentInfo| format!("{} {} {}", agent.agent, agent.events, agent.errors);
        page.agents.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(seen(BoundKey::User, "ann"), ["a 1 0"]);
    assert_eq!(seen(BoundKey::User, "bob"), ["a 1 1"]);
    assert_eq!(seen(BoundKey::User, "eve"), [""; 0]);
    assert_eq!(seen(BoundKey::Session, "s1"), ["a 1 0"]);
    assert_eq!(seen(BoundKey::Source, "lab"), ["a 2 1"]);
    assert_eq!(seen(BoundKey::Agent, "b"), ["b 1 0"]);
    assert_eq!(seen(BoundKey::Tier, "gold"), ["b 1 0"]);
}

#[test]
fn countless_agents_are_kept_in_bounded_number_and_the_rest_is_said() {
    let mut agents = Agents::new(Seq::FIRST, 100);
    for number in 0..1_000_u64 {
        let text: &'static str = format!("note agent=n{number}").leak();
        fold_into(&mut agents, number + 1, &[text]);
        assert!(agents.strands.len() <= 100);
    }
    let page = page(&agents);
    assert_eq!(page.total as u64 + page.left_out, 1_000);
    assert!(page.total >= 80, "{}", page.total);
    assert_eq!(
        page.agents[0].agent, "n999",
        "those heard last stay, and come first"
    );
    assert_eq!(agents.page(&Principal::owner(), Micros(0), 7).agents.len(), 7);
}

#[test]
fn who_sent_heartbeats_and_misses_several_is_silent() {
    // The samples are all recorded at 1970; beats are put apart by hand.
    let mut agents = folded(&["heartbeat", "heartbeat"]);
    let strand = agents.strands.values_mut().next().expect("one");
    strand.beat.as_mut().expect("it beat").every = 30_000_000;
    let silent = |seconds: i64| {
        let page = agents.page(&Principal::owner(), Micros(seconds * 1_000_000), 1);
        page.agents[0].silent
    };
    assert_eq!((silent(60), silent(91), silent(92)), (false, false, true));
    let never = folded(&["note"]);
    assert!(!never.page(&Principal::owner(), Micros(i64::MAX), 1).agents[0].silent);
}

#[test]
fn names_that_hold_the_marks_between_names_are_told_apart() {
    let mut keys = std::collections::HashSet::new();
    for (agent, session) in [
        ("a", "1:b"),
        ("a1:b", ""),
        ("a-", ""),
        ("a", "-"),
        ("a", "--"),
        ("1:a", "b"),
    ] {
        let mut event = Event::new("note", "s");
        event.agent = Some(agent.into());
        event.session = Some(session.into());
        let lines = group(1, [event]);
        let view = LineView::parse(lines.line(0)).expect("a line");
        let mut key = String::new();
        Place::of(&view).expect("an agent").write_key(&mut key);
        assert!(keys.insert(key.clone()), "{agent} {session}: {key}");
    }
}

const ANY: &[&str] = &[
    "note agent=b",
    "tool.started span=1",
    "tool.completed span=1",
    "tool.failed span=2 level=error",
    "task.started task=t1 agent=b",
    "task.completed task=t1 agent=b",
    "task.started task=t2 session=s",
    "agent.stopped",
    "agent.failed agent=b",
    "heartbeat agent=c",
    "agent-state-changed data={\"state\":{\"status\":\"processing\",\"tier\":\"ü\\u0001\"}}",
    "agent-state-changed agent=c data={\"state\":\"idle\"}",
    "note agent=",
    "tool.started backfill=1",
];

proptest! {
    #[test]
    fn however_it_is_cut_kept_and_given_again_the_state_is_the_same(
        picks in prop::collection::vec(0..ANY.len(), 1..60),
        cuts in prop::collection::vec(0..60_usize, 0..5),
    ) {
        let events: Vec<&'static str> = picks.iter().map(|pick| ANY[*pick]).collect();
        let whole = folded(&events);
        let mut parts = Agents::new(Seq::FIRST, 100);
        for (index, text) in events.iter().enumerate() {
            if cuts.contains(&index) {
                parts = Agents::restore(&parts.kept(), 100).expect("its own form");
                // A reader that begins too early gives lines that are in the state already.
                fold_into(&mut parts, 1, &events[..index]);
            }
            fold_into(&mut parts, index as u64 + 1, &[text]);
        }
        let json = |agents: &Agents| serde_json::to_value(page(agents)).expect("JSON");
        prop_assert_eq!(json(&parts), json(&whole));
        // As of a place is the state of what was before.
        let last = cuts.first().map_or(0, |cut| (*cut).min(events.len()));
        let mut then = Agents::new(Seq::FIRST, 100).up_to(last as u64);
        fold_into(&mut then, 1, &events);
        prop_assert!(then.is_there());
        prop_assert_eq!(json(&then), json(&folded(&events[..last])));
    }
}
