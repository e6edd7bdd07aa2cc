//! A server of somebody else that a test started: ended, frozen and started again by its own handle.
#![allow(dead_code, reason = "the tests of each crate use their part")]

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Longest wait for it to accept.
const DEADLINE: Duration = Duration::from_secs(60);

/// A process that serves on a port. Dropped, it is gone.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it and waits until it accepts; `None` if there is no such program.
    pub(crate) fn start(mut command: Command, port: u16) -> Option<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let process = Self(child);
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "{command:?} does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(process)
    }

    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.0.id().to_string()])
            .status()
            .expect("kill is there");
        assert!(status.success());
    }
}

impl Drop for Process {
    /// At once, as a crash does.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    free.local_addr().expect("an address").port()
}

/// A certificate for `name`, signed by an authority of our own: `ca.pem`, `server.pem` and `server.key` in the folder.
pub(crate) fn certificates(folder: &std::path::Path, name: &str) {
    let openssl = |words: &str| {
        let status = Command::new("openssl")
            .args(words.split(' '))
            .current_dir(folder)
            .stderr(Stdio::null())
            .status()
            .expect("openssl is installed");
        assert!(status.success(), "openssl {words}");
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.pem {key}"
    ));
    openssl(&format!(
        "req -subj /CN=server -keyout server.key -out server.csr {key}"
    ));
    let names = format!("subjectAltName={name}\nextendedKeyUsage=serverAuth,clientAuth\n");
    std::fs::write(folder.join("names"), names).expect("written");
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -out server.pem -extfile names");
}
