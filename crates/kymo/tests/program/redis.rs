//! Bridges to Redis in the real program: killed with a stream on either side, and shown.

use redis::cmd;

use crate::{
    redis_server::Server,
    support::{Home, numbers, wait_for},
};

const EVENTS: u64 = 6_000;

fn settings(broker: &Server) -> String {
    let url = broker.url();
    format!(
        "[sources.in]\nkind = \"redis\"\nurl = \"{url}\"\nstreams = [\"in\"]\n\
         [sinks.out]\nkind = \"redis\"\nurl = \"{url}\"\nfilter = \"type:local\"\nstream = \"out\"\nchannel = \"\"\n\
         maxlen = 0\nbegin = \"start\"\n"
    )
}

#[test]
fn killed_again_and_again_between_two_streams_it_loses_nothing_and_repeats_nothing() {
    let Some(broker) = Server::start() else { return };
    let home = Home::new();
    home.write("kymo.toml", settings(&broker));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = runtime.block_on(async {
        let client = broker.client().await;
        for part in 0..EVENTS / 500 {
            let mut adds = redis::pipe();
            for number in part * 500..(part + 1) * 500 {
                let text = format!(r#"{{"type":"remote","source":"test","data":{{"n":{number}}}}}"#);
                adds.cmd("XADD")
                    .arg("in")
                    .arg("*")
                    .arg("event")
                    .arg(text)
                    .ignore();
            }
            let () = adds.query_async(&mut client.0.clone()).await.expect("added");
        }
        client
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
    let given = || runtime.block_on(client.ask::<u64>(cmd("XLEN").arg("out")));
    wait_for("the stream that is given to", || {
        (given() >= emitted).then_some(())
    });
    let entries: Vec<(String, Vec<(String, String)>)> =
        runtime.block_on(client.ask(cmd("XRANGE").arg("out").arg("-").arg("+")));
    let texts = entries.iter().map(|(_, fields)| &fields[0].1);
    let numbers: Vec<_> = texts
        .map(|text| serde_json::from_str::<serde_json::Value>(text).expect("JSON")["data"]["n"].as_u64())
        .collect();
    assert_eq!(
        numbers,
        (0..emitted).map(Some).collect::<Vec<_>>(),
        "each once, in order"
    );

    let shown = home.kymo(&["status"]).good().stdout;
    assert_eq!(shown.matches("● connected").count(), 2, "{shown}");
    assert!(
        shown.contains("stream in") && shown.contains("stream out"),
        "{shown}"
    );
    assert_eq!(
        server.get("/api/v1/bridges")["bridges"][0]["last_error"],
        serde_json::Value::Null
    );
}
