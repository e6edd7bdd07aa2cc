//! kill -9 of the real process under load, again and again, also while it starts: every acknowledged event is there,
//! no reader ever saw one that is not, and what `kymo emit` said it would keep arrives once.

use std::{
    fs,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use super::{
    Crowd,
    arena::{Arena, Dice, seed, setting},
    emitters::{Emitted, emit_again_and_again},
    judge::Truth,
};
use crate::support::{Home, Server, wait_for};

/// How often, unless asked otherwise.
const KILLS: u64 = 50;

/// Segments roll, are compressed, and readers fall behind within a fraction of a second.
const SMALL: &[&str] = &[
    "ledger.segment_bytes_max=65536",
    "ledger.compress_after_s=0",
    "hub.ring_bytes_max=131072",
    "spool.take_up_s=1",
];
/// Besides, old segments go. Nothing may depend on what is gone: of this only the last kills come.
const RETAINED_BYTES: &str = "ledger.retain_bytes=4000000";

#[test]
fn through_fifty_kills_nothing_acknowledged_is_lost_nothing_seen_is_gone_and_what_was_spooled_arrives_once() {
    let mut dice = seed("kills");
    let kills = setting("KYMO_STRESS_KILLS").unwrap_or(KILLS);
    let home = Arc::new(Home::new());
    let server = home.serve_set(SMALL);
    let arena = Arc::new(Arena::new(&server, true));
    let crowd = Crowd::start(&arena, &mut dice, 2, 2, 6);
    let emitting = Arc::new(AtomicBool::new(true));
    let emitters: Vec<_> = [1_000_000, 2_000_000]
        .map(|first| {
            let (home, emitting, dice) = (Arc::clone(&home), Arc::clone(&emitting), dice.split());
            thread::spawn(move || emit_again_and_again(&home, &emitting, first, dice))
        })
        .into();
    let mut killing = Killing {
        home: &home,
        arena: &arena,
        dice,
        truth: Truth::default(),
    };

    killing.kill(server);
    killing.rounds(kills - kills / 5, SMALL);
    emitting.store(false, SeqCst);
    let emitted: Vec<Emitted> = emitters
        .into_iter()
        .flat_map(|emitter| emitter.join().expect("an emitter"))
        .collect();
    let server = killing.start(SMALL);
    wait_for("the spools to be taken up", || is_empty(&home).then_some(()));
    killing.kill(server);
    assert!(is_compressed(&home), "no segment was compressed");
    killing.truth.check_once();
    emitted.iter().for_each(|emitted| emitted.check(&killing.truth));

    let retained = [SMALL, &[RETAINED_BYTES]].concat();
    killing.rounds((kills / 5).saturating_sub(2), &retained);
    let server = killing.start(&retained);
    let stretches = crowd.finish(&arena, &server);
    // None of those before lived long enough for what agents do to be kept, which comes first.
    wait_for("old segments to go", || {
        (server.get("/api/v1/metrics")["first"].as_u64()? > 1).then_some(())
    });
    server.stop();

    let mut truth = killing.truth;
    let first = truth.is_still_there(&home);
    assert!(first > 1, "nothing was retired");
    truth.check_acknowledged(&arena);
    truth.check_once();
    stretches.iter().for_each(|stretch| truth.check_stretch(stretch));
    home.kymo(&["verify"]).good();

    let promised = emitted.iter().filter(|emitted| emitted.is_promise()).count();
    let delivered: usize = stretches.iter().map(|stretch| stretch.seen.len()).sum();
    eprintln!(
        "{} events (retired up to {first}), {} acknowledged, {delivered} deliveries, {promised} of {} emits promised; WebSocket {:?}, SSE {:?}",
        truth.len(),
        arena.acknowledged_so_far(),
        emitted.len(),
        arena.websocket,
        arena.sse
    );
    assert!(
        promised > 20 && emitted.len() > promised && delivered > 1000,
        "the load was none"
    );
}

struct Killing<'a> {
    home: &'a Home,
    arena: &'a Arena,
    dice: Dice,
    truth: Truth,
}

impl Killing<'_> {
    fn rounds(&mut self, kills: u64, settings: &[&str]) {
        for _ in 0..kills {
            if self.dice.roll(4) == 0 {
                self.kill_while_starting(settings);
            } else {
                let server = self.start(settings);
                let wanted =
                    self.arena.acknowledged_so_far() + usize::try_from(self.dice.roll(1000)).expect("small");
                wait_for("acknowledged events", || {
                    (self.arena.acknowledged_so_far() >= wanted).then_some(())
                });
                self.kill(server);
            }
        }
    }

    fn start(&self, settings: &[&str]) -> Server {
        let server = self.home.serve_set(settings);
        self.arena.moved(&server);
        server
    }

    fn kill(&mut self, server: Server) {
        thread::sleep(Duration::from_micros(self.dice.roll(20_000)));
        server.kill();
        self.truth.learn(self.home);
    }

    fn kill_while_starting(&mut self, settings: &[&str]) {
        let mut command = self.home.serve_command();
        command.args(settings.iter().flat_map(|setting| ["--set", setting]));
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut starting = quiet.spawn().expect("the program starts");
        thread::sleep(Duration::from_micros(self.dice.roll(60_000)));
        starting.kill().expect("it was not waited for");
        starting.wait().expect("it ends");
        self.truth.learn(self.home);
    }
}

fn is_empty(home: &Home) -> bool {
    fs::read_dir(home.data().join("spool")).is_ok_and(|mut entries| entries.next().is_none())
}

fn is_compressed(home: &Home) -> bool {
    let mut files = fs::read_dir(home.data().join("ledger"))
        .expect("listed")
        .flatten();
    files.any(|file| file.file_name().to_string_lossy().ends_with(".jsonl.zst"))
}
