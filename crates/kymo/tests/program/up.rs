//! `up`: server and watch of a folder in one process.

use std::{fs, net::TcpListener};

use crate::support::{Home, Running, Server, wait_for};

fn up(home: &Home, args: &[&str]) -> Server {
    let mut all = vec!["up", "--no-open", "--listen", "127.0.0.1:0"];
    all.extend(args);
    Server::start(home.command(&all), &home.data())
}

#[test]
fn what_happens_in_the_folder_is_recorded() {
    let home = Home::new();
    let server = up(&home, &[]);
    server.wait_for_events("type:watch.started", 1);
    home.write("hello.txt", "one\ntwo\n");
    let events = server.wait_for_events("type:file.created", 1);
    assert_eq!(events[0]["data"]["path"], "hello.txt");
    fs::remove_file(home.project().join("hello.txt")).expect("removed");
    server.wait_for_events("type:file.removed", 1);
    let about_us: Vec<_> = server
        .events("type:file.*")
        .into_iter()
        .filter(|event| {
            event["data"]["path"]
                .as_str()
                .is_some_and(|path| path.contains(".kymo"))
        })
        .collect();
    assert!(about_us.is_empty(), "{about_us:?}");
}

#[test]
fn the_banner_says_where_to_look_and_what_is_recorded() {
    let home = Home::new();
    let running = Running::start(home.command(&["up", "--no-open", "--listen", "127.0.0.1:0"]));
    let mut said = String::new();
    while !said.contains("Ctrl-C") {
        said.push_str(&running.line());
        said.push('\n');
    }
    for part in [
        "Kymo",
        "http://127.0.0.1:",
        "/login?code=",
        "watching",
        "./.kymo",
        "kymo emit",
    ] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
    crate::support::signal(running.pid(), "INT");
    assert!(running.end().0.success());
}

#[test]
fn a_second_one_joins_the_first() {
    let home = Home::new();
    let server = up(&home, &[]);
    server.wait_for_events("type:watch.started", 1);
    let ran = home.kymo(&["up"]).good();
    assert!(
        ran.stdout.contains("already running") && ran.stdout.contains(&format!("{}/login?code=", server.url)),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains(&format!("pid {}", server.pid())),
        "{}",
        ran.stdout
    );
    assert!(!ran.stderr.contains("does not watch"), "{}", ran.stderr);
}

#[test]
fn two_started_at_once_end_in_one_server_and_two_logins() {
    let home = Home::new();
    let start = || Running::start(home.command(&["up", "--no-open", "--listen", "127.0.0.1:0"]));
    let (first, second) = (start(), start());
    for running in [&first, &second] {
        let mut said = running.line();
        while !said.contains("/login?code=") {
            said = running.line();
        }
    }
    let mut server = wait_for("a server", || {
        crate::support::Home::kymo(&home, &["status", "--json"]).json()["url"]
            .as_str()
            .map(str::to_owned)
    });
    assert!(server.split_off(4).starts_with("://127.0.0.1"));
    home.kymo(&["stop"]).good();
    assert!(first.end().0.success());
    assert!(second.end().0.success());
}

#[test]
fn joining_a_server_that_watches_nothing_says_how_to_watch() {
    let home = Home::new();
    let _server = home.serve();
    let ran = home.kymo(&["up", "--no-open"]).good();
    assert!(
        ran.stderr.contains("does not watch") && ran.stderr.contains("kymo watch"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_default_port_gives_way_when_another_program_has_it() {
    let home = Home::new();
    // Either we take the port, or somebody already has it: in both cases it is busy.
    let _taken = TcpListener::bind("127.0.0.1:7700");
    let running = Running::start(home.command(&["up", "--no-open"]));
    let mut said = String::new();
    while !said.contains("Ctrl-C") {
        said.push_str(&running.line());
    }
    assert!(said.contains("port 7700 is used by another program"), "{said}");
    crate::support::signal(running.pid(), "TERM");
    assert!(running.end().0.success());
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let home = Home::new();
    let ran = home.kymo(&["up", "nowhere"]).code(1);
    assert!(ran.stderr.contains("nowhere"), "{}", ran.stderr);
}
