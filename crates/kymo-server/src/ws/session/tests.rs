//! What a session does between two bytes of its peer.
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::*;
use crate::{stage::Stage, ws::frame::masked};

/// Far more answers than may wait for a peer, and less than this one takes at once.
const QUESTIONS: usize = 8_000;
const PEER_TAKES: usize = 4 << 20;

#[tokio::test(start_paused = true)]
async fn what_an_answer_made_room_for_is_heard_though_no_further_byte_comes() {
    let stage = Stage::new();
    let (ours, mut theirs) = tokio::io::duplex(PEER_TAKES);
    let question = format!(r#"{{"op":"ping","ref":"{}"}}"#, "r".repeat(200));
    let questions = masked(0x81, question.as_bytes(), [7; 4]).repeat(QUESTIONS);
    let talk = Box::new(Talk::new(stage.app.clone(), Some(stage.owner())));
    // All of it has come already when the session begins.
    let mut session = Session::new(ours, &questions, talk);
    let began = Instant::now();
    let mut heard = Vec::new();
    let all_answers = async {
        while pongs(&heard) < QUESTIONS {
            theirs.read_buf(&mut heard).await.expect("it is read");
        }
    };
    tokio::select! {
        _ = session.run() => panic!("the session ended"),
        () = all_answers => {}
    }
    // The clock stands still but for timers: a session that sleeps is woken by its next tick.
    assert_eq!(
        began.elapsed(),
        Duration::ZERO,
        "it slept beside what it was asked"
    );
}

fn pongs(heard: &[u8]) -> usize {
    const PONG: &[u8] = br#"{"op":"pong""#;
    heard.windows(PONG.len()).filter(|text| *text == PONG).count()
}
