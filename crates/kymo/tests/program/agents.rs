//! `agents`: how agents are, now and then; with a server and without.

use crate::support::Home;

#[test]
fn it_says_how_agents_are_with_a_server_and_without() {
    let home = Home::new();
    let server = home.serve();
    server.post(
        "{\"type\":\"tool.started\",\"agent\":\"planner\",\"task\":\"demo\",\"span\":\"s1\"}\n\
         {\"type\":\"agent.failed\",\"agent\":\"weaver\"}\n{\"type\":\"tool.failed\",\"agent\":\"planner\",\"span\":\"s1\"}\n",
    );
    let ran = home.kymo(&["agents"]).good();
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.stdout);
    assert!(
        lines[0].contains("planner") && lines[0].contains("idle"),
        "{}",
        lines[0]
    );
    assert!(
        lines[0].contains("demo") && lines[0].contains("1 failed"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].contains("weaver") && lines[1].contains("failed"),
        "{}",
        lines[1]
    );
    let page = home.kymo(&["agents", "--json"]).good().json();
    let seq = page["agents"][0]["first_seq"]
        .as_u64()
        .expect("a seq")
        .to_string();
    let questions: &[&[&str]] = &[
        &["agents", "--at", &seq],
        &["agents", "--at", &seq, "--json"],
        &["agents", "--at", "1h"],
    ];
    let ask = || {
        questions
            .iter()
            .map(|args| home.kymo(args).good().stdout)
            .collect::<Vec<_>>()
    };
    let live = ask();
    assert!(
        live[0].contains("working") && live[0].contains("tool"),
        "{}",
        live[0]
    );
    assert_eq!(live[2], "");
    server.stop();
    assert_eq!(ask(), live);
    let ran = home.kymo(&["agents", "--at", "1h"]).good();
    assert!(ran.stderr.contains("kymo emit"), "{}", ran.stderr);
    home.kymo(&["agents", "--at", "whenever"]).code(2);
}
