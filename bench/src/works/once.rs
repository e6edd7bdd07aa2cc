//! Works of the first pass only: they take long, or repeat themselves, or have no bar to reach.

use super::{Who, Work, crowd, idle, memory, past, single, soak, start, together, unusual};
use crate::{
    bars::{Bar, Limit},
    contestants::REDIS_ALWAYS,
};

/// The work that is done only where it is asked for.
pub(crate) const HUGE: &str = "start-huge";

/// Of others it is not asked.
const ALONE: Who = Who::Only(&[], "not asked");

/// All, in the order of the table.
pub(super) static ONCE: &[Work] = &[
    Work {
        key: "start",
        title: "start after kill -9 on 2 million events, to the first accepted write and the first read",
        bars: &[
            Bar::new("read", Limit::Below(25.0)),
            Bar::new("memory", Limit::Below(30.0)),
        ],
        who: Who::Everyone,
        run: start::run,
        floor: None,
    },
    Work {
        key: HUGE,
        title: "the same on 50 million events",
        bars: &[
            Bar::new("read", Limit::Below(500.0)),
            Bar::new("memory", Limit::Below(30.0)),
        ],
        who: ALONE,
        run: start::huge,
        floor: None,
    },
    Work {
        key: "memory",
        title: "memory of one server that does all of the above",
        bars: &[
            Bar::new("after start", Limit::Below(30.0)),
            Bar::new("peak", Limit::Below(120.0)),
        ],
        who: Who::Only(&["jetstream", REDIS_ALWAYS], "not asked"),
        run: memory::run,
        floor: None,
    },
    Work {
        key: "soak",
        title: "memory over minutes: 2,000 events/s, 10 readers, the past again and again",
        bars: &[Bar::new("slope", Limit::AtMost(1.0))],
        who: ALONE,
        run: soak::run,
        floor: None,
    },
    Work {
        key: "idle",
        title: "10,000 idle WebSocket readers, memory of the server for each",
        bars: &[
            Bar::new("each", Limit::Below(20.0)),
            Bar::new("each, after an event", Limit::Below(20.0)),
        ],
        who: ALONE,
        run: idle::websocket,
        floor: None,
    },
    Work {
        key: "idle-sse",
        title: "10,000 idle readers of server-sent events",
        bars: &[Bar::new("each", Limit::Below(20.0))],
        who: ALONE,
        run: idle::events,
        floor: None,
    },
    Work {
        key: "crowd",
        title: "64 clients that await acks and one reader, alone and beside 10,000 idle readers with one filter",
        bars: &[],
        who: ALONE,
        run: crowd::alike,
        floor: None,
    },
    Work {
        key: "crowd-filters",
        title: "the same, each idle reader with a filter of its own",
        bars: &[],
        who: ALONE,
        run: crowd::each_their_own,
        floor: None,
    },
    Work {
        key: "together",
        title: "200,000 events/s in batches, 100 readers of everything and a replay, all at once",
        bars: &[],
        who: ALONE,
        run: together::everything,
        floor: None,
    },
    Work {
        key: "together-filtered",
        title: "the same, each reader follows one of 100 agents",
        bars: &[],
        who: ALONE,
        run: together::one_each,
        floor: None,
    },
    Work {
        key: "replay-cold",
        title: "replay when no page of the ledger is in memory (fadvise DONTNEED)",
        bars: &[],
        who: ALONE,
        run: past::cold,
        floor: None,
    },
    Work {
        key: "replay-compressed",
        title: "replay of compressed history",
        bars: &[],
        who: ALONE,
        run: past::compressed,
        floor: None,
    },
    Work {
        key: "events-64kb",
        title: "events of 64 kB",
        bars: &[],
        who: ALONE,
        run: unusual::of_64_kb,
        floor: None,
    },
    Work {
        key: "events-1mib",
        title: "events of 1 MiB",
        bars: &[],
        who: ALONE,
        run: unusual::of_1_mib,
        floor: None,
    },
    Work {
        key: "filters",
        title: "burst to 500 readers with 500 distinct filters that everything matches",
        bars: &[],
        who: ALONE,
        run: unusual::filters,
        floor: None,
    },
    Work {
        key: "ids",
        title: "batches of 1,000 with ids given by the emitter",
        bars: &[],
        who: ALONE,
        run: unusual::ids,
        floor: None,
    },
    Work {
        key: "single-ids",
        title: "one event per call awaiting its ack, 64 clients, each event with an id of its emitter's",
        bars: &[],
        who: ALONE,
        run: single::with_ids,
        floor: None,
    },
];
