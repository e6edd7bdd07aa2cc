//! The closed loop: every client calls, awaits the answer, and calls again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::drive::Drive;
use crate::Outcome;

/// One request, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Its bytes.
    pub(crate) bytes: Arc<[u8]>,
    /// How many answers it gets before the next may be sent.
    pub(crate) answers: u64,
}

/// What a closed loop did.
pub(crate) struct Laps {
    /// Calls that were answered before the time was over.
    pub(crate) calls: u64,
    /// The time.
    pub(crate) seconds: f64,
    /// From each call to its last answer.
    pub(crate) waits: Vec<Duration>,
}

struct Client {
    called: Instant,
    due: u64,
    next: usize,
}

/// Lets every link of `drive` go round its own `calls` for `time`, one at a time, and waits for the last answers.
pub(crate) fn closed_loop(drive: &mut Drive, calls: &[Vec<Call>], time: Duration) -> Outcome<Laps> {
    let begun = Instant::now();
    let mut clients = Vec::with_capacity(calls.len());
    for (link, calls) in drive.links.iter_mut().zip(calls) {
        clients.push(Client {
            called: Instant::now(),
            due: link.heard.answers + calls[0].answers,
            next: 1,
        });
        link.send(&calls[0].bytes)?;
    }
    let (mut waits, mut calling, mut in_time) = (Vec::with_capacity(1 << 17), clients.len(), 0);
    while calling > 0 {
        drive.turn(|index, link| {
            let client = &mut clients[index];
            if link.heard.answers < client.due {
                return Ok(());
            }
            let now = Instant::now();
            waits.push(now - client.called);
            if now - begun >= time {
                calling -= 1;
                return Ok(());
            }
            in_time += 1;
            let call = &calls[index][client.next % calls[index].len()];
            *client = Client {
                called: now,
                due: client.due + call.answers,
                next: client.next + 1,
            };
            link.send(&call.bytes)
        })?;
    }
    Ok(Laps {
        calls: in_time,
        seconds: time.as_secs_f64(),
        waits,
    })
}
