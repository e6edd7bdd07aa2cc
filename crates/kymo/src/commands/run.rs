//! `kymo run -- CMD …`: runs a command as if alone, and records what it does.
//!
//! The command's output passes through byte for byte, its streams kept apart; its exit code is ours; signals reach it.
//! Recording happens beside it and never slows it: what cannot be handed over waits in memory, then on disk, and what
//! does not even fit there is counted and said.
use std::process::{Child, Command, Stdio};
use std::{
    ffi::OsString,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use crate::{
    exit::Exit,
    failure::Failure,
    find::Where,
    labels::Labels,
    native,
    printer::note,
    settings::{Loaded, RunSettings, SettingsArgs},
};

mod forward;
mod pass;
mod queue;
mod record;

use pass::Passing;
use record::{Outcome, Recorder};

const EXAMPLES: &str = "\
Examples:
  kymo run -- npm test
  kymo run --agent planner --task demo-001 -- claude -p 'fix the tests'
  kymo run -- sh -c 'make 2>&1 | tee build.log'

The command's output is a pipe to it; one that draws on the terminal wants --no-output, which
leaves it the terminal. It sees KYMO_SESSION, KYMO_SPAN and where the hub is, so that `kymo emit`
inside it belongs to it. Without a server everything waits on disk and arrives later.

Exit code: the command's own; 128 + n after signal n;
127 if it is not found, 126 if it cannot be executed.";

/// Arguments of `run`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    labels: Labels,
    /// Record start and end only, not the output
    #[arg(long)]
    no_output: bool,
    #[command(flatten)]
    place: Where,
    /// The command and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    command: Vec<OsString>,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let mut labels = self.labels.clone();
        labels.session.get_or_insert_with(native::new_id);
        let span = native::new_id();
        let recorder = Arc::new(Recorder::start(
            &self.place,
            &labels,
            &span,
            &self.command,
            self.settings(),
        )?);
        // Signals are taken over before the command exists, so that none falls in between.
        let signals = forward::Signals::take_over();
        let began = Instant::now();
        let mut child = match self.spawn(&labels, &span, &recorder) {
            Ok(child) => child,
            Err(cause) => {
                let exit = Exit::not_started(&cause);
                recorder.not_started(&cause);
                finish(recorder);
                crate::printer::complain(&Failure::failed(format!(
                    "{} could not be started: {cause}",
                    self.command[0].to_string_lossy()
                )));
                return Ok(exit);
            }
        };
        recorder.started(child.id());
        let (tell, happenings) = channel();
        let forwarding = signals.map(|signals| signals.forward_to(child.id(), tell.clone()));
        let passing = Passing::start(&mut child, &recorder, &tell);
        let status = child
            .wait()
            .map_err(|cause| Failure::failed(format!("the command cannot be waited for: {cause}")))?;
        let took = began.elapsed();
        if let Some(forwarding) = forwarding {
            forwarding.command_ended();
        }
        let signal = wait_for_streams(&happenings, passing.streams);
        recorder.exited(&Outcome {
            status,
            took,
            stdout: &passing.stdout,
            stderr: &passing.stderr,
        });
        finish(recorder);
        Ok(signal.map_or_else(|| Exit::of_child(status), Exit::by_signal))
    }

    /// A wrong settings file must not keep a command from running.
    fn settings(&self) -> RunSettings {
        let data = crate::find::data_folder(self.place.data.as_deref()).unwrap_or_default();
        match Loaded::load(&SettingsArgs::default(), &data, &[]) {
            Ok(loaded) => loaded.settings.run,
            Err(failure) => {
                note(format!("{failure}; going on with the defaults"));
                RunSettings::default()
            }
        }
    }

    fn spawn(&self, labels: &Labels, span: &str, recorder: &Recorder) -> std::io::Result<Child> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        command.env("KYMO_SPAN", span).envs(recorder.environment());
        for (name, value) in [
            ("KYMO_SESSION", &labels.session),
            ("KYMO_AGENT", &labels.agent),
            ("KYMO_TASK", &labels.task),
            ("KYMO_TRACE", &labels.trace),
        ] {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if !self.no_output {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        command.spawn()
    }
}

/// What the main thread waits for once the command has ended.
enum Happening {
    StreamEnded,
    Signal(i32),
}

/// After a signal, how long streams may still take to end: one sent to the whole group ended the command a moment
/// before it reached us, and the command's last words are on their way.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// Waits for the end of the streams; a signal ends the waiting and is returned, unless they end soon after it.
fn wait_for_streams(happenings: &Receiver<Happening>, mut streams: usize) -> Option<i32> {
    let mut told: Option<(i32, Instant)> = None;
    while streams > 0 {
        let happening = match told {
            None => happenings.recv().ok(),
            Some((_, until)) => happenings
                .recv_timeout(until.saturating_duration_since(Instant::now()))
                .ok(),
        };
        match happening {
            Some(Happening::StreamEnded) => streams -= 1,
            Some(Happening::Signal(signal)) => {
                told.get_or_insert((signal, Instant::now() + LAST_WORDS));
            }
            None => return told.map(|(signal, _)| signal),
        }
    }
    None
}

/// Waits until everything recorded is with the server or on disk.
fn finish(recorder: Arc<Recorder>) {
    match Arc::try_unwrap(recorder) {
        Ok(recorder) => recorder.finish(),
        // A stream that something left behind still holds: what it says from here on is not recorded.
        Err(recorder) => recorder.settle(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_that_end_soon_after_a_signal_are_taken_to_their_end() {
        let (tell, happenings) = channel();
        tell.send(Happening::Signal(15)).expect("kept");
        tell.send(Happening::StreamEnded).expect("kept");
        tell.send(Happening::StreamEnded).expect("kept");
        assert_eq!(wait_for_streams(&happenings, 2), None);
    }

    #[test]
    fn a_stream_that_something_left_behind_holds_is_not_waited_for_after_a_signal() {
        let (tell, happenings) = channel();
        tell.send(Happening::StreamEnded).expect("kept");
        for signal in [15, 2] {
            tell.send(Happening::Signal(signal)).expect("kept");
        }
        assert_eq!(wait_for_streams(&happenings, 2), Some(15));
        drop(tell);
    }
}
