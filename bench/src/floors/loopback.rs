//! Loopback TCP without a server's work: ready frames to many readers, and the bytes of a file to one.

use std::{
    fs::File,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::Instant,
};

use crate::{
    Outcome,
    args::Scale,
    contestants::kymo_socket as frames,
    events,
    figures::{Figures, RATE, figure},
    load::{Drive, Heard, Link, Wire},
    process,
    works::Readers,
};

/// Events of a frame.
const FRAME: u64 = 1_000;

/// Threads that read, as in the work that this is the floor of.
const THREADS: usize = 2;

/// Bytes of the file that are sent at once.
const PIECE_BYTES: usize = 256 << 10;

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

/// A file of ready frames, read and sent a piece at a time to one reader: what replay cannot be faster than. Twice, as
/// the past is: the second time counts.
pub(crate) fn file_to_reader(scale: &Scale) -> Outcome<Figures> {
    let folder = process::folder()?;
    let path = folder.path().join("floor.bin");
    let mut file = File::create(&path)?;
    for first in (0..scale.replay_events).step_by(usize::try_from(FRAME)?) {
        let count = FRAME.min(scale.replay_events - first);
        file.write_all(&frames::of_events(first + 1, &events::events(first, count)))?;
    }
    let mut seconds = 0.0;
    for _ in 0..2 {
        let (near, far) = pairs(1)?;
        let links: Outcome<_> = far.into_iter().map(frames::listen).collect();
        let mut drive = Drive::new(links?)?;
        let (mut file, mut socket) = (File::open(&path)?, near.into_iter().next().ok_or("no pair")?);
        let begun = Instant::now();
        let sending = std::thread::spawn(move || -> std::io::Result<()> {
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                match file.read(&mut piece)? {
                    0 => return Ok(()),
                    count => socket.write_all(&piece[..count])?,
                }
            }
        });
        drive.until(|link| link.heard.tally.count >= scale.replay_events)?;
        seconds = begun.elapsed().as_secs_f64();
        sending.join().map_err(|_| "the sending thread panicked")??;
    }
    Ok(vec![figure(
        RATE,
        "events/s",
        scale.replay_events as f64 / seconds,
    )])
}

/// So many connections, both ends of each.
pub(super) fn pairs(count: usize) -> Outcome<(Vec<TcpStream>, Vec<TcpStream>)> {
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
pub(super) struct Deaf;

impl Wire for Deaf {
    fn read(&mut self, bytes: &[u8], _: &mut Heard, _: &mut Vec<u8>) -> Outcome<usize> {
        Ok(bytes.len())
    }
}
