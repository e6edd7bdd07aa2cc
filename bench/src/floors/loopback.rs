//! Loopback TCP without a server's work: a frame that was encoded once to many readers, and small requests answered.

use std::{
    fs::File,
    io::Write,
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::Instant,
};

use crate::{
    Outcome,
    args::Scale,
    contestants::kymo_socket as frames,
    events::{self, EVENT_BYTES},
    figures::{Figure, Figures, RATE, figure, p50_p99},
    load::{Call, Drive, Heard, Laps, Link, Wire, closed_loop},
    process,
    works::Readers,
};

/// Events of a frame.
const FRAME: u64 = 1_000;

/// Threads that read, as in the work that this is the floor of.
const THREADS: usize = 2;

/// Clients that ask.
const CLIENTS: usize = 64;

/// Bytes of an answer, about those of a receipt.
const ANSWER: &[u8] = &[b'a'; 120];

/// One writer, many readers, the same frame for all: what fan-out cannot be faster than.
pub(crate) fn burst(scale: &Scale) -> Outcome<Figures> {
    let frames = scale.burst_events / FRAME;
    let (near, far) = pairs(scale.burst_readers)?;
    let writers = near
        .into_iter()
        .map(|socket| Link::new(socket, Box::new(Deaf), Vec::new()));
    let readers = far.into_iter().map(frames::listen);
    let mut drive = Drive::new(writers.collect::<Outcome<_>>()?)?;
    let readers = Readers::start(readers.collect::<Outcome<_>>()?, THREADS, frames * FRAME)?;
    let frame = |number| frames::of_events(number * FRAME + 1, &events::events(0, FRAME)).into();
    let encoded: Vec<Arc<[u8]>> = (0..frames).map(frame).collect();
    let begun = Instant::now();
    for frame in &encoded {
        for link in &mut drive.links {
            link.send(frame)?;
        }
    }
    drive.until(Link::is_flushed)?;
    readers.join()?;
    let deliveries = frames * FRAME * scale.burst_readers as u64;
    let seconds = begun.elapsed().as_secs_f64();
    Ok(vec![figure(RATE, "deliveries/s", deliveries as f64 / seconds)])
}

/// Clients that send an event's bytes and await a receipt's, and one thread that does nothing but answer; beside it the
/// same where the thread appends what all have sent, syncs, and answers then: what durable events cannot be faster than
/// when they are nothing but bytes.
pub(crate) fn ping_pong(scale: &Scale) -> Outcome<Figures> {
    let laps = ask(scale, |servers| servers.turn(|_, link| answer(link)))?;
    let mut figures = vec![figure(RATE, "answers/s", laps.calls as f64 / laps.seconds)];
    figures.extend(p50_p99(laps.waits));
    let folder = process::folder()?;
    let mut file = File::create(folder.path().join("floor.bin"))?;
    let synced = ask(scale, move |servers| {
        let mut asked = Vec::new();
        servers.turn(|index, _| {
            asked.push(index);
            Ok(())
        })?;
        let bytes = asked.len() * EVENT_BYTES;
        file.write_all(&vec![b'e'; bytes])?;
        file.sync_data()?;
        asked
            .into_iter()
            .try_for_each(|index| answer(&mut servers.links[index]))
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

/// Clients that ask, and a thread that does `serve` until they hang up.
fn ask(scale: &Scale, mut serve: impl FnMut(&mut Drive) -> Outcome + Send + 'static) -> Outcome<Laps> {
    let (near, far) = pairs(CLIENTS)?;
    let servers = near
        .into_iter()
        .map(|socket| Link::new(socket, Box::new(Pong), Vec::new()));
    let mut servers = Drive::new(servers.collect::<Outcome<_>>()?)?;
    // Ends when the clients hang up.
    let answering = std::thread::spawn(move || while serve(&mut servers).is_ok() {});
    let clients = far
        .into_iter()
        .map(|socket| Link::new(socket, Box::new(Ping), Vec::new()));
    let mut clients = Drive::new(clients.collect::<Outcome<_>>()?)?;
    let call = Call {
        bytes: events::event(0).json.into_bytes().into(),
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
fn answer(link: &mut Link) -> Outcome {
    for _ in 0..std::mem::take(&mut link.heard.answers) {
        link.send(&ANSWER.into())?;
    }
    Ok(())
}

/// So many connections, both ends of each.
fn pairs(count: usize) -> Outcome<(Vec<TcpStream>, Vec<TcpStream>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for _ in 0..count {
        far.push(TcpStream::connect(listener.local_addr()?)?);
        near.push(listener.accept()?.0);
    }
    for socket in near.iter().chain(&far) {
        socket.set_nodelay(true)?;
    }
    Ok((near, far))
}

/// Expects nothing.
struct Deaf;

impl Wire for Deaf {
    fn read(&mut self, bytes: &[u8], _: &mut Heard, _: &mut Vec<u8>) -> Outcome<usize> {
        Ok(bytes.len())
    }
}

/// Counts what has an event's size as one that is to be answered.
struct Pong;

impl Wire for Pong {
    fn read(&mut self, bytes: &[u8], heard: &mut Heard, _: &mut Vec<u8>) -> Outcome<usize> {
        let whole = bytes.len() / EVENT_BYTES;
        heard.answers += whole as u64;
        Ok(whole * EVENT_BYTES)
    }
}

/// Counts answers.
struct Ping;

impl Wire for Ping {
    fn read(&mut self, bytes: &[u8], heard: &mut Heard, _: &mut Vec<u8>) -> Outcome<usize> {
        let whole = bytes.len() / ANSWER.len();
        heard.answers += whole as u64;
        Ok(whole * ANSWER.len())
    }
}
