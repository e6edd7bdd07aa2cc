//! The ring from outside: frames, sharing, bounds.

use std::sync::atomic::AtomicUsize;

use kymo_event::{Event, Filter, LineView};
use proptest::prelude::*;

use super::*;
use crate::{
    Encoder,
    feeds::Feeds,
    samples::{self, seq},
};

/// Writes cursor and seqs with `|` between, and counts how often it was asked.
#[derive(Debug, Default)]
struct Seqs {
    frames: AtomicUsize,
}

impl Encoder for Seqs {
    fn name(&self) -> &str {
        "seqs"
    }
    fn frame(&self, _: u32, cursor: Seq, lines: &mut dyn Iterator<Item = LineView<'_>>, out: &mut Vec<u8>) {
        self.frames.fetch_add(1, SeqCst);
        out.extend_from_slice(cursor.to_string().as_bytes());
        for view in lines {
            out.push(b'|');
            out.extend_from_slice(view.seq().to_string().as_bytes());
        }
    }
}

/// A group of events whose types are `even` and `odd` by their seq, each with `padding` bytes of data.
fn group(first: u64, count: u64, padding: usize) -> Lines {
    let data = format!("\"{}\"", "x".repeat(padding));
    let event = |at: u64| {
        let mut event = Event::new(if at.is_multiple_of(2) { "even" } else { "odd" }, "test");
        event.data = Some(data.as_str().into());
        event
    };
    samples::group(first, (first..first + count).map(event))
}

fn two_readers(filter: &str) -> (Arc<Feed>, Arc<Seqs>) {
    two_readers_of(&Feeds::default(), filter)
}

fn two_readers_of(feeds: &Feeds, filter: &str) -> (Arc<Feed>, Arc<Seqs>) {
    let encoder = Arc::new(Seqs::default());
    let filter = Filter::parse(filter).expect("a filter");
    feeds.join(filter.clone(), encoder.clone());
    (feeds.join(filter, encoder.clone()), encoder)
}

fn text(frame: &Frame) -> &str {
    frame
        .bytes
        .as_ref()
        .map_or("", |bytes| std::str::from_utf8(bytes).expect("text"))
}

fn frame(ring: &Ring, feed: &Feed, from: u64) -> Frame {
    ring.frame(feed, seq(from)).expect("the ring holds it")
}

#[test]
fn a_frame_is_built_once_and_shared() {
    let ring = Ring::new(1 << 20, 1 << 16, seq(1));
    ring.push(&group(1, 3, 10));
    let (feed, encoder) = two_readers("");
    let (one, other) = (frame(&ring, &feed, 1), frame(&ring, &feed, 1));
    assert_eq!(text(&one), "3|1|2|3");
    let at = |frame: &Frame| frame.bytes.as_ref().map(|bytes| bytes.as_ptr());
    assert_eq!(at(&one), at(&other), "the very same bytes");
    assert_eq!(encoder.frames.load(SeqCst), 1);
}

#[test]
fn nothing_is_encoded_when_nothing_matches() {
    let ring = Ring::new(1 << 20, 1 << 16, seq(1));
    ring.push(&group(2, 1, 10));
    let (feed, encoder) = two_readers("type:odd");
    let nothing = frame(&ring, &feed, 2);
    assert!(nothing.bytes.is_none() && nothing.events == 0);
    assert_eq!(nothing.to, seq(2));
    assert_eq!(encoder.frames.load(SeqCst), 0);
}

#[test]
fn a_reader_in_the_middle_of_a_chunk_gets_its_rest() {
    let ring = Ring::new(1 << 20, 1 << 16, seq(1));
    ring.push(&group(1, 6, 10));
    let (feed, _) = two_readers("type:even");
    assert_eq!(text(&frame(&ring, &feed, 3)), "6|4|6");
}

#[test]
fn a_large_group_becomes_several_frames_and_a_large_event_one() {
    let ring = Ring::new(1 << 20, 1_000, seq(1));
    ring.push(&group(1, 10, 300));
    let (feed, _) = two_readers("");
    let mut next = 1;
    let mut frames = 0;
    while next <= 10 {
        next = frame(&ring, &feed, next).to.get() + 1;
        frames += 1;
    }
    assert_eq!((next, frames), (11, 5), "two of about 400 bytes in each");
    ring.push(&group(11, 1, 5_000));
    assert_eq!(text(&frame(&ring, &feed, 11)), "11|11");
}

#[test]
fn who_lags_gets_many_small_groups_as_one_shared_frame() {
    let ring = Ring::new(1 << 20, 1 << 16, seq(1));
    for at in 1..=20 {
        ring.push(&group(at, 1, 10));
    }
    let (feed, encoder) = two_readers("");
    assert_eq!(text(&frame(&ring, &feed, 1)), "8|1|2|3|4|5|6|7|8");
    assert_eq!(frame(&ring, &feed, 9).to, seq(16));
    assert_eq!(frame(&ring, &feed, 17).to, seq(17), "a run is not waited for");
    let built = encoder.frames.load(SeqCst);
    frame(&ring, &feed, 1);
    frame(&ring, &feed, 9);
    assert_eq!(encoder.frames.load(SeqCst), built);
}

#[test]
fn every_filter_sees_the_same_lines_however_many_ask() {
    let ring = Ring::new(1 << 20, 1 << 16, seq(1));
    ring.push(&group(1, 9, 10));
    let feeds = Feeds::default();
    for _ in 0..4 {
        let (odd, _) = two_readers_of(&feeds, "type:odd");
        let (even, _) = two_readers_of(&feeds, "type:even");
        assert_eq!(text(&frame(&ring, &odd, 1)), "9|1|3|5|7|9");
        assert_eq!(text(&frame(&ring, &even, 1)), "9|2|4|6|8");
        assert_eq!(text(&frame(&ring, &odd, 4)), "9|5|7|9", "also from the middle");
    }
    let weight = ring.bytes();
    let (other, _) = two_readers_of(&feeds, "type:neither");
    frame(&ring, &other, 1);
    assert_eq!(ring.bytes(), weight, "the lines were looked into before");
}

#[test]
fn frames_give_way_before_lines_do_and_both_stay_within_the_bound() {
    let bound = 64 << 10;
    let ring = Ring::new(bound, 4 << 10, seq(1));
    let feeds = Feeds::default();
    let readers: Vec<_> = (0..40)
        .map(|number| two_readers_of(&feeds, &format!("-type:never{number}")))
        .collect();
    for first in (1..250).step_by(5) {
        ring.push(&group(first, 5, 700));
        for (feed, _) in &readers {
            frame(&ring, feed, first);
            assert!(ring.bytes() <= bound, "{} bytes", ring.bytes());
        }
    }
    let horizon = ring.horizon();
    assert!(
        horizon.end.get() - horizon.ring_first.get() >= 25,
        "half of the ring is for lines"
    );
}

#[test]
fn a_ring_of_no_size_holds_nothing_and_still_tells_the_head() {
    let ring = Ring::new(0, 1 << 16, seq(1));
    ring.push(&group(1, 4, 10));
    let horizon = ring.horizon();
    assert_eq!((horizon.ring_first, horizon.end), (seq(5), seq(5)));
    let (feed, _) = two_readers("");
    assert!(ring.frame(&feed, seq(1)).is_none());
    assert_eq!(ring.bytes(), 0);
}

proptest! {
    #[test]
    fn following_frames_gives_every_event_once_and_in_order(
        groups in prop::collection::vec((1_u64..30, 0_usize..400), 1..40),
        start in 1_u64..20,
        chunk_bytes in 300_usize..5_000,
        lags in prop::collection::vec(0_usize..4, 1..40),
    ) {
        let ring = Ring::new(1 << 22, chunk_bytes, seq(1));
        let (feed, _) = two_readers("type:even");
        let mut end = 1;
        let mut next = start;
        let mut seen = vec![];
        let mut read = |next: &mut u64, end: u64| {
            while *next < end {
                let frame = frame(&ring, &feed, *next);
                let mut parts = text(&frame).split('|');
                if let Some(cursor) = parts.next().filter(|cursor| !cursor.is_empty()) {
                    assert_eq!(cursor, frame.to.to_string());
                }
                seen.extend(parts.map(|part| part.parse::<u64>().expect("a seq")));
                assert!(frame.to.get() >= *next);
                *next = frame.to.get() + 1;
            }
        };
        for (turn, (count, padding)) in groups.iter().enumerate() {
            ring.push(&group(end, *count, *padding));
            end += count;
            if lags[turn % lags.len()] == 0 {
                read(&mut next, end);
            }
        }
        read(&mut next, end);
        let expected: Vec<_> = (start..end).filter(|at| at % 2 == 0).collect();
        prop_assert_eq!(seen, expected);
    }
}
