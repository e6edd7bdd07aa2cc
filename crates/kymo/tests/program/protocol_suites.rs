//! The official suites of Engine.IO and Socket.IO against the real program.
//!
//! They are not ours and not here. `KYMO_PROTOCOL_SUITES` names a folder with the repositories `engine.io-protocol` and
//! `socket.io-protocol` of the organisation socketio, each with `npm ci` done in its `test-suite`.
use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{Home, Ran};

/// What the suites expect of a server: their intervals, their limit, and that it echoes.
const SETTINGS: &[&str] = &[
    "doors.socketio.enabled=true",
    "doors.socketio.anonymous=read",
    "doors.socketio.echo=true",
    "doors.socketio.ping_interval_ms=300",
    "doors.socketio.ping_timeout_ms=200",
    "doors.socketio.payload_bytes_max=1000000",
];

/// The port that the suites have written down.
const THEIR_ADDRESS: &str = "http://localhost:3000";

#[test]
fn the_suite_of_engine_io_passes() {
    passes("engine.io-protocol");
}

#[test]
fn the_suite_of_socket_io_passes() {
    passes("socket.io-protocol");
}

fn passes(name: &str) {
    let Some(folders) = std::env::var_os("KYMO_PROTOCOL_SUITES").map(PathBuf::from) else {
        println!("skipped: KYMO_PROTOCOL_SUITES names no folder with {name}");
        return;
    };
    let suite = folders.join(name).join("test-suite");
    let home = Home::new();
    let server = home.serve_set(SETTINGS);
    let copy = copied(&suite, &home, &server.url);
    let mocha = suite.join("node_modules/mocha/bin/_mocha");
    let run = home.program(
        "node",
        &[
            mocha.to_str().expect("UTF-8"),
            copy.to_str().expect("UTF-8"),
            "--exit",
        ],
    );
    let ran = Ran::of(run).good();
    assert!(ran.stdout.contains("passing"), "{}", ran.stdout);
    println!("{}", ran.stdout);
    server.stop();
}

/// The suite as it stands, but for the address.
fn copied(suite: &Path, home: &Home, url: &str) -> PathBuf {
    let folder = home.project().join("suite");
    fs::create_dir(&folder).expect("created");
    for name in ["package.json", "node-imports.js", "test-suite.js"] {
        let text = fs::read_to_string(suite.join(name)).unwrap_or_else(|cause| panic!("{name}: {cause}"));
        let text = text.replace(THEIR_ADDRESS, url.trim_end_matches('/'));
        fs::write(folder.join(name), text).expect("written");
    }
    std::os::unix::fs::symlink(suite.join("node_modules"), folder.join("node_modules")).expect("linked");
    folder.join("test-suite.js")
}
