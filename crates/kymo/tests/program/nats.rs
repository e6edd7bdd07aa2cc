//! Bridges to NATS in the real program: killed with a stream on either side, and shown.

use async_nats::jetstream;

use crate::{
    broker::Broker,
    support::{Home, numbers, wait_for},
};

const EVENTS: u64 = 6_000;

fn settings(broker: &Broker) -> String {
    let url = broker.url();
    format!(
        "[sources.in]\nkind = \"nats\"\nurl = \"{url}\"\nsubjects = [\"in.*\"]\nstream = \"IN\"\nack_wait_s = 1\n\
         [sinks.out]\nkind = \"nats\"\nurl = \"{url}\"\nfilter = \"type:local\"\nsubject = \"out.{{type}}\"\nstream = \"OUT\"\n\
         begin = \"start\"\n"
    )
}

#[test]
fn killed_again_and_again_between_two_streams_it_loses_nothing_and_repeats_nothing() {
    let (home, broker) = (Home::new(), Broker::start());
    home.write("kymo.toml", settings(&broker));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut out = runtime.block_on(async {
        broker.stream("IN", "in.*").await;
        let context = jetstream::new(broker.client().await);
        for part in 0..EVENTS / 500 {
            let mut acks = Vec::new();
            for number in part * 500..(part + 1) * 500 {
                let text = format!(r#"{{"type":"remote","source":"test","data":{{"n":{number}}}}}"#);
                acks.push(context.publish("in.a", text.into()).await.expect("sent"));
            }
            for ack in acks {
                ack.await.expect("stored");
            }
        }
        broker.stream("OUT", "out.>").await
    });
    let mut emitted = 0;
    for round in 1..=6 {
        let server = home.serve();
        let lines: Vec<_> = (emitted..emitted + 500)
            .map(|number| format!(r#"{{"type":"local","source":"test","data":{{"n":{number}}}}}"#))
            .collect();
        emitted += 500;
        let (status, answer) = server.post(lines.join("\n"));
        assert_eq!(status, 200, "{answer}");
        // In the middle of it, somewhere else each time.
        let from = round * EVENTS / 12;
        wait_for("some of the stream", || {
            (server.get("/api/v1/metrics")["head"].as_u64()? > from).then_some(())
        });
        server.kill();
    }
    let server = home.serve();
    let mut stored = numbers(&server.wait_for_events("type:remote", usize::try_from(EVENTS).expect("small")));
    stored.sort_unstable();
    assert_eq!(stored, (0..EVENTS).collect::<Vec<_>>());
    let given = || runtime.block_on(async { out.info().await.map_or(0, |info| info.state.messages) });
    let mut given = given;
    wait_for("the stream that is given to", || {
        (given() >= emitted).then_some(())
    });
    assert_eq!(given(), emitted, "each once");

    let shown = home.kymo(&["status"]).good().stdout;
    let row = |name: &str| {
        shown
            .lines()
            .find(|line| line.contains(name))
            .unwrap_or_else(|| panic!("{shown}"))
    };
    assert!(
        row("source").contains("● connected") && row("source").contains("stream IN"),
        "{shown}"
    );
    assert!(
        row("sink").contains("● connected") && row("sink").contains("stream OUT"),
        "{shown}"
    );
    let bridges = &server.get("/api/v1/bridges")["bridges"];
    assert_eq!(
        (&bridges[0]["name"], &bridges[1]["name"]),
        (&"in".into(), &"out".into())
    );
    assert_eq!(bridges[0]["last_error"], serde_json::Value::Null);
}

#[test]
fn a_station_starts_while_the_broker_is_down_and_says_so() {
    let (home, mut broker) = (Home::new(), Broker::down(""));
    home.write("kymo.toml", settings(&broker));
    let server = home.serve();
    let row = wait_for("the fault in status", || {
        let shown = home.kymo(&["status"]).good().stdout;
        let row = shown.lines().find(|line| line.contains("[unreachable]"))?;
        Some(row.to_owned())
    });
    assert!(row.contains("● waiting"), "{row}");
    broker.up();
    wait_for("a state that says what is missing", || {
        let bridges = server.get("/api/v1/bridges");
        (bridges["bridges"][0]["last_error"]["code"] == "stream_missing").then_some(())
    });
    server.stop();
}
