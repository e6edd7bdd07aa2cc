//! What would lose or invent messages of a stream is refused.

use super::*;

#[tokio::test]
async fn who_is_no_stream_acknowledges_nothing() {
    let (station, broker) = (Station::new(), Broker::start());
    let stranger = broker.client().await;
    let mut asked = stranger.subscribe("t.>").await.expect("subscribed");
    stranger.flush().await.expect("the server knows");
    let out = NatsSink {
        stream: Some("T".into()),
        ..sink(&broker, "type:b", "t.{type}")
    };
    station.emit("b", 0..10).await;
    let running = run(&station, None, Some(out));
    for answer in ["ok", "{}", "{\"stream\":\"T\"}", "{\"seq\":1}"]
        .iter()
        .cycle()
        .take(10)
    {
        let request = tokio::time::timeout(crate::rig::DEADLINE, asked.next()).await;
        let reply = request
            .expect("in time")
            .expect("one")
            .reply
            .expect("it wants an answer");
        stranger.publish(reply, (*answer).into()).await.expect("answered");
    }
    stranger.flush().await.expect("the server has them");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(info(&station, Direction::Sink).expect("there").counts.events, 0);
    running.stop().await;
}

#[tokio::test]
async fn a_stream_that_removes_what_is_acknowledged_is_not_read_past_what_is_asked_for() {
    let (station, broker) = (Station::new(), Broker::start());
    let context = jetstream::new(broker.client().await);
    let config = jetstream::stream::Config {
        name: "JOBS".into(),
        subjects: vec!["jobs.*".into()],
        retention: jetstream::stream::RetentionPolicy::WorkQueue,
        ..jetstream::stream::Config::default()
    };
    let mut jobs = context.create_stream(config).await.expect("made");
    context
        .publish("jobs.c", message(1).into())
        .await
        .expect("sent")
        .await
        .expect("stored");
    let two = NatsSource {
        subjects: vec!["jobs.a".into(), "jobs.b".into()],
        ..stream(&broker, "jobs.a", "JOBS")
    };
    let running = run(&station, Some(two), None);
    let said = fails(&station, Direction::Source, "consumer_refused").await;
    assert!(said.contains("removes what is acknowledged"), "{said}");
    running.stop().await;
    assert_eq!(jobs.info().await.expect("asked").state.messages, 1);
}

#[tokio::test]
async fn a_consumer_made_for_other_subjects_is_not_taken_for_ours() {
    let (station, broker) = (Station::new(), Broker::start());
    broker.stream("S", "s.*").await;
    let running = run(&station, Some(stream(&broker, "s.a", "S")), None);
    is(&station, Direction::Source, BridgeState::Connected).await;
    running.stop().await;
    let running = run(&station, Some(stream(&broker, "s.b", "S")), None);
    let said = fails(&station, Direction::Source, "consumer_refused").await;
    assert!(said.contains("\"s.a\""), "{said}");
    running.stop().await;
}
