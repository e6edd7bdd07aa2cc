//! Passes a command's output through, byte for byte, and hands a copy to the recorder.
use std::{
    io::{Read, Write},
    process::{ChildStderr, ChildStdout},
    sync::Arc,
    thread::JoinHandle,
};

use super::record::{Recorder, Stream};
use crate::tap::Tap;

/// What one stream carried.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carried {
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

/// Two streams on their way.
pub(super) struct Passing {
    stdout: Option<JoinHandle<Carried>>,
    stderr: Option<JoinHandle<Carried>>,
}

impl Passing {
    /// Starts one thread for each stream.
    pub(super) fn start(
        stdout: Option<ChildStdout>,
        stderr: Option<ChildStderr>,
        recorder: &Arc<Recorder>,
    ) -> Self {
        let (for_stdout, for_stderr) = (Arc::clone(recorder), Arc::clone(recorder));
        Self {
            stdout: stdout.map(|from| {
                std::thread::spawn(move || pass(from, std::io::stdout(), Stream::Stdout, &for_stdout))
            }),
            stderr: stderr.map(|from| {
                std::thread::spawn(move || pass(from, std::io::stderr(), Stream::Stderr, &for_stderr))
            }),
        }
    }

    /// Waits for the end of both: as in a pipeline, that is when the last process that holds them has ended.
    pub(super) fn finish(self) -> (Carried, Carried) {
        let ended = |thread: Option<JoinHandle<Carried>>| {
            thread.map_or(Carried::default(), |thread| thread.join().unwrap_or_default())
        };
        (ended(self.stdout), ended(self.stderr))
    }
}

/// Returns at the end of the stream, or when nobody reads on: closing our end tells the command so, as its own
/// broken pipe would have.
fn pass(mut from: impl Read, mut to: impl Write, stream: Stream, recorder: &Recorder) -> Carried {
    let mut tap = Tap::new(recorder.line_bytes_max());
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let passed = to.write_all(&buffer[..count]).and_then(|()| to.flush());
        tap.feed(&buffer[..count], &mut |line| recorder.output(stream, line));
        if passed.is_err() {
            break;
        }
    }
    tap.finish(&mut |line| recorder.output(stream, line));
    Carried {
        lines: tap.lines,
        bytes: tap.bytes,
    }
}
