//! Hands signals on to the command.
//!
//! What the terminal sends (Ctrl-C) already reaches the command, since it is in the same foreground group; sending it
//! again would count as a second Ctrl-C. What another process sends to us alone is handed on.

#[cfg(unix)]
mod unix {
    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2},
        iterator::{Handle, SignalsInfo, exfiltrator::WithOrigin},
        low_level::siginfo::{Cause, Origin},
    };

    /// Signals that no longer end this process.
    pub(in super::super) struct Signals(SignalsInfo<WithOrigin>);

    /// Hands signals on until dropped.
    pub(in super::super) struct Forwarding {
        handle: Handle,
        thread: Option<std::thread::JoinHandle<()>>,
    }

    impl Signals {
        /// `None` where the system does not allow it: the command then runs without.
        pub(in super::super) fn take_over() -> Option<Self> {
            SignalsInfo::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2])
                .ok()
                .map(Self)
        }

        pub(in super::super) fn forward_to(mut self, pid: u32) -> Forwarding {
            let handle = self.0.handle();
            let thread = std::thread::spawn(move || {
                for origin in self.0.forever() {
                    forward(&origin, pid);
                }
            });
            Forwarding {
                handle,
                thread: Some(thread),
            }
        }
    }

    impl Drop for Forwarding {
        fn drop(&mut self) {
            self.handle.close();
            if let Some(thread) = self.thread.take() {
                let _ = thread.join();
            }
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

#[cfg(not(unix))]
impl Signals {
    pub(super) fn take_over() -> Option<Self> {
        None
    }

    pub(super) fn forward_to(self, _pid: u32) {}
}
