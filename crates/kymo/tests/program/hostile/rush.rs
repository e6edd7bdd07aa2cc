//! A thousand connections a second: some ask, some say nothing, some break off.

use std::time::{Duration, Instant};

use super::{MIB, Scene};
use crate::support::raw::Raw;

const PER_SECOND: u32 = 1_000;
const LASTS: Duration = Duration::from_secs(3);

#[test]
fn a_thousand_connections_a_second_hurt_nobody() {
    let scene = Scene::new();
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    scene
        .bystander
        .is_unhurt_during("a thousand connections a second", || {
            let begun = Instant::now();
            let mut connections = 0;
            while begun.elapsed() < LASTS {
                let due = begun + Duration::from_secs(1) * connections / PER_SECOND;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let mut raw = Raw::to(&scene.server);
                match connections % 4 {
                    0 | 1 => {
                        raw.send(request).expect("it is taken");
                        assert_eq!(raw.answer().expect("an answer").status, 200);
                    }
                    2 => {
                        let _ = raw.send("GET /healthz HTTP/1.1\r\nHo");
                        raw.reset();
                    }
                    _ => drop(raw),
                }
                connections += 1;
            }
            println!(
                "{:.0} a second",
                f64::from(connections) / begun.elapsed().as_secs_f64()
            );
        });
    scene.end(150 * MIB);
}
