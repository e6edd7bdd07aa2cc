//! Readers that come, go, switch filter and fall behind at random, over WebSocket and SSE, while writers write and the
//! server is killed: each gets exactly the matching events, in order, once, and every acknowledged event is there.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    thread,
    time::Duration,
};

use super::{
    Crowd,
    arena::{Arena, Tally, seed, setting},
    judge::Truth,
};
use crate::support::{Home, Server};

/// How often the server is killed and started again.
const KILLS: u32 = 3;

#[test]
fn every_reader_gets_exactly_what_matches_through_drops_lags_and_kills() {
    let mut dice = seed("cut-over");
    let seconds = Duration::from_secs(setting("KYMO_STRESS_SECONDS").unwrap_or(20));
    let home = Home::new();
    let mut server = serve(&home);
    let arena = Arc::new(Arena::new(&server, false));
    let crowd = Crowd::start(&arena, &mut dice, 3, 2, 10);
    for _ in 0..KILLS {
        thread::sleep(seconds / (KILLS + 1));
        server.kill();
        server = serve(&home);
        arena.moved(&server);
    }
    thread::sleep(seconds / (KILLS + 1));
    let stretches = crowd.finish(&arena, &server);
    server.stop();

    let mut truth = Truth::default();
    truth.is_still_there(&home);
    truth.check_acknowledged(&arena);
    truth.check_once();
    stretches.iter().for_each(|stretch| truth.check_stretch(stretch));
    home.kymo(&["verify"]).good();

    let delivered: usize = stretches.iter().map(|stretch| stretch.seen.len()).sum();
    eprintln!(
        "{} events, {} acknowledged, {delivered} deliveries in {} stretches; WebSocket {:?}, SSE {:?}",
        truth.len(),
        arena.acknowledged_so_far(),
        stretches.len(),
        arena.websocket,
        arena.sse
    );
    assert!(delivered > 1000, "the stress did little: {delivered} deliveries");
    for tally in [&arena.websocket, &arena.sse] {
        everything_happened(tally);
    }
}

/// A run in which nobody fell behind or came back has shown nothing of it.
fn everything_happened(tally: &Tally) {
    let Tally {
        fell_behind,
        caught_up,
        resumed,
        switched,
        gaps: _,
    } = tally;
    for counter in [fell_behind, caught_up, resumed, switched] {
        assert!(counter.load(SeqCst) > 0, "something never happened: {tally:?}");
    }
}

/// A ring this small makes readers fall behind without having to write gigabytes.
fn serve(home: &Home) -> Server {
    home.serve_set(&["hub.ring_bytes_max=65536", "hub.frame_bytes_max=16384"])
}
