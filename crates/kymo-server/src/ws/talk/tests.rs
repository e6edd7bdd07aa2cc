//! Who is where, and for how long.
use super::*;
use crate::stage::Stage;

/// One more event of somebody who only emits.
async fn emit(talk: &mut Talk) {
    let text = r#"{"op":"emit","events":[{"type":"a.b"}]}"#;
    talk.hear(Incoming::Text(text)).await.expect("it is taken");
    talk.answers().await;
}

fn tick(talk: &mut Talk) {
    talk.happened(Happening::Tick).expect("nothing ends");
}

#[tokio::test]
async fn who_emits_nothing_from_one_tick_to_the_next_leaves_the_lane_and_may_come_again() {
    let stage = Stage::new();
    let mut talk = Talk::new(stage.app.clone(), Some(stage.owner()));
    for _ in 0..2 {
        emit(&mut talk).await;
        assert!(talk.may_leave(), "for the lane");
        let seat = talk.leave().expect("a seat");
        emit(&mut talk).await;
        tick(&mut talk);
        assert!(!talk.is_leaving(), "it has just emitted");
        emit(&mut talk).await;
        tick(&mut talk);
        assert!(!talk.is_leaving(), "and again");
        tick(&mut talk);
        assert!(talk.may_leave(), "nothing was emitted since");
        assert!(talk.leave().is_none(), "it goes back to where all others are");
        drop(seat);
    }
}
