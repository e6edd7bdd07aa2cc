//! The attacks: what hostile clients send, again and again.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use super::siege::{Attack, Attacker, Pace};
use crate::{
    Outcome,
    contestants::kymo::{Kymo, whole},
    load::{Drive, Opening},
};

const SECOND: Duration = Duration::from_secs(1);

/// So that the noise of the machine is seen.
pub(super) const NOTHING: Attack = Attack {
    attackers: 1,
    prepare: |_, _| {
        Ok(Box::new(|| {
            std::thread::sleep(SECOND / 100);
            Ok(())
        }))
    },
};

pub(super) const COMPUTING: Attack = Attack {
    attackers: 1,
    prepare: compute,
};

pub(super) const COMPUTING_FOURFOLD: Attack = Attack {
    attackers: 4,
    prepare: compute,
};

fn compute(_: &Kymo, _: usize) -> Outcome<Attacker> {
    let mut state = 1_u64;
    Ok(Box::new(move || {
        for _ in 0..1_000_000 {
            state = std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
        Ok(())
    }))
}

pub(super) const BOMBS: Attack = Attack {
    attackers: 4,
    prepare: |kymo, number| {
        let zeros = vec![0; 256 << 20];
        let (encoding, bomb) = if number.is_multiple_of(2) {
            ("zstd", zstd::encode_all(&zeros[..], 1)?)
        } else {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&zeros)?;
            ("gzip", gzip.finish()?)
        };
        let headers = format!("{LINES}Content-Encoding: {encoding}\r\n");
        Ok(posting(kymo, &headers, &bomb))
    },
};

pub(super) const BRACKETS: Attack = Attack {
    attackers: 4,
    prepare: |kymo, number| {
        let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
        let body = match number {
            0 => format!("{{\"type\":\"a\",\"data\":{open}{close}}}"),
            1 => format!("{{\"type\":\"a\",\"data\":{open}"),
            2 => open + &close,
            // A refusal for each line.
            _ => "[\n".repeat(100_000),
        };
        Ok(posting(kymo, LINES, body.as_bytes()))
    },
};

pub(super) const LARGE_BODIES: Attack = Attack {
    attackers: 2,
    prepare: |kymo, number| {
        let event = crate::events::event(number as u64).json;
        let events = vec![event; (31 << 20) / (crate::events::EVENT_BYTES + 1)];
        // What is wrong with an array shows at its end, and then nothing of it is stored.
        let body = format!("[{},oops]", events.join(","));
        Ok(posting(
            kymo,
            "Content-Type: application/json\r\n",
            body.as_bytes(),
        ))
    },
};

const LINES: &str = "Content-Type: application/x-ndjson\r\n";

/// Posts and awaits the answer, on one connection for as long as the server keeps it.
fn posting(kymo: &Kymo, headers: &str, body: &[u8]) -> Attacker {
    let (address, request) = (kymo.address().to_owned(), kymo.posting(headers, body));
    let mut kept: Option<Opening> = None;
    Box::new(move || {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Opening::connect(&address)?,
        };
        // Who has seen enough answers early and hangs up.
        if connection.send(&request).is_ok() && connection.expect(whole).is_ok() {
            kept = Some(connection);
        }
        Ok(())
    })
}

/// Readers that read nothing, of whom there are always so many.
const DEAF: usize = 40;

pub(super) const DEAF_READERS: Attack = Attack {
    attackers: 1,
    prepare: |kymo, _| {
        let address = kymo.address().to_owned();
        // Different filters, so that nothing is shared between them.
        let hellos: Vec<_> = (0..DEAF)
            .map(|reader| kymo.following(&format!("source:bench -agent:{reader}"), "start"))
            .collect();
        let mut readers = VecDeque::new();
        let (mut pace, mut next) = (Pace::new(20), 0);
        Ok(Box::new(move || {
            if readers.len() == DEAF {
                pace.wait();
                readers.pop_front();
            }
            let mut reader = TcpStream::connect(&address)?;
            reader.write_all(&hellos[next % DEAF])?;
            readers.push_back(reader);
            next += 1;
            Ok(())
        }))
    },
};

pub(super) const RUSH: Attack = Attack {
    attackers: 1,
    prepare: |kymo, _| {
        let address = kymo.address().to_owned();
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let (mut pace, mut next, mut answer) = (Pace::new(1_000), 0, Vec::new());
        Ok(Box::new(move || {
            pace.wait();
            next += 1;
            let mut stream = TcpStream::connect(&address)?;
            match next % 4 {
                0 | 1 => {
                    stream.write_all(request.as_bytes())?;
                    answer.clear();
                    stream.read_to_end(&mut answer)?;
                }
                2 => {
                    stream.write_all(&request.as_bytes()[..20])?;
                    stream.shutdown(Shutdown::Both)?;
                }
                _ => {}
            }
            Ok(())
        }))
    },
};

pub(super) const SLOW_HEADS: Attack = Attack {
    attackers: 1,
    prepare: |kymo, _| {
        const SLOW: u32 = 200;
        let address = kymo.address().to_owned();
        let request = kymo.posting(LINES, &b"x".repeat(10_000));
        let open = || Ok((TcpStream::connect(&address)?, 0));
        let mut clients = (0..SLOW).map(|_| open()).collect::<Outcome<Vec<_>>>()?;
        let mut pace = Pace::new(10 * SLOW);
        let mut next = 0;
        Ok(Box::new(move || {
            pace.wait();
            next = (next + 1) % clients.len();
            let (stream, sent) = &mut clients[next];
            // Those who were given up come again.
            if stream.write_all(&request[*sent..=*sent]).is_err() {
                (*stream, *sent) = (TcpStream::connect(&address)?, 0);
            } else {
                *sent += 1;
            }
            Ok(())
        }))
    },
};

pub(super) const DEAR_FILTERS: Attack = Attack {
    attackers: 1,
    prepare: |kymo, _| {
        let words = |term: &dyn Fn(usize) -> String| (0..512).map(term).collect::<Vec<_>>().join(" OR ");
        let dear = [
            words(&|n| format!("w{n:x}")),
            words(&|n| format!("data.k{n:x}:1")),
            format!("-({})", words(&|n| format!("w{n:x}"))),
            format!("type:*{}b", "a*".repeat(3_000)),
        ];
        let readers: Outcome<Vec<_>> = dear.iter().map(|filter| kymo.follow(filter)).collect();
        let mut drive = Drive::new(readers?)?;
        let mut pace = Pace::new(200);
        Ok(Box::new(move || {
            pace.wait();
            drive.glance()
        }))
    },
};
