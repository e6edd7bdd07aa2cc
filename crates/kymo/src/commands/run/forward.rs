//! Hands signals on to the command.
//!
//! What the terminal sends (Ctrl-C) already reaches the command, since it is in the same foreground group; sending it
//! again would count as a second Ctrl-C. What another process sends to us alone is handed on. Once the command has
//! ended, a signal means us: something it left behind may hold its output open for ever.

#[cfg(unix)]
mod unix {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    };

    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2},
        iterator::{SignalsInfo, exfiltrator::WithOrigin},
        low_level::siginfo::{Cause, Origin},
    };

    use super::super::Happening;
    use crate::signals::is_ignored;

    /// Signals that no longer end this process.
    pub(in super::super) struct Signals(SignalsInfo<WithOrigin>);

    /// Hands signals on, from a thread that lives as long as the program.
    pub(in super::super) struct Forwarding {
        ended: Arc<AtomicBool>,
    }

    impl Signals {
        /// `None` where the system does not allow it: the command then runs without. Signals that are ignored stay so,
        /// for us and for the command.
        pub(in super::super) fn take_over() -> Option<Self> {
            let all = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];
            SignalsInfo::new(all.into_iter().filter(|signal| !is_ignored(*signal)))
                .ok()
                .map(Self)
        }

        pub(in super::super) fn forward_to(mut self, pid: u32, tell: Sender<Happening>) -> Forwarding {
            let ended = Arc::new(AtomicBool::new(false));
            let forwarding = Forwarding {
                ended: Arc::clone(&ended),
            };
            std::thread::spawn(move || {
                for origin in self.0.forever() {
                    if ended.load(Ordering::SeqCst) {
                        let _ = tell.send(Happening::Signal(origin.signal));
                    } else {
                        forward(&origin, pid);
                    }
                }
            });
            forwarding
        }
    }

    impl Forwarding {
        /// The command has ended: what comes now means us.
        pub(in super::super) fn command_ended(&self) {
            self.ended.store(true, Ordering::SeqCst);
        }
    }

    fn forward(origin: &Origin, pid: u32) {
        if origin.cause == Cause::Kernel {
            return;
        }
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(origin.signal)) {
            // It may have ended a moment ago; then there is nobody to tell.
            let _ = kill_process(pid, signal);
        }
    }
}

#[cfg(unix)]
pub(super) use unix::Signals;

/// Where there are no signals, the console tells every process of the group.
#[cfg(not(unix))]
pub(super) struct Signals;

/// Nothing to hand on.
#[cfg(not(unix))]
pub(super) struct Forwarding;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn take_over() -> Option<Self> {
        None
    }

    pub(super) fn forward_to(self, _: u32, _: std::sync::mpsc::Sender<super::Happening>) -> Forwarding {
        Forwarding
    }
}

#[cfg(not(unix))]
impl Forwarding {
    pub(super) fn command_ended(&self) {}
}
