//! Passes a command's output through, byte for byte, and hands a copy to the recorder.
use std::{
    io::{Read, Write},
    process::Child,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Sender,
    },
};

use super::{
    Happening,
    record::{Recorder, Stream},
};
use crate::tap::Tap;

/// What one stream carried so far.
#[derive(Debug, Default)]
pub(super) struct Carried {
    pub(super) lines: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// Two streams on their way. Each tells when it has ended: as in a pipeline, that is when the last process that holds
/// it has.
pub(super) struct Passing {
    pub(super) stdout: Arc<Carried>,
    pub(super) stderr: Arc<Carried>,
    /// How many ends there are to wait for.
    pub(super) streams: usize,
}

impl Passing {
    /// Starts one thread for each stream that is a pipe.
    pub(super) fn start(child: &mut Child, recorder: &Arc<Recorder>, tell: &Sender<Happening>) -> Self {
        let passing = Self {
            stdout: Arc::default(),
            stderr: Arc::default(),
            streams: 0,
        };
        let stdout = child.stdout.take().map(|from| {
            let way = Way::new(Stream::Stdout, &passing.stdout, recorder, tell);
            std::thread::spawn(move || way.pass(from, std::io::stdout()))
        });
        let stderr = child.stderr.take().map(|from| {
            let way = Way::new(Stream::Stderr, &passing.stderr, recorder, tell);
            std::thread::spawn(move || way.pass(from, std::io::stderr()))
        });
        Self {
            streams: [stdout.is_some(), stderr.is_some()]
                .iter()
                .filter(|there| **there)
                .count(),
            ..passing
        }
    }
}

/// One stream.
struct Way {
    stream: Stream,
    carried: Arc<Carried>,
    recorder: Arc<Recorder>,
    tell: Sender<Happening>,
}

impl Way {
    fn new(
        stream: Stream,
        carried: &Arc<Carried>,
        recorder: &Arc<Recorder>,
        tell: &Sender<Happening>,
    ) -> Self {
        Self {
            stream,
            carried: Arc::clone(carried),
            recorder: Arc::clone(recorder),
            tell: tell.clone(),
        }
    }

    /// Ends with the stream, or when nobody reads on: closing our end tells the command so, as its own broken pipe
    /// would have.
    fn pass(self, mut from: impl Read, mut to: impl Write) {
        let mut tap = Tap::new(self.recorder.line_bytes_max());
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let passed = to.write_all(&buffer[..count]).and_then(|()| to.flush());
            tap.feed(&buffer[..count], &mut |line| {
                self.recorder.output(self.stream, &line)
            });
            self.count(&tap);
            if passed.is_err() {
                break;
            }
        }
        drop(from);
        tap.finish(&mut |line| self.recorder.output(self.stream, &line));
        self.count(&tap);
        let tell = self.tell.clone();
        // The recorder goes first: who is told may want to be its only owner.
        drop(self);
        let _ = tell.send(Happening::StreamEnded);
    }

    fn count(&self, tap: &Tap) {
        self.carried.lines.store(tap.lines, Ordering::Relaxed);
        self.carried.bytes.store(tap.bytes, Ordering::Relaxed);
    }
}
