//! Who may come in: passwords, users with few rights, certificates; and no secret is shown.

use kymo_connect::RedisSource;
use kymo_hub::{BridgeState, Direction};

use super::{run, sink, source, v5};
use crate::{
    process::certificates,
    redis_server::Server,
    rig::Station,
    running::{fails, info, is, stored},
};

#[tokio::test]
async fn a_wrong_password_is_said_and_a_right_one_in_the_file_lets_in_without_a_restart() {
    let Some(broker) = Server::with("user egor on >s3cr@t ~* &* +@all\nuser default off") else {
        return;
    };
    let station = Station::new();
    let file = broker.file("password");
    std::fs::write(&file, "wrong\n").expect("written");
    let mut ours = source(&broker, "s");
    ours.server.user = Some("egor".into());
    ours.server.password_file = Some(file.clone());
    let running = run(&station, Some(ours), None);
    let said = fails(&station, Direction::Source, "not_allowed").await;
    assert!(said.contains("look at user and password"), "{said}");
    std::fs::write(&file, "s3cr@t\n").expect("written");
    is(&station, Direction::Source, BridgeState::Waiting).await;
    fails(&station, Direction::Source, "stream_missing").await;
    running.stop().await;
    // A user in the address, who is shown nowhere; and nobody.
    let mut ours = source(&broker, "s");
    ours.server.url = format!("redis://egor:s3cr%40t@127.0.0.1:{}", broker.port);
    let running = run(&station, Some(ours), None);
    fails(&station, Direction::Source, "stream_missing").await;
    assert_eq!(
        info(&station, Direction::Source).expect("there").target,
        format!("{} stream s", broker.url())
    );
    running.stop().await;
    let running = run(&station, Some(source(&broker, "s")), None);
    fails(&station, Direction::Source, "not_allowed").await;
    running.stop().await;
    let shown = serde_json::to_string(&station.hub.bridges().infos()).expect("JSON");
    let told = serde_json::to_string(&station.stored("").await).expect("JSON");
    assert!(!shown.contains("s3cr") && !told.contains("s3cr"));
}

#[tokio::test]
async fn a_password_alone_lets_in() {
    let Some(broker) = Server::with("requirepass s3cret") else {
        return;
    };
    let station = Station::new();
    let file = broker.file("password");
    std::fs::write(&file, "s3cret").expect("written");
    let mut ours = source(&broker, "s");
    ours.server.password_file = Some(file);
    let running = run(&station, Some(ours), None);
    fails(&station, Direction::Source, "stream_missing").await;
    running.stop().await;
}

/// The rights that docs/redis.md names are enough, and what is not among them is said.
#[tokio::test]
async fn the_rights_of_the_manual_are_enough_and_fewer_are_said() {
    let reads = "+xreadgroup +xread +xack +xautoclaim +xgroup|create +xinfo +ping";
    let writes = "+xadd +xrevrange +xdel +publish +client|list +client|kill +client|setname";
    let rights = format!(
        "user kymo on >p ~v5:stream &v5:events {reads} +subscribe +psubscribe {writes}\n\
         user few on >p ~v5:stream resetchannels +xreadgroup +xread +xinfo +ping +xrevrange +publish"
    );
    let Some(broker) = Server::with(&rights) else {
        return;
    };
    let station = Station::new();
    let url = |user: &str| format!("redis://{user}:p@127.0.0.1:{}", broker.port);
    let bridges = |user: &str| {
        let mut ours = RedisSource {
            channels: vec!["v5:events".into()],
            ..source(&broker, "v5:stream")
        };
        ours.server.url = url(user);
        let mut out = sink(&broker, "type:b");
        out.server.url = url(user);
        (Some(ours), Some(out))
    };
    let (ours, out) = bridges("few");
    let running = run(&station, ours, out);
    let said = fails(&station, Direction::Source, "not_allowed").await;
    assert!(said.contains("give this user the permission"), "{said}");
    station.emit("b", 0..10).await;
    fails(&station, Direction::Sink, "not_allowed").await;
    assert_eq!(info(&station, Direction::Sink).expect("there").counts.events, 0);
    running.stop().await;
    let client = broker.client().await;
    assert_eq!(client.run::<u64>("XLEN v5:stream").await, 0);
    let (ours, out) = bridges("kymo");
    let running = run(&station, ours, out);
    is(&station, Direction::Source, BridgeState::Connected).await;
    is(&station, Direction::Sink, BridgeState::Connected).await;
    client.add("v5:stream", "*", v5("a", 1)).await;
    stored(&station, "type:a", 1).await;
    crate::rig::wait_for("the events in the stream", async || {
        (client.run::<u64>("XLEN v5:stream").await == 11).then_some(())
    })
    .await;
    running.stop().await;
}

/// A server that asks for a certificate, and has one for `name`.
fn with_tls(name: &str) -> Option<Server> {
    // The plain port is for the test itself.
    let tls = "tls-port 0\nport 0\ntls-port PORT\ntls-cert-file FOLDER/server.pem\ntls-key-file FOLDER/server.key\n\
               tls-ca-cert-file FOLDER/ca.pem\ntls-auth-clients yes";
    Server::prepared(tls, |folder| certificates(folder, name))
}

fn over_tls(broker: &Server) -> RedisSource {
    let mut ours = source(broker, "s");
    ours.server.url = format!("rediss://127.0.0.1:{}", broker.port);
    ours.server.tls_ca = Some(broker.file("ca.pem"));
    ours.server.tls_cert = Some(broker.file("server.pem"));
    ours.server.tls_key = Some(broker.file("server.key"));
    ours
}

#[tokio::test]
async fn tls_checks_the_name_and_shows_our_certificate() {
    let (Some(broker), Some(other)) = (with_tls("IP:127.0.0.1"), with_tls("DNS:other.example")) else {
        return;
    };
    let station = Station::new();
    let running = run(&station, Some(over_tls(&broker)), None);
    fails(&station, Direction::Source, "stream_missing").await;
    running.stop().await;
    let mut strange = over_tls(&broker);
    strange.server.tls_ca = None;
    let mut nobody = over_tls(&broker);
    (nobody.server.tls_cert, nobody.server.tls_key) = (None, None);
    for refused in [over_tls(&other), strange, nobody] {
        let running = run(&station, Some(refused), None);
        let said = fails(&station, Direction::Source, "tls_failed").await;
        assert!(said.contains("tls_ca"), "{said}");
        running.stop().await;
    }
    let mut missing = over_tls(&broker);
    missing.server.tls_ca = Some(broker.file("missing.pem"));
    let running = run(&station, Some(missing), None);
    fails(&station, Direction::Source, "secret_unreadable").await;
    running.stop().await;
}

#[tokio::test]
async fn a_station_does_not_wait_for_a_server_that_is_away_and_finds_it_when_it_comes() {
    let mut broker = Server::down("");
    let station = Station::new();
    let running = run(
        &station,
        Some(source(&broker, "s")),
        Some(sink(&broker, "type:b")),
    );
    fails(&station, Direction::Source, "unreachable").await;
    fails(&station, Direction::Sink, "unreachable").await;
    if broker.up() {
        is(&station, Direction::Sink, BridgeState::Connected).await;
        broker.kill();
        is(&station, Direction::Sink, BridgeState::Waiting).await;
    }
    let began = std::time::Instant::now();
    running.stop().await;
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
}
