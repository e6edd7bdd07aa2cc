//! PostgreSQL with its durable defaults (`synchronous_commit=on`) and room enough that no checkpoint falls into a
//! measurement. Batches are COPY, single events a prepared INSERT, the past is COPY in the order of the key.
//!
//! Readers LISTEN, and what is notified is the events themselves (as many as a notification holds), by the statement
//! that stores them: they come when it is committed. Asking the table after each bare notification would cost every
//! reader a query.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
};

use tempfile::TempDir;

use super::{
    Contestant, Door, Past, Started,
    pg::{self, Messages},
};
use crate::{
    Outcome,
    args::Args,
    events::Event,
    load::{Call, Link},
    ports,
    process::{self, Ending, Process},
};

/// Where Debian and others keep the programs, newest first.
const FOLDERS: &[&str] = &[
    "/usr/lib/postgresql/18/bin",
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/pgsql/bin",
];

/// The user under whom it runs when we are root, which it refuses.
const USER: &str = "postgres";

const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=600",
    "shared_buffers=512MB",
    "max_wal_size=16GB",
    "checkpoint_timeout=1h",
    "autovacuum=off",
    "logging_collector=off",
];

const SCHEMA: &str =
    "CREATE TABLE bench (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event text NOT NULL)";

struct Postgres {
    process: Process,
    files: PathBuf,
    empty_bytes: u64,
    address: String,
    has_readers: Cell<bool>,
}

pub(super) fn start(_: &Args) -> Outcome<Started> {
    let Some(program) = process::find("postgres", FOLDERS) else {
        return Ok(Started::Missing("apt install postgresql".into()));
    };
    let (data, port) = (folder_for_it()?, ports::free()?);
    let files = data.path().join("data");
    copy_of_empty(&program, &files)?;
    let mut command = as_user(&program);
    command.arg("-D").arg(&files).args(["-p", &port.to_string()]);
    SETTINGS.iter().for_each(|setting| {
        command.args(["-c", setting]);
    });
    let process = Process::start(command, data, Ending::Quit)?;
    let address = format!("127.0.0.1:{port}");
    // While it starts it accepts connections and refuses them politely.
    let mut opening = process.until(|| pg::open(&address))?;
    pg::ask(&mut opening, SCHEMA)?;
    Ok(Started::Running(Box::new(Postgres {
        empty_bytes: process::bytes_below(&files, &|_| true),
        process,
        files,
        address,
        has_readers: Cell::new(false),
    })))
}

impl Contestant for Postgres {
    fn process(&self) -> &Process {
        &self.process
    }

    fn stored_bytes(&self) -> u64 {
        process::bytes_below(&self.files, &|_| true) - self.empty_bytes
    }

    fn batch_writer(&self, _: u64) -> Outcome<Link> {
        let mut opening = pg::open(&self.address)?;
        if self.has_readers.get() {
            pg::prepare(&mut opening, STORE_AND_TELL_ALL)?;
        }
        opening.link(Messages::default())
    }

    fn batch(&self, _: u64, events: &[Event]) -> Call {
        let bytes = if self.has_readers.get() {
            pg::execute(&pg::array(events.iter().map(|event| event.json.as_str())), true)
        } else {
            pg::copy_in(
                "COPY bench (event) FROM STDIN",
                events.iter().map(|event| event.json.as_str()),
            )
        };
        Call {
            bytes: bytes.into(),
            answers: 1,
        }
    }

    fn writer(&self, _: Door, _: u64) -> Outcome<Link> {
        let mut opening = pg::open(&self.address)?;
        let statement = if self.has_readers.get() {
            STORE_AND_TELL
        } else {
            "INSERT INTO bench (event) VALUES ($1)"
        };
        pg::prepare(&mut opening, statement)?;
        opening.link(Messages::default())
    }

    fn single(&self, _: Door, _: u64, event: &Event) -> Call {
        Call {
            bytes: pg::execute(event.json.as_bytes(), false).into(),
            answers: 1,
        }
    }

    fn reader(&self) -> Outcome<Link> {
        self.has_readers.set(true);
        let mut opening = pg::open(&self.address)?;
        pg::ask(&mut opening, "LISTEN bench")?;
        opening.link(Messages::default())
    }

    fn past(&self, which: Past) -> Outcome<(Link, Vec<u8>)> {
        if which != Past::All {
            return Err("nothing but the key is indexed".into());
        }
        let mut opening = pg::open(&self.address)?;
        // So that the planner knows that the table lies in the order of its key.
        pg::ask(&mut opening, "VACUUM ANALYZE bench")?;
        let ask = pg::query("COPY (SELECT seq, event FROM bench ORDER BY seq) TO STDOUT");
        Ok((opening.link(Messages::default())?, ask))
    }
}

/// One event, and whoever listens.
const STORE_AND_TELL: &str = "WITH stored AS (INSERT INTO bench (event) VALUES ($1) RETURNING seq, event) \
    SELECT pg_notify('bench', seq || ' ' || event) FROM stored";

/// Many events, and whoever listens: twenty to a notification, which holds less than 8,000 bytes.
const STORE_AND_TELL_ALL: &str = "WITH stored AS (INSERT INTO bench (event) SELECT unnest($1::text[]) RETURNING seq, event), \
    parts AS (SELECT min(seq) AS first, string_agg(seq || ' ' || event, E'\\n' ORDER BY seq) AS part \
    FROM stored GROUP BY seq / 20 ORDER BY first) \
    SELECT count(pg_notify('bench', part)) FROM parts";

/// A folder that it may write to.
fn folder_for_it() -> Outcome<TempDir> {
    let folder = process::folder()?;
    if is_root() {
        check(Command::new("chown").arg(USER).arg(folder.path()))?;
    }
    Ok(folder)
}

/// An empty cluster takes seconds to make: it is made once and copied.
fn copy_of_empty(program: &Path, to: &Path) -> Outcome {
    static EMPTY: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut empty = EMPTY
        .lock()
        .map_err(|_| "making an empty cluster failed before")?;
    if empty.is_none() {
        // Kept until the workshop goes.
        let made = folder_for_it()?.keep().join("data");
        let mut make = as_user(&program.with_file_name("initdb"));
        make.args([
            "--auth=trust",
            "--no-locale",
            "--encoding=UTF8",
            "--no-sync",
            "-U",
            USER,
            "-D",
        ]);
        check(make.arg(&made))?;
        *empty = Some(made);
    }
    let from = empty.as_ref().expect("made above");
    check(as_user(Path::new("cp")).arg("-a").arg(from).arg(to))
}

/// The program, as a user that it accepts.
fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", USER, "--regid", USER, "--clear-groups", "--"])
        .arg(program);
    command
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

fn check(command: &mut Command) -> Outcome {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let name = command.get_program().display();
    Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr)).into())
}
