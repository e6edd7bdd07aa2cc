//! Requests at the edge of HTTP and beyond: smuggling shapes, floods of headers, endless addresses, pipelines.

use super::{KIB, MIB, Scene};
use crate::support::raw::{Raw, post};

/// Who are not known yet, each with a head that does not end.
const STRANGERS: u64 = 200;

/// What is no request at all is answered by its status alone, or by the end of the connection.
fn status_of(scene: &Scene, request: impl AsRef<[u8]>) -> Option<u16> {
    let mut raw = Raw::to(&scene.server);
    let _ = raw.send(request);
    raw.half_close();
    raw.answer().map(|answer| answer.status)
}

#[test]
fn requests_that_say_two_things_are_refused_and_nothing_is_smuggled() {
    let scene = Scene::new();
    let token = &scene.server.token;
    let smuggled = String::from_utf8(post(token, "", b"{\"type\":\"smuggled\"}")).expect("text");
    let head = |headers: &str| {
        format!(
            "POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
        )
    };
    let shapes = [
        ("two lengths", head("Content-Length: 5\r\nContent-Length: 6\r\n")),
        ("a list of lengths", head("Content-Length: 5, 6\r\n")),
        ("a signed length", head("Content-Length: +5\r\n")),
        ("a negative length", head("Content-Length: -1\r\n")),
        (
            "an endless length",
            head("Content-Length: 99999999999999999999999\r\n"),
        ),
        ("a length in words", head("Content-Length: five\r\n")),
        ("a length in two lines", head("Content-Length:\r\n 5\r\n")),
        ("a space before the colon", head("Content-Length : 5\r\n")),
        ("an unknown coding", head("Transfer-Encoding: cow\r\n")),
        ("chunked not last", head("Transfer-Encoding: chunked, gzip\r\n")),
        ("chunked in disguise", head("Transfer-Encoding: \u{b}chunked\r\n")),
        (
            "a broken chunk",
            head("Transfer-Encoding: chunked\r\n") + "zz\r\n",
        ),
        (
            "an endless chunk",
            head("Transfer-Encoding: chunked\r\n") + "fffffffffffffffff\r\n",
        ),
        (
            "a chunk with endless extensions",
            head("Transfer-Encoding: chunked\r\n") + "1;" + &"x".repeat(100_000),
        ),
        ("NUL in a header", head("X: a\0b\r\n")),
        ("a bare line feed in a header", head("X: a\rb\r\n")),
    ];
    scene.bystander.is_unhurt_by("smuggling", || {
        for (name, request) in &shapes {
            let status = status_of(&scene, request.clone() + &smuggled);
            assert!(
                status.is_none_or(|status| (400..500).contains(&status)),
                "{name}: {status:?}"
            );
        }
    });
    // Length and chunks together: the chunks decide, and the connection ends behind this request.
    let both = head("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + &smuggled;
    let mut raw = Raw::to(&scene.server);
    raw.send(both).expect("it is taken");
    let first = raw.answer();
    assert!(first.is_none_or(|first| first.status >= 400), "nothing was sent");
    assert!(raw.answer().is_none(), "the connection ends");
    assert_eq!(scene.server.events("type:smuggled").len(), 0);
    scene.end(150 * MIB);
}

#[test]
fn floods_of_headers_and_endless_addresses_are_refused_and_hurt_nobody() {
    let scene = Scene::new();
    let token = &scene.server.token;
    let get = |path: &str, headers: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{headers}\r\n")
    };
    let many: String = (0..10_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let large = format!("X: {}\r\n", "y".repeat(1 << 20));
    let long = format!("/api/v1/events?filter={}", "a".repeat(1 << 20));
    let just_fits = format!("/api/v1/events?{}=1", "a".repeat(60_000));
    let floods = [
        ("ten thousand headers", get("/healthz", &many), 431),
        ("a header of a megabyte", get("/healthz", &large), 431),
        ("an address of a megabyte", get(&long, ""), 414),
        ("a parameter of sixty kilobytes", get(&just_fits, ""), 400),
        (
            "a cookie of sixty kilobytes",
            get("/healthz", &format!("Cookie: {}\r\n", "kymo=x; ".repeat(7_000))),
            200,
        ),
        (
            "a token of sixty kilobytes",
            get("/api/v1/events", "").replace(token, &"t".repeat(60_000)),
            401,
        ),
    ];
    scene.bystander.is_unhurt_by("floods of headers", || {
        for (name, request, expected) in &floods {
            let status = status_of(&scene, request);
            assert!(
                status.is_none_or(|status| status == *expected || status == 431),
                "{name}: {status:?}"
            );
        }
    });
    // Heads that never end, from strangers.
    for bytes in [60_000, 300_000] {
        let before = scene.server.memory();
        let unfinished: Vec<Raw> = (0..STRANGERS)
            .map(|_| {
                let raw = Raw::to(&scene.server);
                let _ = raw.send(format!(
                    "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}",
                    "y".repeat(bytes)
                ));
                raw
            })
            .collect();
        let mut healthy = Raw::to(&scene.server);
        healthy.send(get("/healthz", "")).expect("it is taken");
        assert_eq!(healthy.answer().map(|answer| answer.status), Some(200));
        if let (Some(before), Some(after)) = (before, scene.server.memory()) {
            let each = after.now.saturating_sub(before.now) / STRANGERS;
            println!("{each} bytes for a head of {bytes} bytes that does not end");
            assert!(each < 200 * KIB, "{each} bytes for each of {STRANGERS}");
        }
        drop(unfinished);
    }
    scene.end(150 * MIB);
}

#[test]
fn a_pipeline_of_thousands_is_answered_in_order_and_one_that_nobody_reads_waits() {
    let scene = Scene::new();
    let token = &scene.server.token;
    scene.bystander.is_unhurt_by("pipelines", || {
        let mut raw = Raw::to(&scene.server);
        let requests: Vec<u8> = (0..500)
            .flat_map(|n| {
                post(
                    token,
                    "",
                    format!("{{\"type\":\"piped\",\"data\":{{\"n\":{n}}}}}").as_bytes(),
                )
            })
            .collect();
        raw.send(requests).expect("it is taken");
        let seqs: Vec<u64> = (0..500)
            .map(|_| {
                raw.answer().expect("an answer").json()["first"]
                    .as_u64()
                    .expect("a seq")
            })
            .collect();
        assert!(seqs.is_sorted(), "answers come in order");
    });
    // Questions without end, and nobody takes an answer: the server stops reading instead of piling them up.
    let before = scene.server.memory();
    let raw = Raw::open(&scene.server.address(), Some(4 << 10)).expect("the server listens");
    raw.socket().set_nonblocking(true).expect("a socket");
    let question = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
    let (mut taken, mut refused) = (0, 0);
    while taken < 64 << 20 && refused < 50 {
        match std::io::Write::write(&mut raw.socket(), question.as_bytes()) {
            Ok(count) => taken += count,
            Err(_) => {
                refused += 1;
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
    assert!(
        refused == 50,
        "{taken} bytes of questions were taken and none was answered"
    );
    if let (Some(before), Some(after)) = (before, scene.server.memory()) {
        assert!(after.now < before.now + 32 * MIB, "{before:?} → {after:?}");
    }
    scene.end(150 * MIB);
}
