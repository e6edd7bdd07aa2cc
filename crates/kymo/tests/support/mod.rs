//! The real program in folders of its own: what every test of this crate stands on.
//!
//! A [`Home`] is one user's machine: a project folder, a home folder, no settings. A [`Server`] is the real binary on a
//! free port; it ends with its handle. Nothing here sleeps for a guess: it polls for what it waits for, up to a deadline.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    unreachable_pub,
    missing_docs,
    reason = "shared by test files, seen by nobody else"
)]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;

pub mod raw;

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `what` gives a value.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// What commands get to see of the environment the tests were started in: where programs and temporary files are, and
/// where coverage is written.
const KEPT: &[&str] = &["PATH", "TMPDIR", "SystemRoot", "LLVM_PROFILE_FILE"];

/// An address on this machine that stays ours when a server goes and comes back: of a port that the system does not give
/// to anybody by itself meanwhile.
pub fn own_address() -> String {
    // Every process asks for others first.
    static ASKED: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id() * 16 + ASKED.fetch_add(1, Ordering::Relaxed);
        let address = format!("127.0.0.1:{}", 10_000 + number % 20_000);
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

/// One user's machine.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // A command in a folder without a `.kymo` of its own means the nearest one above it.
        let above = folder
            .path()
            .ancestors()
            .find(|above| above.join(".kymo").exists());
        assert!(
            above.is_none(),
            "{above:?} is a recorded folder: set TMPDIR to a folder outside of any"
        );
        for part in ["project", "home"] {
            fs::create_dir(folder.path().join(part)).expect("created");
        }
        Self { folder }
    }

    /// The folder commands stand in.
    pub fn project(&self) -> PathBuf {
        // macOS and some build machines have temporary folders behind a link.
        self.folder
            .path()
            .join("project")
            .canonicalize()
            .expect("it exists")
    }

    /// The project's data folder.
    pub fn data(&self) -> PathBuf {
        self.project().join(".kymo")
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.project().join(name);
        fs::create_dir_all(path.parent().expect("inside the project")).expect("created");
        fs::write(&path, text).expect("written");
        path
    }

    /// A command of the real program, which knows nothing of the environment the tests were started in. `KYMO_BIN`
    /// names another build of it.
    pub fn command(&self, args: &[&str]) -> Command {
        let built = || env!("CARGO_BIN_EXE_kymo").to_owned();
        self.program(&std::env::var("KYMO_BIN").unwrap_or_else(|_| built()), args)
    }

    /// A command of another program, in the same place and environment.
    pub fn program(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.project())
            .stdin(Stdio::null());
        command.env_clear();
        for name in KEPT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", self.folder.path().join("home"))
            .env("NO_COLOR", "1")
            .env("TZ", "UTC");
        command
    }

    /// Runs a command to its end.
    pub fn kymo(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args))
    }

    /// The same with text on standard input.
    pub fn kymo_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        Ran::with_input(self.command(args), input)
    }

    /// A server on the project's data folder.
    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// The same with more arguments.
    pub fn serve_with(&self, args: &[&str]) -> Server {
        let mut command = self.serve_command();
        command.args(args);
        Server::start(command, &self.data())
    }

    /// The same with settings, each a path and a value.
    pub fn serve_set(&self, settings: &[&str]) -> Server {
        let args: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        self.serve_with(&args)
    }

    /// What starts a server on the project's data folder.
    pub fn serve_command(&self) -> Command {
        let (data, listen) = (self.data(), own_address());
        self.command(&[
            "serve",
            "--listen",
            &listen,
            "--data",
            data.to_str().expect("UTF-8"),
        ])
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub status: ExitStatus,
}

impl Ran {
    pub fn of(command: Command) -> Self {
        Self::with_input(command, b"")
    }

    pub fn with_input(mut command: Command, input: &[u8]) -> Self {
        if !input.is_empty() {
            command.stdin(Stdio::piped());
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let writer = child.stdin.take().map(|mut stdin| {
            let input = input.to_vec();
            std::thread::spawn(move || drop(stdin.write_all(&input)))
        });
        let output = child.wait_with_output().expect("it ends");
        if let Some(writer) = writer {
            writer.join().expect("input was written");
        }
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            status: output.status,
        }
    }

    /// Fails the test with all that was said, unless it went well.
    #[track_caller]
    pub fn good(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless it ended with this code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.stdout))
    }

    /// Standard output as JSON lines.
    #[track_caller]
    pub fn ndjson(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub now: u64,
    pub peak: u64,
}

/// A running server.
pub struct Server {
    child: Child,
    pub data: PathBuf,
    pub url: String,
    pub token: String,
    agent: ureq::Agent,
}

impl Server {
    /// Starts a `serve` or `up` and waits until it accepts events.
    pub fn start(mut command: Command, data: &Path) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let pid = child.id();
        let url = wait_for("server.json", || {
            if let Ok(Some(status)) = child.try_wait() {
                let mut said = String::new();
                let _ = child.stderr.take().expect("piped").read_to_string(&mut said);
                panic!("the server ended with {status}: {said}");
            }
            let file: Value = serde_json::from_slice(&fs::read(data.join("server.json")).ok()?).ok()?;
            (file["pid"] == pid).then(|| file["url"].as_str().expect("a url").to_owned())
        });
        // Nobody reads it on; a full pipe must not stop the server.
        let mut stderr = child.stderr.take().expect("piped");
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let token = fs::read_to_string(data.join("token"))
            .expect("a token")
            .trim()
            .to_owned();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(DEADLINE))
            .build();
        Self {
            child,
            data: data.to_owned(),
            url,
            token,
            agent: config.into(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Host and port.
    pub fn address(&self) -> String {
        let address = self.url.trim_start_matches("http://");
        address.trim_end_matches('/').to_owned()
    }

    /// Bytes of memory it has now and had at most, where the system says so.
    pub fn memory(&self) -> Option<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let kilobytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        Some(Memory {
            now: kilobytes("VmRSS:")? << 10,
            peak: kilobytes("VmHWM:")? << 10,
        })
    }

    /// POST of records, one a line: status and answer.
    pub fn post(&self, body: impl AsRef<[u8]>) -> (u16, Value) {
        self.try_post(body).expect("an answer")
    }

    /// The same where the server may be gone.
    pub fn try_post(&self, body: impl AsRef<[u8]>) -> Option<(u16, Value)> {
        let answer = self
            .agent
            .post(format!("{}/api/v1/events", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/x-ndjson")
            .send(body.as_ref());
        let mut answer = answer.ok()?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().ok()?;
        Some((status, serde_json::from_str(&text).ok()?))
    }

    /// A command with a JSON body, if it is not null: status and answer.
    pub fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = request.body(body).expect("a request");
        let config = self
            .agent
            .configure_request(request)
            .allow_non_standard_methods(true);
        let mut answer = self.agent.run(config.build()).expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        (
            answer.status().as_u16(),
            serde_json::from_str(&text).expect("JSON"),
        )
    }

    /// GET of a JSON answer.
    pub fn get(&self, path: &str) -> Value {
        let answer = self
            .agent
            .get(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .call();
        let text = answer
            .expect("an answer")
            .body_mut()
            .read_to_string()
            .expect("text");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// Everything that matches, oldest first.
    pub fn events(&self, filter: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut from = "start".to_owned();
        loop {
            let filter: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let page = self.get(&format!(
                "/api/v1/events?order=oldest&limit=1000&from={from}&filter={filter}"
            ));
            events.extend(
                page["events"]
                    .as_array()
                    .unwrap_or_else(|| panic!("no page: {page}"))
                    .iter()
                    .cloned(),
            );
            match page["next"].as_u64() {
                Some(next) => from = next.to_string(),
                None => return events,
            }
        }
    }

    /// Waits until so many events match.
    #[track_caller]
    pub fn wait_for_events(&self, filter: &str, count: usize) -> Vec<Value> {
        wait_for(&format!("{count} events of {filter}"), || {
            let events = self.events(filter);
            (events.len() >= count).then_some(events)
        })
    }

    /// Ends it as Ctrl-C would; fails the test if it does not end well.
    pub fn stop(mut self) {
        self.signal("TERM");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "the server ended with {status}");
    }

    /// Ends it as a power cut would, as far as the process is concerned.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for its end.
    pub fn wait(mut self) -> ExitStatus {
        wait_for("the server's end", || {
            self.child.try_wait().expect("it can be waited for")
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that a test started.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()
        .expect("kill is there");
    assert!(sent.success(), "signal {name} could not be sent to {pid}");
}

/// A command that runs on, its output read line by line.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (lines, out) = lines_of(child.stdout.take().expect("piped"));
        let (errors, err) = lines_of(child.stderr.take().expect("piped"));
        Self {
            child,
            lines,
            errors,
            readers: vec![out, err],
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Standard input, where the command was given a pipe.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("piped")
    }

    /// The next line of standard output.
    #[track_caller]
    pub fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line of output")
    }

    /// The next line on standard error that contains a text.
    #[track_caller]
    pub fn error_with(&self, text: &str) -> String {
        loop {
            let line = self.errors.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|_| panic!("no line on standard error with {text}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Lines that are there now.
    pub fn lines_so_far(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// Waits for its end: status and the rest of both streams.
    pub fn end(mut self) -> (ExitStatus, Vec<String>, Vec<String>) {
        let status = wait_for("the command's end", || {
            self.child.try_wait().expect("it can be waited for")
        });
        for reader in self.readers.drain(..) {
            reader.join().expect("read to the end");
        }
        (
            status,
            self.lines.try_iter().collect(),
            self.errors.try_iter().collect(),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(stream: impl Read + Send + 'static) -> (Receiver<String>, JoinHandle<()>) {
    let (sender, receiver) = channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    (receiver, reader)
}

/// Fixtures that lie beside the checkout on some machines; says so where they do not.
pub fn fixtures(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/fixtures")
        .join(name);
    if root.exists() {
        return Some(root);
    }
    println!("skipped: {} is not here", root.display());
    None
}

/// Seqs of events, as they stand.
pub fn seqs(events: &[Value]) -> Vec<u64> {
    events
        .iter()
        .map(|event| event["seq"].as_u64().expect("a seq"))
        .collect()
}

/// The values of `data.n`, which tests number their events with.
pub fn numbers(events: &[Value]) -> Vec<u64> {
    events
        .iter()
        .map(|event| event["data"]["n"].as_u64().expect("a number"))
        .collect()
}
