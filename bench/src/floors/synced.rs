//! Requests that are nothing but bytes, answered by one thread: at once, and after they were appended to a file and
//! synced; and bytes that are handed on to readers after that. What durable events cannot be faster than.

use std::{fs::File, io::Write, sync::Arc};

use super::loopback::{Deaf, pairs};
use crate::{
    Outcome,
    args::Scale,
    contestants::kymo_socket as frames,
    events::{self, EVENT_BYTES},
    figures::{Figure, Figures, RATE, figure, p50_p99},
    load::{Call, Drive, Heard, Laps, Link, Wire, closed_loop},
    process,
    works::open_loop::{READERS, fixed_rate},
};

/// Clients that ask.
const CLIENTS: usize = 64;

/// Bytes of a request and of its answer.
#[derive(Clone, Copy)]
struct Talk {
    request: usize,
    answer: usize,
}

/// An event and the answer to it, with what WebSocket puts around them.
const SOCKET: Talk = Talk {
    request: EVENT_BYTES,
    answer: 120,
};

/// The same with the heads of HTTP: a client's with a token, and ours.
const HTTP: Talk = Talk {
    request: EVENT_BYTES + 200,
    answer: 320,
};

/// Clients that send an event's bytes and await a receipt's, and one thread that does nothing but answer; beside it the
/// same where the thread appends what all have sent, syncs, and answers then.
pub(crate) fn ping_pong(scale: &Scale) -> Outcome<Figures> {
    both(scale, SOCKET)
}

/// The same with as many bytes as HTTP needs, of which the event's are appended.
pub(crate) fn ping_pong_http(scale: &Scale) -> Outcome<Figures> {
    both(scale, HTTP)
}

fn both(scale: &Scale, talk: Talk) -> Outcome<Figures> {
    let laps = ask(scale, talk, move |servers| {
        servers.turn(|_, link| answer(link, talk))
    })?;
    let mut figures = vec![figure(RATE, "answers/s", laps.calls as f64 / laps.seconds)];
    figures.extend(p50_p99(laps.waits));
    let folder = process::folder()?;
    let mut file = File::create(folder.path().join("floor.bin"))?;
    let synced = ask(scale, talk, move |servers| {
        let mut asked = Vec::new();
        servers.turn(|index, _| {
            asked.push(index);
            Ok(())
        })?;
        append(&mut file, asked.len())?;
        asked
            .into_iter()
            .try_for_each(|index| answer(&mut servers.links[index], talk))
    })?;
    figures.push(figure(
        "synced before",
        "answers/s",
        synced.calls as f64 / synced.seconds,
    ));
    let [p50, p99] = p50_p99(synced.waits);
    figures.extend([
        Figure {
            name: "then p50",
            ..p50
        },
        Figure {
            name: "then p99",
            ..p99
        },
    ]);
    Ok(figures)
}

/// Events' bytes at a fixed rate to one thread that appends them, syncs, and writes a ready frame to each reader.
pub(crate) fn hand_on(scale: &Scale) -> Outcome<Figures> {
    let (near, far) = pairs(READERS + 1)?;
    let (mut near, mut far) = (near.into_iter(), far.into_iter());
    let asks = Link::new(
        near.next().ok_or("no pair")?,
        Box::new(Requests(SOCKET)),
        Vec::new(),
    )?;
    let mut asks = Drive::new(vec![asks])?;
    let publisher = Link::new(
        far.next().ok_or("no pair")?,
        Box::new(Answers(SOCKET)),
        Vec::new(),
    )?;
    let writers = near.map(|socket| Link::new(socket, Box::new(Deaf), Vec::new()));
    let mut writers = Drive::new(writers.collect::<Outcome<_>>()?)?;
    let readers: Outcome<Vec<_>> = far.map(frames::listen).collect();
    let folder = process::folder()?;
    let mut file = File::create(folder.path().join("floor.bin"))?;
    let mut seq = 0;
    let handing = std::thread::spawn(move || -> Outcome {
        loop {
            let mut came = 0;
            // Ends when the publisher hangs up.
            asks.turn(|_, link| {
                came = link.heard.answers;
                Ok(())
            })?;
            append(&mut file, usize::try_from(came)?)?;
            let events: Vec<_> = (0..came).map(events::event).collect();
            let frame = frames::of_events(seq + 1, &events).into();
            seq += came;
            writers.links.iter_mut().try_for_each(|link| link.send(&frame))?;
            answer(&mut asks.links[0], SOCKET)?;
        }
    });
    let call = |number| -> Arc<[u8]> { events::event(number).json.into_bytes().into() };
    let figures = fixed_rate(readers?, publisher, call, scale)?;
    // It ended because all others have.
    let _ = handing.join().map_err(|_| "the thread that hands on panicked")?;
    Ok(figures)
}

fn append(file: &mut File, events: usize) -> Outcome {
    if events > 0 {
        file.write_all(&vec![b'e'; events * EVENT_BYTES])?;
        file.sync_data()?;
    }
    Ok(())
}

/// Clients that ask, and a thread that does `serve` until they hang up.
fn ask(
    scale: &Scale,
    talk: Talk,
    mut serve: impl FnMut(&mut Drive) -> Outcome + Send + 'static,
) -> Outcome<Laps> {
    let (near, far) = pairs(CLIENTS)?;
    let servers = near
        .into_iter()
        .map(|socket| Link::new(socket, Box::new(Requests(talk)), Vec::new()));
    let mut servers = Drive::new(servers.collect::<Outcome<_>>()?)?;
    // Ends when the clients hang up.
    let answering = std::thread::spawn(move || while serve(&mut servers).is_ok() {});
    let clients = far
        .into_iter()
        .map(|socket| Link::new(socket, Box::new(Answers(talk)), Vec::new()));
    let mut clients = Drive::new(clients.collect::<Outcome<_>>()?)?;
    let call = Call {
        bytes: vec![b'r'; talk.request].into(),
        answers: 1,
    };
    let calls = vec![vec![call]; CLIENTS];
    closed_loop(&mut clients, &calls, scale.warm_up)?;
    let laps = closed_loop(&mut clients, &calls, scale.closed_loop)?;
    drop(clients);
    answering.join().map_err(|_| "the answering thread panicked")?;
    Ok(laps)
}

/// Sends the answers that are due.
fn answer(link: &mut Link, talk: Talk) -> Outcome {
    for _ in 0..std::mem::take(&mut link.heard.answers) {
        link.send(&vec![b'a'; talk.answer].into())?;
    }
    Ok(())
}

/// Counts what has a request's size as one that is to be answered.
struct Requests(Talk);

impl Wire for Requests {
    fn read(&mut self, bytes: &[u8], heard: &mut Heard, _: &mut Vec<u8>) -> Outcome<usize> {
        Ok(count(bytes, self.0.request, heard))
    }
}

/// Counts answers.
struct Answers(Talk);

impl Wire for Answers {
    fn read(&mut self, bytes: &[u8], heard: &mut Heard, _: &mut Vec<u8>) -> Outcome<usize> {
        Ok(count(bytes, self.0.answer, heard))
    }
}

/// Bytes of all that is whole.
fn count(bytes: &[u8], size: usize, heard: &mut Heard) -> usize {
    let whole = bytes.len() / size;
    heard.answers += whole as u64;
    whole * size
}
