//! The server under measurement: a real program with a folder of its own, ended by its own handle, come what may.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::Outcome;

/// Longest wait for a server to accept.
const START_MAX: Duration = Duration::from_secs(30);

/// Longest wait for a server that was asked to quit.
const QUIT_MAX: Duration = Duration::from_secs(5);

/// Everything that runs, so that being asked to stop leaves nothing behind.
static RUNNING: Mutex<Vec<Weak<Mutex<Inner>>>> = Mutex::new(Vec::new());

/// A running server and its folder. Dropped, both are gone.
pub(crate) struct Process {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    command: Command,
    child: Child,
    ending: Ending,
    folder: Option<TempDir>,
}

/// How a server is ended at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// Killed.
    Kill,
    /// SIGQUIT, and killed only if that does nothing: for a program with children that must end with it.
    Quit,
}

impl Process {
    /// Starts `command`, whose files are all in `folder`.
    pub(crate) fn start(mut command: Command, folder: TempDir, ending: Ending) -> Outcome<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Ctrl-C in a terminal goes to the whole group: we alone decide when a server ends.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut running = lock(&RUNNING);
        let child = command
            .spawn()
            .map_err(|cause| format!("{} does not start: {cause}", command.get_program().display()))?;
        let inner = Arc::new(Mutex::new(Inner {
            command,
            child,
            ending,
            folder: Some(folder),
        }));
        running.retain(|other| other.strong_count() > 0);
        running.push(Arc::downgrade(&inner));
        Ok(Self { inner })
    }

    /// Tries until it accepts, as `ready` finds out.
    pub(crate) fn until<T>(&self, mut ready: impl FnMut() -> Outcome<T>) -> Outcome<T> {
        let deadline = Instant::now() + START_MAX;
        loop {
            let cause = match ready() {
                Ok(found) => return Ok(found),
                Err(cause) => cause,
            };
            if Instant::now() >= deadline {
                return Err(format!("it did not accept within {} s: {cause}", START_MAX.as_secs()).into());
            }
            if let Some(status) = lock(&self.inner).child.try_wait()? {
                return Err(format!("the server ended with {status}").into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it at once and starts it again as before; the moment before it was started.
    pub(crate) fn restart(&self) -> Outcome<Instant> {
        let mut inner = lock(&self.inner);
        inner.kill();
        let begun = Instant::now();
        inner.child = inner.command.spawn()?;
        Ok(begun)
    }

    /// Seconds of processor time so far, user and system, of it and the processes it started.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        family(self.id()).iter().map(|id| cpu_ticks(*id)).sum::<f64>() / 100.0
    }

    /// Peak resident memory so far, in MB.
    pub(crate) fn peak_memory_mb(&self) -> f64 {
        status_kb(self.id(), "VmHWM:") / 1024.0
    }

    /// Resident memory now, in MB.
    pub(crate) fn memory_mb(&self) -> f64 {
        status_kb(self.id(), "VmRSS:") / 1024.0
    }

    /// Bytes it had a disk read for it so far.
    pub(crate) fn disk_read_bytes(&self) -> f64 {
        let io = fs::read_to_string(format!("/proc/{}/io", self.id())).unwrap_or_default();
        number_behind(&io, "read_bytes:")
    }

    fn id(&self) -> u32 {
        lock(&self.inner).child.id()
    }
}

impl Inner {
    fn end(&mut self) {
        self.kill();
        self.folder = None;
    }

    fn kill(&mut self) {
        if self.ending == Ending::Quit {
            ask_to_quit(&self.child);
            let deadline = Instant::now() + QUIT_MAX;
            while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(unix)]
fn ask_to_quit(child: &Child) {
    let id = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(id) = id {
        let _ = rustix::process::kill_process(id, rustix::process::Signal::QUIT);
    }
}

#[cfg(not(unix))]
fn ask_to_quit(_: &Child) {}

/// We and what we start may have as many connections as the system allows us.
#[cfg(unix)]
pub(crate) fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where that is refused, works with many connections say so.
    let _ = setrlimit(Resource::Nofile, limit);
}

#[cfg(not(unix))]
pub(crate) fn allow_many_files() {}

/// From now on a signal that asks us to end also ends what we started, and removes its files.
#[cfg(unix)]
pub(crate) fn stop_all_when_asked() -> Outcome {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            // Held to the end: nothing new starts meanwhile.
            let running = lock(&RUNNING);
            for inner in running.iter().filter_map(Weak::upgrade) {
                lock(&inner).end();
            }
            remove_folders();
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn stop_all_when_asked() -> Outcome {
    Ok(())
}

/// The folder that holds all others, so that one removal leaves nothing.
static WORKSHOP: Mutex<Option<TempDir>> = Mutex::new(None);

/// A new temporary folder.
pub(crate) fn folder() -> Outcome<TempDir> {
    let mut workshop = lock(&WORKSHOP);
    if workshop.is_none() {
        *workshop = Some(tempfile::Builder::new().prefix("kymo-bench-").tempdir()?);
    }
    let workshop = workshop.as_ref().expect("made above");
    open_to_all(workshop.path())?;
    Ok(tempfile::tempdir_in(workshop)?)
}

/// Removes every folder there is.
pub(crate) fn remove_folders() {
    *lock(&WORKSHOP) = None;
}

/// A server that runs as another user must be able to pass through.
#[cfg(unix)]
fn open_to_all(folder: &Path) -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(folder, fs::Permissions::from_mode(0o711))?)
}

#[cfg(not(unix))]
fn open_to_all(_: &Path) -> Outcome {
    Ok(())
}

/// The bytes of all files below a folder whose name passes.
pub(crate) fn bytes_below(folder: &Path, counts: &dyn Fn(&str) -> bool) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path(), counts),
        Ok(found) if counts(&entry.file_name().to_string_lossy()) => found.len(),
        _ => 0,
    });
    bytes.sum()
}

/// A process and those it started.
fn family(id: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    std::iter::once(id).chain(children).collect()
}

fn cpu_ticks(id: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; what follows it does not.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum()
}

fn status_kb(id: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    number_behind(&status, field)
}

/// The number behind a name at the beginning of a line.
fn number_behind(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(f64::NAN)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a program is: on the search path, or in one of these folders.
pub(crate) fn find(program: &str, folders: &[&str]) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
    let folders = folders.iter().chain(&usual).map(std::path::PathBuf::from);
    std::env::split_paths(&path)
        .chain(folders)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}
