//! `up`: server and watch of a folder in one process.

use std::{fs, net::TcpListener};

use crate::support::{Home, Running, Server, own_address, wait_for};

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
fn a_second_one_joins_the_first_also_while_that_one_looks_through_the_folder() {
    let home = Home::new();
    let server = up(&home, &[]);
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
fn in_a_folder_below_it_joins_the_server_that_records_it() {
    let home = Home::new();
    let server = up(&home, &[]);
    home.write("sub/deeper/a.txt", "");
    let mut in_sub = home.command(&["up", "--no-open"]);
    in_sub.current_dir(home.project().join("sub/deeper"));
    for command in [in_sub, home.command(&["up", "sub", "--no-open"])] {
        let (status, said, noted) = Running::start(command).end();
        let (said, noted) = (said.join("\n"), noted.join("\n"));
        assert!(status.success(), "{said}{noted}");
        assert!(
            said.contains(&format!("{}/login?code=", server.url))
                && said.contains(&format!("pid {}", server.pid())),
            "{said}"
        );
        assert!(
            noted.contains("is recorded already") && noted.contains("--data .kymo"),
            "{noted}"
        );
    }
    assert!(!home.project().join("sub/deeper/.kymo").exists());
    assert!(!home.project().join("sub/.kymo").exists());
}

#[test]
fn below_a_ledger_that_nobody_serves_a_new_one_begins_and_that_is_said() {
    let home = Home::new();
    home.serve().stop();
    home.write("sub/a.txt", "");
    let mut command = home.command(&["up", "--no-open", "--listen", "127.0.0.1:0"]);
    command.current_dir(home.project().join("sub"));
    let running = Running::start(command);
    let said = running.error_with("a new ledger begins here");
    assert!(
        said.contains(&format!("kymo up {}", home.project().display())),
        "{said}"
    );
    assert!(home.project().join("sub/.kymo/ledger").is_dir());
    crate::support::signal(running.pid(), "TERM");
    assert!(running.end().0.success());
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
fn a_folder_comes_back_on_the_port_it_had_so_that_an_open_page_finds_it() {
    let home = Home::new();
    // Either we take the port, or somebody already has it: in both cases it is busy.
    let _taken = TcpListener::bind("127.0.0.1:7700");
    let start = || Server::start(home.command(&["up", "--no-open", "--no-watch"]), &home.data());
    let remembered = || fs::read_to_string(home.data().join("port")).expect("it is remembered");
    let first = start();
    assert!(first.url.ends_with(&format!(":{}", remembered().trim())));
    first.stop();
    // Nobody is given this one by the system while we are away.
    let address = own_address();
    let (_, port) = address.split_once(':').expect("an address");
    fs::write(home.data().join("port"), port).expect("written");
    for _ in 0..2 {
        let server = start();
        assert_eq!(server.url, format!("http://{address}"));
        server.kill();
    }
    // Somebody else has it by now: then it is another one, from then on.
    let _taken_too = TcpListener::bind(&address).expect("nobody listens there");
    let other = start();
    assert_ne!(other.url, format!("http://{address}"));
    assert!(other.url.ends_with(&format!(":{}", remembered().trim())));
    other.stop();
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let home = Home::new();
    let ran = home.kymo(&["up", "nowhere"]).code(1);
    assert!(ran.stderr.contains("nowhere"), "{}", ran.stderr);
}
