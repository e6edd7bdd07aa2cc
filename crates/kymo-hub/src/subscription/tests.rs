//! A model of hub and reader: random commits, slow readers, evictions, holes and reconnects.
#![allow(clippy::cast_possible_truncation)] // a model of a few thousand events

use kymo_ledger::GapReason;
use proptest::prelude::*;

use super::*;
use crate::samples::seq;

/// What can happen, in any order.
#[derive(Clone, Debug)]
enum Happening {
    /// A group becomes durable; per event whether the reader's filter matches.
    Store(Vec<bool>),
    /// The ring is told of everything durable.
    Announce,
    /// The ring lets go of this many of its oldest batches.
    Evict(usize),
    /// The oldest events are removed.
    Retire(u64),
    /// Some stored events turn out to be unreadable.
    Damage { at: u64, count: u64 },
    /// The reader takes this many steps; a read of the ledger gives so many seqs at most.
    Read { steps: usize, slice: u64 },
    /// A while passes without a match.
    Remind,
    /// The reader goes away and comes back with the cursor it knows.
    Reconnect,
    /// The reader goes away and comes back with some other cursor.
    Jump(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => prop::collection::vec(prop::bool::weighted(0.4), 1..40).prop_map(Happening::Store),
        1 => prop::collection::vec(Just(false), 500..1_500).prop_map(Happening::Store),
        4 => Just(Happening::Announce),
        2 => (0_usize..6).prop_map(Happening::Evict),
        1 => (1_u64..60).prop_map(Happening::Retire),
        1 => (0_u64..400, 1_u64..20).prop_map(|(at, count)| Happening::Damage { at, count }),
        6 => (1_usize..12, 1_u64..50).prop_map(|(steps, slice)| Happening::Read { steps, slice }),
        1 => Just(Happening::Remind),
        1 => Just(Happening::Reconnect),
        1 => (1_u64..600).prop_map(Happening::Jump),
    ]
}

/// What the ledger and the ring hold.
struct World {
    matches: Vec<bool>,
    missing: Vec<Option<GapReason>>,
    /// First and last seq of the ring's batches.
    ring: Vec<(u64, u64)>,
    announced: u64,
}

/// What a read of the model's ledger finds.
enum Found {
    Events { to: u64, matching: Vec<u64> },
    Gap(Gap),
    End,
}

impl World {
    fn new() -> Self {
        Self {
            matches: vec![],
            missing: vec![],
            ring: vec![],
            announced: 0,
        }
    }

    fn durable(&self) -> u64 {
        self.matches.len() as u64
    }

    fn first(&self) -> u64 {
        let retired = self
            .missing
            .iter()
            .take_while(|hole| **hole == Some(GapReason::Retention));
        retired.count() as u64 + 1
    }

    fn store(&mut self, batch: &[bool]) {
        self.matches.extend(batch);
        self.missing.extend(batch.iter().map(|_| None));
    }

    fn announce(&mut self) {
        if self.durable() > self.announced {
            self.ring.push((self.announced + 1, self.durable()));
            self.announced = self.durable();
        }
    }

    fn lose(&mut self, from: u64, to: u64, reason: GapReason) {
        for at in from..=to.min(self.durable()) {
            self.missing[at as usize - 1] = Some(reason);
        }
    }

    fn horizon(&self) -> Horizon {
        Horizon {
            ring_first: seq(self.ring.first().map_or(self.announced + 1, |batch| batch.0)),
            end: seq(self.announced + 1),
            closing: false,
        }
    }

    fn matching(&self, from: u64, to: u64) -> Vec<u64> {
        (from..=to).filter(|at| self.matches[*at as usize - 1]).collect()
    }

    fn ring_batch(&self, from: u64) -> (u64, Vec<u64>) {
        let batch = self
            .ring
            .iter()
            .find(|batch| batch.1 >= from)
            .expect("the ring was said to hold it");
        assert!(batch.0 <= from);
        (batch.1, self.matching(from, batch.1))
    }

    fn read(&self, from: u64, slice: u64) -> Found {
        let Some(hole) = self.missing.get(from as usize - 1) else {
            return Found::End;
        };
        if let Some(reason) = *hole {
            let lost = self.missing[from as usize - 1..]
                .iter()
                .take_while(|next| **next == Some(reason));
            let lost = lost.count() as u64;
            return Found::Gap(Gap {
                asked: seq(from),
                first: seq(from + lost),
                lost,
                reason,
            });
        }
        let there = self.missing[from as usize - 1..]
            .iter()
            .take_while(|hole| hole.is_none());
        let to = from + slice.min(there.count() as u64) - 1;
        Found::Events {
            to,
            matching: self.matching(from, to),
        }
    }
}

/// What the reader was told, checked as it comes in.
struct Client {
    subscription: Subscription,
    /// The next seq the client owes itself: everything before is known to be delivered, lost or not matching.
    resume: u64,
    /// Nothing at or before this may be delivered again.
    newest: u64,
    live: Option<bool>,
}

impl Client {
    fn at(from: u64, world: &World) -> Self {
        let end = world.durable() + 1;
        let opening = (from > end).then(|| Gap {
            asked: seq(from),
            first: seq(end),
            lost: from - end,
            reason: GapReason::AheadOfLedger,
        });
        let resume = from.min(end);
        Self {
            subscription: Subscription::new(seq(resume), opening),
            resume,
            newest: resume - 1,
            live: None,
        }
    }

    fn told(&mut self, cursor: Seq, events: &[u64], world: &World) {
        let cursor = cursor.get();
        assert!(
            cursor >= self.resume || events.is_empty(),
            "a frame moves the cursor"
        );
        assert!(events.iter().all(|at| *at > self.newest && *at <= cursor));
        assert_eq!(
            events,
            world.matching(self.resume, cursor),
            "exactly the matching events, in order, once"
        );
        self.newest = cursor;
        self.resume = cursor + 1;
    }

    fn passed(&mut self, to: u64, matching: &[u64], world: &World) {
        if let Some(cursor) = self.subscription.pass(seq(to), matching.len()) {
            self.told(cursor, matching, world);
        } else {
            assert!(matching.is_empty(), "what matches is told at once");
        }
        assert!(self.subscription.untold_seqs() < CURSOR_EVERY_SEQS);
    }

    fn lost(&mut self, gap: &Gap, world: &World) {
        if gap.reason == GapReason::AheadOfLedger {
            return;
        }
        assert_eq!(
            world.matching(self.resume, gap.asked.get() - 1),
            [0_u64; 0],
            "nothing is lost beside a gap"
        );
        assert_eq!(gap.lost, gap.first.get() - gap.asked.get());
        self.resume = gap.first.get();
        self.newest = self.resume - 1;
    }

    /// Takes one step; returns whether there was anything to do.
    fn step(&mut self, world: &World, slice: u64) -> bool {
        match self.subscription.step(world.horizon()) {
            Step::Wait => {
                assert_eq!(self.live, Some(true), "only who was told that it is live waits");
                assert_eq!(world.matching(self.resume, world.announced), [0_u64; 0]);
                return false;
            }
            Step::Ring(from) => {
                let (to, matching) = world.ring_batch(from.get());
                self.passed(to, &matching, world);
            }
            Step::Ledger(from) => self.read(from.get(), world, slice),
            Step::Gap(gap) => self.lost(&gap, world),
            Step::CaughtUp { cursor } => {
                assert_ne!(self.live, Some(true), "told once");
                self.live = Some(true);
                self.moved(cursor, world);
                assert!(
                    self.resume > world.announced,
                    "caught up means everything was sent"
                );
            }
            Step::FellBehind { cursor, lag_events } => {
                assert_eq!(self.live, Some(true), "only who is live falls behind");
                self.live = Some(false);
                self.moved(cursor, world);
                assert_eq!(lag_events, world.announced + 1 - self.resume);
                assert!(lag_events > 0);
            }
            Step::Closing { .. } => panic!("nobody is closing"),
        }
        true
    }

    fn read(&mut self, from: u64, world: &World, slice: u64) {
        assert_ne!(
            self.live,
            Some(true),
            "who reads the ledger was told that it is behind"
        );
        match world.read(from, slice) {
            Found::Events { to, matching } => self.passed(to, &matching, world),
            Found::Gap(gap) => {
                let told = self.subscription.lose(gap).expect("the gap lies ahead");
                self.lost(&told, world);
            }
            Found::End => panic!("the ring was told of what the ledger does not have"),
        }
    }

    fn moved(&mut self, cursor: Option<Seq>, world: &World) {
        let cursor = cursor.map_or(0, Seq::get);
        assert!(cursor + 1 >= self.resume);
        assert_eq!(
            world.matching(self.resume, cursor),
            [0_u64; 0],
            "no match hides behind a cursor"
        );
        self.resume = cursor + 1;
        self.newest = self.newest.max(cursor);
    }
}

fn play(start: u64, happenings: Vec<Happening>) {
    let mut world = World::new();
    let mut client = Client::at(start, &world);
    for happening in happenings {
        match happening {
            Happening::Store(batch) => world.store(&batch),
            Happening::Announce => world.announce(),
            Happening::Evict(count) => drop(world.ring.drain(..count.min(world.ring.len()))),
            Happening::Retire(count) => {
                let first = world.first();
                world.lose(first, first + count - 1, GapReason::Retention);
            }
            Happening::Damage { at, count } => {
                let from = world.first() + at;
                world.lose(from, from + count - 1, GapReason::Damaged);
            }
            Happening::Read { steps, slice } => {
                for _ in 0..steps {
                    if !client.step(&world, slice) {
                        break;
                    }
                }
            }
            Happening::Remind => {
                if let Some(cursor) = client.subscription.remind() {
                    client.told(cursor, &[], &world);
                }
            }
            Happening::Reconnect => client = Client::at(client.resume, &world),
            Happening::Jump(to) => client = Client::at(to, &world),
        }
    }
    world.announce();
    let mut steps = 0;
    while client.step(&world, 7) {
        steps += 1;
        assert!(steps < 20_000, "the reader arrives");
    }
    assert!(client.resume > world.durable() || client.subscription.remind().is_some());
    assert_eq!(client.subscription.cursor().map_or(0, Seq::get), world.durable());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_reader_gets_exactly_the_matching_events_in_order_once(
        start in 1_u64..50,
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        play(start, happenings);
    }
}

fn horizon(ring_first: u64, end: u64) -> Horizon {
    Horizon {
        ring_first: seq(ring_first),
        end: seq(end),
        closing: false,
    }
}

#[test]
fn a_reader_of_an_empty_ledger_is_told_that_it_is_live() {
    let mut reader = Subscription::new(seq(1), None);
    assert_eq!(reader.step(horizon(1, 1)), Step::CaughtUp { cursor: None });
    assert_eq!(reader.step(horizon(1, 1)), Step::Wait);
}

#[test]
fn a_live_reader_that_the_ring_left_is_told_before_it_reads_the_ledger() {
    let mut reader = Subscription::new(seq(1), None);
    reader.step(horizon(1, 1));
    let fell_behind = Step::FellBehind {
        cursor: None,
        lag_events: 40,
    };
    assert_eq!(reader.step(horizon(30, 41)), fell_behind);
    assert_eq!(reader.step(horizon(30, 41)), Step::Ledger(seq(1)));
}

#[test]
fn a_filtered_readers_cursor_moves_after_many_seqs_without_a_match() {
    let mut reader = Subscription::new(seq(1), None);
    assert_eq!(reader.pass(seq(CURSOR_EVERY_SEQS - 1), 0), None);
    assert_eq!(
        reader.pass(seq(CURSOR_EVERY_SEQS), 0),
        Some(seq(CURSOR_EVERY_SEQS))
    );
    assert_eq!(reader.remind(), None, "it knows");
    assert_eq!(reader.pass(seq(CURSOR_EVERY_SEQS + 1), 0), None);
    assert_eq!(reader.remind(), Some(seq(CURSOR_EVERY_SEQS + 1)));
}

#[test]
fn closing_comes_after_what_the_ring_holds_and_at_once_for_who_is_far_behind() {
    let closing = |ring_first, end| Horizon {
        closing: true,
        ..horizon(ring_first, end)
    };
    let mut near = Subscription::new(seq(5), None);
    assert_eq!(near.step(closing(3, 6)), Step::Ring(seq(5)));
    near.pass(seq(5), 1);
    assert!(matches!(near.step(closing(3, 6)), Step::CaughtUp { .. }));
    assert_eq!(near.step(closing(3, 6)), Step::Closing { cursor: Some(seq(5)) });
    let mut far = Subscription::new(seq(1), None);
    assert_eq!(far.step(closing(3, 6)), Step::Closing { cursor: None });
}
