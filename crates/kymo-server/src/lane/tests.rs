//! Who finds a seat, and what becomes of whom the lane leaves.
use super::*;
use crate::stage::Stage;

#[tokio::test]
async fn there_are_so_many_seats_and_one_that_is_left_is_free_again() {
    let stage = Stage::new();
    let seat = || stage.app.lane.seat(&stage.app);
    let mut taken: Vec<_> = (0..SEATS).map(|_| seat().expect("a seat")).collect();
    assert!(seat().is_none(), "all are taken");
    taken.pop();
    taken.extend(seat());
    assert_eq!(taken.len() as u64, SEATS);
    assert!(seat().is_none(), "it was the only one");
}

#[tokio::test]
async fn who_sits_in_a_lane_that_ends_is_told() {
    let stage = Stage::new();
    let seat = stage.app.lane.seat(&stage.app).expect("a seat");
    stage.app.lane.end();
    let work = seat.serve(std::future::pending::<()>());
    assert!(work.await.is_none(), "nobody waits for what does not go on");
}
