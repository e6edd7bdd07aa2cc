//! `kymo emit`, again and again: with a server or without, one event or many, and some killed in the middle.

use std::{
    io::Write,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use super::{arena::Dice, judge::Truth};
use crate::support::Home;

pub(super) const SOURCE: &str = "emit";
/// Lines of one stream.
const LINES: u64 = 30;

/// What one process was to emit.
pub(super) struct Emitted {
    writer: u64,
    /// How many events: `n` from 0.
    count: u64,
    /// It ended well, and so has promised that they arrive.
    promised: bool,
}

impl Emitted {
    /// What was promised arrives once; what was not, once at most; both in order.
    pub(super) fn check(&self, truth: &Truth) {
        let places = truth.seqs_of(SOURCE, self.writer);
        if self.promised {
            assert_eq!(
                places.len() as u64,
                self.count,
                "emit {} was promised",
                self.writer
            );
        }
        let in_order = places
            .values()
            .zip(places.values().skip(1))
            .all(|(one, next)| one < next);
        assert!(in_order, "emit {}: {places:?}", self.writer);
    }

    pub(super) fn is_promise(&self) -> bool {
        self.promised
    }
}

/// Runs one `kymo emit` after the other while told to. `first` tells these apart from those of others.
pub(super) fn emit_again_and_again(
    home: &Home,
    goes_on: &AtomicBool,
    first: u64,
    mut dice: Dice,
) -> Vec<Emitted> {
    let mut all = Vec::new();
    for writer in first.. {
        if !goes_on.load(SeqCst) {
            break;
        }
        let emitted = match dice.roll(3) {
            0 => stream(home, writer, &mut dice),
            _ => single(home, writer, &mut dice),
        };
        all.push(emitted);
    }
    all
}

fn single(home: &Home, writer: u64, dice: &mut Dice) -> Emitted {
    let data = format!("{{\"w\":{writer},\"n\":0}}");
    let child = started(home.command(&["emit", "load", "--source", SOURCE, "--data", &data]));
    Emitted {
        writer,
        count: 1,
        promised: ended_well(child, dice),
    }
}

/// Lines that come a few at a time, so that some of them are under way at any moment.
fn stream(home: &Home, writer: u64, dice: &mut Dice) -> Emitted {
    let mut child = started(home.command(&["emit", "-", "--source", SOURCE]));
    let mut stdin = child.stdin.take().expect("piped");
    let pause = Duration::from_millis(dice.roll(8));
    let feeding = thread::spawn(move || {
        for n in 0..LINES {
            if n % 5 == 0 {
                thread::sleep(pause);
            }
            let line = format!("{{\"type\":\"load\",\"data\":{{\"w\":{writer},\"n\":{n}}}}}\n");
            if stdin.write_all(line.as_bytes()).is_err() {
                return;
            }
        }
    });
    let promised = ended_well(child, dice);
    feeding.join().expect("a pipe breaks without harm");
    Emitted {
        writer,
        count: LINES,
        promised,
    }
}

fn started(mut command: Command) -> Child {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    piped.stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// Waits for its end, or kills it on the way.
fn ended_well(mut child: Child, dice: &mut Dice) -> bool {
    if dice.roll(4) == 0 {
        thread::sleep(Duration::from_micros(dice.roll(40_000)));
        child.kill().expect("it was not waited for");
        return child.wait_with_output().expect("it ends").status.success();
    }
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    true
}
