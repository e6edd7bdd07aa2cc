//! `watch`: folders here, the server elsewhere.

use crate::support::{Home, Running, Server, signal};

#[test]
fn what_happens_here_arrives_there_and_waits_while_that_one_is_away() {
    let there = Home::new();
    let server = there.serve();
    let here = Home::new();
    let (url, token) = (server.url.clone(), server.token.clone());
    let watch = Running::start(here.command(&[
        "watch", ".", "--source", "laptop", "--url", &url, "--token", &token,
    ]));
    watch.error_with("watching");
    here.write("first.txt", "1\n");
    let seen = server.wait_for_events("type:file.created source:laptop", 1);
    assert_eq!(seen[0]["data"]["path"], "first.txt");

    server.kill();
    here.write("second.txt", "2\n");
    let kept = here
        .project()
        .parent()
        .expect("there")
        .join("home/.local/share/kymo/elsewhere");
    crate::support::wait_for("the event on disk", || {
        let folder = std::fs::read_dir(&kept).ok()?.flatten().next()?.path();
        let file = std::fs::read_dir(folder).ok()?.flatten().next()?.path();
        std::fs::read_to_string(file)
            .ok()?
            .contains("second.txt")
            .then_some(())
    });

    let listen = url.trim_start_matches("http://").to_owned();
    let data = there.data();
    let command = there.command(&[
        "serve",
        "--listen",
        &listen,
        "--data",
        data.to_str().expect("UTF-8"),
    ]);
    let server = Server::start(command, &data);
    let seen = server.wait_for_events("type:file.created source:laptop", 2);
    let paths: Vec<_> = seen
        .iter()
        .map(|event| event["data"]["path"].as_str().expect("a path"))
        .collect();
    assert_eq!(paths, ["first.txt", "second.txt"]);
    signal(watch.pid(), "INT");
    assert!(watch.end().0.success());
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let home = Home::new();
    let ran = home.kymo(&["watch", "nowhere"]).code(1);
    assert!(ran.stderr.contains("nowhere"), "{}", ran.stderr);
}
