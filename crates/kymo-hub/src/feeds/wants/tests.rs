//! Who is woken, by what is committed and what is waited for.

use kymo_event::Event;
use kymo_ledger::Lines;
use proptest::prelude::*;

use super::*;
use crate::{
    feeds::Feeds,
    lull::Lull,
    ring::Ring,
    samples::{self, Nothing},
};

/// Found by a value; tried; neither, because they are dear.
const FILTERS: [&str; 31] = [
    "agent:a0",
    "agent:a1 OR agent:a2",
    "agent:a0 OR session:s1",
    "session:s0 agent:a1 source:src",
    "source:src -agent:a2",
    "source:elsewhere",
    "agent:a1 data:1",
    "session:\"s\\\"2\"",
    "type:made.*",
    "type:made.up level:>=warn",
    "-agent:*",
    "-type:made.up",
    "agent:a* session:*1",
    "data:2",
    "nowhere",
    "id:e1",
    "id:e0 OR id:e2 OR agent:a3",
    "-id:*",
    "seq:7",
    "seq:3 OR agent:a1",
    "seq:>=30 seq:<40",
    "backfill:true",
    "backfill:false",
    "backfill:true session:s1",
    "dialect:hooks",
    "dialect:hooks OR dialect:kymo",
    "-dialect:hooks agent:a0",
    "(agent:a0 type:made.*) OR (agent:a1 -session:s1)",
    "(agent:a0 data:1) OR (agent:a1 data:2)",
    "(agent:a0 session:s0) OR type:other",
    "",
];

fn is_dear(filter: &Filter) -> bool {
    filter.is_all() || filter.needs_payload()
}

/// Agent, session, type, data, and whose id, dialect and past it is.
type Drawn = (u8, u8, u8, u8, u8);

fn event((agent, session, kind, data, rest): Drawn) -> Event<'static> {
    let mut event = Event::new(if kind % 2 == 0 { "made.up" } else { "other" }, "src");
    event.agent = (agent < 4).then(|| format!("a{agent}").into());
    event.session = (session < 4).then(|| {
        if session == 2 {
            "s\"2".into()
        } else {
            format!("s{session}").into()
        }
    });
    event.data = Some(data.to_string().into());
    event.id = (rest < 4).then(|| format!("e{rest}").into());
    event.dialect = (rest % 3 == 0).then(|| "hooks".into());
    event.backfill = rest % 2 == 0;
    event
}

fn lines(drawn: &[Drawn]) -> Lines {
    samples::group(1, drawn.iter().map(|drawn| event(*drawn)))
}

/// A hub's feeds, with somebody waiting for each.
struct Waiting {
    feeds: Feeds,
    lulls: Vec<(Arc<Feed>, Arc<Lull>)>,
}

impl Waiting {
    fn new<'f>(filters: impl IntoIterator<Item = &'f str>) -> Self {
        let feeds = Feeds::default();
        let join = |filter| feeds.join(Filter::parse(filter).expect("a filter"), Arc::new(Nothing));
        let lulls = filters
            .into_iter()
            .map(join)
            .map(|feed| (Arc::clone(&feed), feed.lull()));
        Self {
            lulls: lulls.collect(),
            feeds,
        }
    }

    fn look_at(&self, drawn: &[Drawn], from: u64, budget: usize) {
        let ring = Ring::new(1 << 20, 1 << 10, Seq::FIRST);
        ring.push(&lines(drawn));
        let from = Seq::FIRST.plus(from);
        let chunks = ring.between(from, ring.horizon().end).expect("the ring holds it");
        self.feeds.wake_those_for(&chunks, from, budget);
    }
}

const PLENTY: usize = 1 << 20;

proptest! {
    #[test]
    fn whom_an_event_is_for_is_woken_and_of_the_others_only_those_with_dear_filters(
        drawn in prop::collection::vec((0_u8..6, 0_u8..6, 0_u8..4, 0_u8..4, 0_u8..8), 1..60),
        from in 0_u64..60,
    ) {
        let from = from.min(drawn.len() as u64 - 1);
        let waiting = Waiting::new(FILTERS);
        waiting.look_at(&drawn, from, PLENTY);
        let lines = lines(&drawn);
        let views: Vec<_> = (0..lines.len()).map(|index| view(lines.line(index)).expect("a line")).collect();
        for (feed, lull) in &waiting.lulls {
            let is_for_it = views.iter().skip(usize::try_from(from).expect("small")).any(|view| feed.filter.matches(view));
            if is_for_it || !is_dear(&feed.filter) {
                prop_assert_eq!(lull.is_over(), is_for_it, "{}", feed.filter);
            }
            if lull.is_over() {
                prop_assert_eq!(lull.passed(Seq::FIRST), Seq::FIRST.plus(from));
            }
        }
    }
}

#[test]
fn a_dear_filter_that_wants_a_value_is_woken_by_that_value_alone() {
    let waiting = Waiting::new(["agent:a1 data:1"]);
    let over = || waiting.lulls[0].1.is_over();
    waiting.look_at(&[(0, 0, 0, 1, 0)], 0, PLENTY);
    assert!(!over(), "of another agent");
    waiting.look_at(&[(1, 0, 0, 9, 0)], 0, PLENTY);
    assert!(over(), "its readers look into the data themselves");
}

#[test]
fn looking_ends_where_waking_all_is_cheaper() {
    let waiting = Waiting::new(["agent:nobody", "type:never*"]);
    waiting.look_at(&[(0, 0, 0, 0, 0); 100], 0, 99);
    assert!(waiting.lulls.iter().all(|(_, lull)| lull.is_over()));
}

#[test]
fn nothing_is_kept_of_feeds_that_nobody_reads() {
    let waiting = Waiting::new(FILTERS);
    for (feed, _) in &waiting.lulls {
        assert!(waiting.feeds.leave(feed));
    }
    let open = waiting.feeds.open.lock();
    assert!(open.feeds.is_empty() && open.wants.by_value.is_empty());
    assert!(open.wants.tried.is_empty() && open.wants.anything.is_empty());
}
