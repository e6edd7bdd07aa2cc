//! Who we are there: passwords, tokens, keys, TLS, permissions.

use super::*;

#[tokio::test]
async fn a_wrong_password_is_said_and_a_right_one_in_the_file_lets_in_without_a_restart() {
    let (station, broker) = (
        Station::new(),
        Broker::with("authorization { user: egor, password: s3cret }"),
    );
    let file = broker.file("password");
    std::fs::write(&file, "wrong\n").expect("written");
    let mut source = core(&broker, "a");
    source.server.user = Some("egor".into());
    source.server.password_file = Some(file.clone());
    let running = run(&station, Some(source), None);
    let said = fails(&station, Direction::Source, "not_allowed").await;
    assert!(said.contains("look at user, password"), "{said}");
    std::fs::write(&file, "s3cret\n").expect("written");
    is(&station, Direction::Source, BridgeState::Connected).await;
    running.stop().await;
    let shown = serde_json::to_string(&station.hub.bridges().infos()).expect("JSON");
    let told = serde_json::to_string(&station.stored("").await).expect("JSON");
    assert!(!shown.contains("s3cret") && !told.contains("s3cret"));
}

#[tokio::test]
async fn a_token_lets_in_and_no_secret_of_an_address_is_shown() {
    let (station, broker) = (Station::new(), Broker::with("authorization { token: \"t0ken\" }"));
    let file = broker.file("token");
    std::fs::write(&file, "t0ken").expect("written");
    let mut source = core(&broker, "a");
    source.server.token_file = Some(file);
    let running = run(&station, Some(source), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    running.stop().await;
    let mut source = core(&broker, "a");
    source.server.url = format!("nats://t0ken@127.0.0.1:{}", broker.port);
    let running = run(&station, Some(source), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    running.stop().await;
    assert_eq!(
        info(&station, Direction::Source).expect("there").target,
        format!("{} a", broker.url())
    );
}

#[tokio::test]
async fn an_nkey_lets_in() {
    let pair = nkeys::KeyPair::new_user();
    let (station, broker) = (
        Station::new(),
        Broker::with(&format!(
            "authorization {{ users: [ {{ nkey: {} }} ] }}",
            pair.public_key()
        )),
    );
    let mut source = core(&broker, "a");
    let running = run(&station, Some(source.clone()), None);
    fails(&station, Direction::Source, "not_allowed").await;
    running.stop().await;
    source.server.nkey_file = Some(broker.file("seed"));
    let running = run(&station, Some(source), None);
    fails(&station, Direction::Source, "secret_unreadable").await;
    std::fs::write(broker.file("seed"), pair.seed().expect("a seed")).expect("written");
    is(&station, Direction::Source, BridgeState::Connected).await;
    running.stop().await;
}

/// A certificate for `name`, signed by an authority of our own.
fn certificates(folder: &std::path::Path, name: &str) {
    let openssl = |args: &[&str]| {
        let status = Command::new("openssl")
            .args(args)
            .current_dir(folder)
            .stderr(std::process::Stdio::null())
            .status()
            .expect("openssl is installed");
        assert!(status.success(), "openssl {args:?}");
    };
    let ec = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ];
    let mut authority = vec![
        "req",
        "-x509",
        "-days",
        "2",
        "-subj",
        "/CN=authority",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    ];
    authority.extend(ec);
    openssl(&authority);
    let mut request = vec![
        "req",
        "-subj",
        "/CN=server",
        "-keyout",
        "server.key",
        "-out",
        "server.csr",
    ];
    request.extend(ec);
    openssl(&request);
    std::fs::write(
        folder.join("names"),
        format!("subjectAltName={name}\nextendedKeyUsage=serverAuth,clientAuth\n"),
    )
    .expect("written");
    openssl(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-days",
        "2",
        "-out",
        "server.pem",
        "-extfile",
        "names",
    ]);
}

fn with_tls(name: &str) -> Broker {
    let tls = "tls { cert_file: \"FOLDER/server.pem\", key_file: \"FOLDER/server.key\", ca_file: \"FOLDER/ca.pem\", verify: true }";
    Broker::prepared(tls, |folder| certificates(folder, name))
}

fn over_tls(broker: &Broker) -> NatsSource {
    let mut source = core(broker, "a");
    source.server.tls_ca = Some(broker.file("ca.pem"));
    source.server.tls_cert = Some(broker.file("server.pem"));
    source.server.tls_key = Some(broker.file("server.key"));
    source
}

#[tokio::test]
async fn tls_checks_the_name_and_shows_our_certificate() {
    let (station, broker) = (Station::new(), with_tls("IP:127.0.0.1"));
    let running = run(&station, Some(over_tls(&broker)), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    running.stop().await;
    let other = with_tls("DNS:other.example");
    let running = run(&station, Some(over_tls(&other)), None);
    let said = fails(&station, Direction::Source, "tls_failed").await;
    assert!(said.contains("tls_ca"), "{said}");
    running.stop().await;
    let mut strange = over_tls(&broker);
    strange.server.tls_ca = None;
    let running = run(&station, Some(strange), None);
    fails(&station, Direction::Source, "tls_failed").await;
    running.stop().await;
}

#[tokio::test]
async fn what_a_user_may_not_do_is_said() {
    let rights = "authorization { users: [ { user: u, password: p, permissions: { publish: [\"_INBOX.>\"], subscribe: [\"_INBOX.>\"] } } ] }";
    let (station, broker) = (Station::new(), Broker::with(rights));
    let url = format!("nats://u:p@127.0.0.1:{}", broker.port);
    let mut source = core(&broker, "a");
    source.server.url.clone_from(&url);
    let mut out = sink(&broker, "type:b", "b");
    out.server.url = url;
    let running = run(&station, Some(source), Some(out));
    let said = fails(&station, Direction::Source, "not_allowed").await;
    assert!(said.contains("Permissions Violation"), "{said}");
    station.emit("b", 0..10).await;
    fails(&station, Direction::Sink, "not_allowed").await;
    assert_eq!(
        info(&station, Direction::Sink).expect("there").counts.events,
        0,
        "nothing counts as given"
    );
    running.stop().await;
}
