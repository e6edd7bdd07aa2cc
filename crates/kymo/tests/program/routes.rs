//! Routes: events derived from events, by the settings and over the API.

use serde_json::{Value, json};

use crate::support::{Home, Server, wait_for};

const CONDUCTOR: &str = include_str!("../../../../docs/examples/conductor-routes.toml");

/// The bridge of a route, as the API tells it.
fn route(server: &Server, name: &str) -> Option<Value> {
    let bridges = server.get("/api/v1/bridges");
    let bridges = bridges["bridges"].as_array().expect("a list").clone();
    bridges
        .into_iter()
        .find(|bridge| bridge["direction"] == "route" && bridge["name"] == name)
}

/// Waits until routes of these names run, and no others.
fn wait_for_routes(server: &Server, names: &[&str]) {
    wait_for("the routes that shall run", || {
        let bridges = server.get("/api/v1/bridges");
        let bridges = bridges["bridges"].as_array().expect("a list");
        let running = |bridge: &&Value| bridge["direction"] == "route" && bridge["state"] == "connected";
        let running: Vec<_> = bridges
            .iter()
            .filter(running)
            .map(|bridge| bridge["name"].clone())
            .collect();
        (running == names).then_some(())
    });
}

#[test]
fn the_four_routes_of_the_conductor_run_from_the_example_file() {
    let home = Home::new();
    home.write("kymo.toml", CONDUCTOR);
    let server = home.serve();
    wait_for_routes(
        &server,
        &[
            "capsule-published",
            "deploy-status",
            "memory-node-created",
            "pathway-progress",
        ],
    );
    let logs: Vec<_> = (0..30).map(|line| format!("line {line}")).collect();
    let emitted = [
        json!({"type": "node-created", "source": "memory", "tier": "gold", "data": {"nodeId": "n1"}}),
        json!({"type": "capsule-published", "source": "marketplace", "data": {"capsuleId": "c1"}}),
        json!({"type": "status-changed", "source": "deploy", "data": {"id": "d1", "status": "live", "logs": logs}}),
        json!({"type": "step-completed", "source": "pathways", "data": {"pathwayId": "p1", "step": 2, "progress": 0.5}}),
        json!({"type": "search-started", "source": "memory"}),
    ];
    let (_, receipt) = server.post(emitted.map(|event| event.to_string()).join("\n"));
    let first = receipt["first"].as_u64().expect("a seq");
    let derived = server.wait_for_events(
        "type:ui-update,marketplace-update,deploy-update,progress-update",
        4,
    );
    let by_cause = |offset: u64| {
        let of = |event: &&Value| event["cause"] == first + offset;
        derived.iter().find(of).expect("each original has one").clone()
    };
    assert_eq!(by_cause(0)["type"], "ui-update");
    assert_eq!(by_cause(0)["tier"], "gold");
    assert_eq!(
        by_cause(0)["data"],
        json!({"component": "mindmap", "action": "add-node", "data": {"nodeId": "n1"}})
    );
    assert_eq!(
        by_cause(1)["data"],
        json!({"action": "new-listing", "capsule": {"capsuleId": "c1"}})
    );
    assert_eq!(
        by_cause(2)["data"],
        json!({"deploymentId": "d1", "status": "live", "logs": logs[20..]})
    );
    assert_eq!(
        by_cause(3)["data"],
        json!({"pathwayId": "p1", "step": 2, "progress": 0.5})
    );
    assert!(derived.iter().all(|event| event["hops"] == 1));
    let ran = home.kymo(&["status"]).good();
    assert!(ran.stdout.contains("deploy-status"), "{}", ran.stdout);
}

#[test]
fn routes_follow_their_file_and_a_file_that_is_wrong_changes_nothing() {
    let home = Home::new();
    let one = |kind: &str| format!("[routes.one]\nwhen = \"type:a\"\nemit = {{ type = \"{kind}\" }}\n");
    home.write("kymo.toml", one("b"));
    let server = home.serve();
    wait_for_routes(&server, &["one"]);
    server.post(r#"{"type":"a"}"#);
    server.wait_for_events("type:b", 1);

    home.write(
        "kymo.toml",
        one("c") + "[routes.two]\nwhen = \"type:c\"\nemit = { type = \"d\" }\n[hub]\nids_max = 5\n",
    );
    let reloaded = server.wait_for_events("type:kymo.settings.reloaded", 1);
    assert_eq!(reloaded[0]["data"]["routes"], json!(["one", "two"]));
    assert_eq!(reloaded[0]["data"]["restart_for"], json!(["hub"]));
    wait_for_routes(&server, &["one", "two"]);
    server.post(r#"{"type":"a"}"#);
    let last = server.wait_for_events("type:d", 1);
    assert_eq!(last[0]["hops"], 2, "derived from what was derived");
    assert_eq!(
        server.events("type:b").len(),
        1,
        "the place was kept, and what came before was not derived again"
    );

    home.write("kymo.toml", "[routes.one]\nwhen = \"type:(\"\n");
    let refused = server.wait_for_events("type:kymo.settings.refused", 1);
    let message = refused[0]["data"]["message"].as_str().expect("a text");
    assert!(message.contains("kymo.toml:1"), "{message}");
    wait_for_routes(&server, &["one", "two"]);

    // Nor does one that is empty for a while, or away.
    home.write("kymo.toml", "");
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    wait_for_routes(&server, &["one", "two"]);
    home.write("kymo.toml", "# no routes any more\n");
    wait_for_routes(&server, &[]);
}

#[test]
fn routes_are_made_and_removed_over_the_api_and_stay_over_a_kill() {
    let home = Home::new();
    home.write(
        "kymo.toml",
        "[routes.fixed]\nwhen = \"type:x\"\nemit = { type = \"y\" }\n",
    );
    let server = home.serve();
    let rule = json!({"when": "type:a", "emit": {"type": "b", "data": {"n": "{{ data.n }}"}}});
    server.post(r#"{"type":"a","data":{"n":0}}"#);
    let (status, tried) = server.send("POST", "/api/v1/routes/try", &rule);
    assert_eq!(
        (status, &tried["derived"]["data"]),
        (200, &json!({"n": 0})),
        "{tried}"
    );
    assert_eq!(server.events("type:b").len(), 0, "what is tried is not stored");

    assert_eq!(server.send("PUT", "/api/v1/routes/mine", &rule).0, 200);
    wait_for_routes(&server, &["fixed", "mine"]);
    server.post("{\"type\":\"a\",\"data\":{\"n\":1}}\n{\"type\":\"a\",\"data\":{\"n\":2}}");
    server.wait_for_events("type:b", 2);
    server.kill();

    let server = home.serve();
    wait_for_routes(&server, &["fixed", "mine"]);
    server.post(r#"{"type":"a","data":{"n":3}}"#);
    let derived = server.wait_for_events("type:b", 3);
    let numbers: Vec<_> = derived.iter().map(|event| event["data"]["n"].clone()).collect();
    assert_eq!(numbers, [1, 2, 3], "each once");
    let list = server.get("/api/v1/routes");
    assert_eq!(list["routes"][0]["origin"], "settings");
    assert_eq!(list["routes"][1]["origin"], "api");
    assert_eq!(list["routes"][1]["emit"], rule["emit"]);

    for (method, path, body, status, code) in [
        ("PUT", "/api/v1/routes/fixed", rule.clone(), 409, "name_taken"),
        ("DELETE", "/api/v1/routes/fixed", Value::Null, 409, "name_taken"),
        ("DELETE", "/api/v1/routes/nowhere", Value::Null, 404, "not_found"),
        ("PUT", "/api/v1/routes/a%20b", rule.clone(), 422, "invalid_route"),
        (
            "PUT",
            "/api/v1/routes/x",
            json!({"when": "type:a"}),
            422,
            "invalid_body",
        ),
        (
            "PUT",
            "/api/v1/routes/x",
            json!({"when": "(", "emit": {"type": "b"}}),
            422,
            "invalid_route",
        ),
        (
            "POST",
            "/api/v1/routes/try",
            json!({"when": "", "emit": {"type": "kymo.b"}}),
            422,
            "invalid_route",
        ),
    ] {
        let (got, answer) = server.send(method, path, &body);
        assert_eq!(
            (got, answer["error"]["code"].as_str()),
            (status, Some(code)),
            "{method} {path}: {answer}"
        );
    }
    assert_eq!(server.send("DELETE", "/api/v1/routes/mine", &Value::Null).0, 200);
    wait_for_routes(&server, &["fixed"]);
    server.post(r#"{"type":"a","data":{"n":4}}"#);
    // Whoever comes back under a name begins anew.
    server.send("PUT", "/api/v1/routes/mine", &rule);
    wait_for_routes(&server, &["fixed", "mine"]);
    server.post(r#"{"type":"a","data":{"n":5}}"#);
    let derived = server.wait_for_events("type:b", 4);
    assert_eq!(derived[3]["data"]["n"], 5);
}

#[test]
fn what_fails_or_goes_in_circles_is_shown_and_stops_nobody() {
    let home = Home::new();
    home.write(
        "kymo.toml",
        r#"
[routes.circle]
when = "type:round"
emit = { type = "round" }

[routes.failing]
when = "type:a"
emit = { type = "b", data = { half = "{{ data.n / 2 }}" } }

[routes.failing-too]
when = "type:kymo.bridge.refused"
emit = { type = "c", data = "{{ data / 2 }}" }
"#,
    );
    let server = home.serve();
    wait_for_routes(&server, &["circle", "failing", "failing-too"]);
    let events = [
        r#"{"type":"round"}"#,
        r#"{"type":"a","data":{"n":"many"}}"#,
        r#"{"type":"a","data":{"n":4}}"#,
    ];
    server.post(events.join("\n"));
    let halves = server.wait_for_events("type:b", 1);
    assert_eq!(
        halves[0]["data"]["half"],
        json!(2.0),
        "what comes after a failure is derived"
    );
    server.wait_for_events("type:round", 9);
    let refused = server.wait_for_events("type:kymo.bridge.refused", 2);
    let codes: Vec<_> = refused
        .iter()
        .map(|event| event["data"]["code"].as_str())
        .collect();
    assert!(
        codes.contains(&Some("template_failed")) && codes.contains(&Some("too_many_hops")),
        "{codes:?}"
    );
    let failing = route(&server, "failing").expect("it is on the board");
    assert_eq!(failing["state"], "connected");
    assert_eq!(failing["refused"], 1);
    assert_eq!(failing["last_error"]["code"], "template_failed", "{failing}");
    assert_eq!(
        server.events("type:round").len(),
        9,
        "the original and eight more"
    );
    assert_eq!(
        server.events("type:kymo.bridge.refused").len(),
        2,
        "routes that fail do not make each other fail"
    );
}

#[test]
fn settings_with_a_route_that_cannot_be_run_are_refused_with_the_line() {
    let home = Home::new();
    for (file, part) in [
        ("\n[routes.one]\nwhen = \"type:a\"\n", "kymo.toml:2"),
        (
            "[routes.one]\nwhen = \"type:(\"\nemit = { type = \"x\" }\n",
            "when",
        ),
        (
            "[routes.one]\nwhen = \"\"\nemit = { type = \"kymo.x\" }\n",
            "emit.type",
        ),
        ("[routes.one]\nwhen = \"\"\nemitt = { type = \"x\" }\n", "emitt"),
        ("[routes.\"a b\"]\nwhen = \"\"\nemit = { type = \"x\" }\n", "name"),
        ("routes = 5\n", "routes"),
    ] {
        home.write("kymo.toml", file);
        let ran = home.kymo(&["config", "check"]);
        assert!(
            ran.stderr.contains(part) && ran.stdout.is_empty(),
            "{file}: {}",
            ran.stderr
        );
    }
    home.write(
        "kymo.toml",
        "[routes.one]\nwhen = \"type:a\"\nemit = { type = \"x\", data = { \"a.b\" = 1 } }\n",
    );
    home.kymo(&["config", "check"]).good();
    let ran = home.kymo(&["config"]).good();
    assert!(
        ran.stdout.contains("[routes.one]") && ran.stdout.contains("when = \"type:a\""),
        "{}",
        ran.stdout
    );
}
