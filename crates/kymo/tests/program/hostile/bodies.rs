//! Bodies that are not what they seem: bombs, brackets, nothing but NUL, and a gigabyte that never comes.

use std::io::Write;

use super::{MIB, Scene};
use crate::support::raw::{Answer, Raw, post, post_head};

fn answer_to(scene: &Scene, headers: &str, body: &[u8]) -> Answer {
    let mut raw = Raw::to(&scene.server);
    // A server that has seen enough may answer before it has read everything.
    let _ = raw.send(post(&scene.server.token, headers, body));
    raw.answer().expect("an answer")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn bombs_are_refused_at_the_limit_and_hurt_nobody() {
    let scene = Scene::new();
    let zeros = vec![0; 256 << 20];
    let spaces = vec![b' '; 64 << 20];
    let bombs = [
        ("gzip", gzip(&zeros)),
        ("zstd", zstd::encode_all(&zeros[..], 1).expect("memory")),
        ("gzip", gzip(&spaces)),
        ("zstd", zstd::encode_all(&spaces[..], 1).expect("memory")),
        // Many small members, each of them nothing.
        ("gzip", gzip(b"").repeat(100_000)),
        (
            "zstd",
            zstd::encode_all(&b""[..], 1).expect("memory").repeat(100_000),
        ),
    ];
    drop((zeros, spaces));
    scene.bystander.goes_on_beside("bombs", || {
        std::thread::scope(|threads| {
            for (encoding, bomb) in &bombs {
                let scene = &scene;
                threads.spawn(move || {
                    let answer = answer_to(scene, &format!("Content-Encoding: {encoding}\r\n"), bomb);
                    let code = answer.code();
                    assert!(
                        ["batch_too_large", "busy"].contains(&code.as_str())
                            || answer.status == 200
                            || answer.rejected() == ["empty_body"],
                        "{encoding}: {answer:?}"
                    );
                });
            }
        });
    });
    scene.end(400 * MIB);
}

#[test]
fn brackets_nul_bytes_and_broken_text_are_refused_by_name_and_hurt_nobody() {
    let scene = Scene::new();
    let open = "[".repeat(100_000);
    let close = "]".repeat(100_000);
    let nul = [&br#"{"type":"a","data":""#[..], &[0; 1000], br#""}"#].concat();
    let cases: &[(&str, Vec<u8>, &[&str])] = &[
        (
            "open brackets",
            format!("{{\"type\":\"a\",\"data\":{open}").into(),
            &["too_deep", "invalid_json"],
        ),
        (
            "brackets",
            format!("{{\"type\":\"a\",\"data\":{open}{close}}}").into(),
            &["too_deep"],
        ),
        (
            "braces",
            format!("{{\"type\":\"a\",\"data\":{}", "{\"a\":".repeat(100_000)).into(),
            &["too_deep", "invalid_json"],
        ),
        (
            "nothing but brackets",
            open.clone().into(),
            &["too_deep", "invalid_json", "not_an_event"],
        ),
        ("NUL in a text", nul, &["invalid_json"]),
        ("nothing but NUL", vec![0; 100_000], &["invalid_json"]),
        (
            "no UTF-8",
            b"{\"type\":\"a\",\"data\":\"\xff\xfe\xed\xa0\x80\"}".to_vec(),
            &["invalid_utf8"],
        ),
        (
            "a type of megabytes",
            format!("{{\"type\":\"{}\"}}", "t".repeat(900_000)).into(),
            &["name_too_long"],
        ),
        (
            "a key of megabytes",
            format!("{{\"{}\":1}}", "k".repeat(900_000)).into(),
            &["type_missing"],
        ),
        (
            "one line too large",
            format!("{{\"type\":\"a\",\"data\":\"{}\"}}", "x".repeat(2 << 20)).into(),
            &["event_too_large"],
        ),
    ];
    scene.bystander.is_unhurt_by("brackets, NUL and broken text", || {
        for (name, body, codes) in cases {
            let answer = answer_to(&scene, "", body);
            assert_eq!(answer.status, 422, "{name}: {answer:?}");
            let rejected = answer.rejected();
            let known = rejected.iter().all(|code| codes.contains(&code.as_str()));
            assert!(known && !rejected.is_empty(), "{name}: {rejected:?}");
        }
    });
    // A hundred thousand refusals in one request: those named are bounded, all are counted.
    let answer = answer_to(&scene, "", &b"[\n".repeat(100_000));
    assert_eq!(answer.status, 422);
    let (named, more) = (answer.rejected().len(), answer.json()["rejected_more"].as_u64());
    assert_eq!((named as u64) + more.unwrap_or(0), 100_000);
    assert!(
        answer.body.len() < 1 << 20,
        "{} bytes of answer",
        answer.body.len()
    );
    scene.end(200 * MIB);
}

#[test]
fn bodies_that_are_announced_and_never_come_or_end_in_the_middle_hurt_nobody() {
    let scene = Scene::new();
    let token = &scene.server.token;
    scene.bystander.goes_on_beside("bodies that do not come", || {
        // A gigabyte is refused by its announcement, whether anything of it comes or not.
        let mut raw = Raw::to(&scene.server);
        raw.send(post_head(token, "Content-Length: 1073741824\r\n"))
            .expect("it is taken");
        raw.half_close();
        if let Some(answer) = raw.answer() {
            assert_eq!((answer.status, answer.code()), (413, "batch_too_large".into()));
        }
        for _ in 0..50 {
            let raw = Raw::to(&scene.server);
            let head = post_head(token, "Content-Length: 20000000\r\n");
            raw.send(head + "{\"type\":\"half\"}\n{\"type\":")
                .expect("it is taken");
            raw.reset();
            let raw = Raw::to(&scene.server);
            let head = post_head(token, "Transfer-Encoding: chunked\r\n");
            raw.send(head + "ffffff\r\n{\"type\":\"half\"}\n")
                .expect("it is taken");
        }
    });
    assert_eq!(
        scene.server.events("type:half").len(),
        0,
        "half a body is no body"
    );
    scene.end(200 * MIB);
}
