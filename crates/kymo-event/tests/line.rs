//! The line of the ledger: its exact form, and that what is written is what is read.
use std::borrow::Cow;

use kymo_event::{
    Batch, Event, Level, LineError, LineView, Micros, RawJson, Seq, check_crc, filter::Key, write_line,
};
use proptest::prelude::*;

/// The two lines of the format's description. Their checksums there are illustrations, so the lines parse but fail
/// the check; with the right ones they are what `write_line` gives.
const DESCRIBED: [&str; 2] = [
    r#"{"seq":18442,"recorded":"2026-02-14T19:01:23.457102Z","id":"0198c2f0-6f1e-7c55-a1c1-3b6c2f6f0a11","time":"2026-02-14T19:01:23.456789Z","type":"tool.started","source":"claude-code","level":"info","agent":"planner","session":"3f2a","task":"demo-001","trace":"5b8e…","span":"toolu_01A","parent":"msg_1","user":"egor","tier":"gold","data":{"tool":"Bash"},"ext":{"cycle":42,"day":1551},"dialect":"hooks","crc":"9ae0daaf"}"#,
    r#"{"seq":18443,"recorded":"2026-02-14T19:01:23.457102Z","type":"cycle.start","source":"daemon","level":"info","data":{"day":1551},"crc":"03ab91e2"}"#,
];

fn line_of(seq: u64, event: &Event<'_>) -> String {
    let mut batch = Batch::default();
    batch.push(event);
    let mut out = Vec::new();
    let recorded = Micros::parse("2026-02-14T19:01:23.457102Z").unwrap().text();
    write_line(&mut out, Seq::new(seq).unwrap(), &recorded, batch.body(0));
    assert_eq!(out.pop(), Some(b'\n'));
    String::from_utf8(out).unwrap()
}

#[test]
fn the_described_lines_are_read_and_written_to_the_byte() {
    for (described, seq) in DESCRIBED.into_iter().zip([18442, 18443]) {
        let view = LineView::parse(described.as_bytes()).unwrap();
        assert_eq!(view.seq().get(), seq);
        assert_eq!(view.recorded().to_string(), "2026-02-14T19:01:23.457102Z");
        let written = line_of(seq, &view.to_event());
        let without_crc = described.len() - r#""9ae0daaf"}"#.len();
        assert_eq!(written[..without_crc], described[..without_crc]);
        assert!(check_crc(written.as_bytes()));
    }
}

#[test]
fn every_key_of_the_first_described_line_is_found() {
    let view = LineView::parse(DESCRIBED[0].as_bytes()).unwrap();
    let keys = [
        (Key::Id, "0198c2f0-6f1e-7c55-a1c1-3b6c2f6f0a11"),
        (Key::Type, "tool.started"),
        (Key::Source, "claude-code"),
        (Key::Level, "info"),
        (Key::Agent, "planner"),
        (Key::Session, "3f2a"),
        (Key::Task, "demo-001"),
        (Key::Trace, "5b8e…"),
        (Key::Span, "toolu_01A"),
        (Key::Parent, "msg_1"),
        (Key::User, "egor"),
        (Key::Tier, "gold"),
        (Key::Dialect, "hooks"),
        (Key::Seq, "18442"),
    ];
    for (key, text) in keys {
        assert_eq!(view.key(key).as_deref(), Some(text), "{key:?}");
        assert_eq!(view.raw_key(key), Some(text), "{key:?}");
    }
    assert_eq!(view.key(Key::Backfill), None);
    assert_eq!(view.data(), Some(r#"{"tool":"Bash"}"#));
    assert_eq!(view.ext(), Some(r#"{"cycle":42,"day":1551}"#));
    assert_eq!(view.time().to_string(), "2026-02-14T19:01:23.456789Z");
    assert!(view.body().starts_with(b",\"id\":") && view.body().ends_with(b"\"hooks\""));
}

#[test]
fn the_time_of_commit_serves_where_the_emitter_gave_none() {
    let view = LineView::parse(DESCRIBED[1].as_bytes()).unwrap();
    assert_eq!(view.emitted(), None);
    assert_eq!(view.time(), view.recorded());
}

#[test]
fn the_checksum_is_crc32c_of_the_bytes_before_it() {
    let line = line_of(1, &Event::new("a", "b"));
    let before = line.rfind(",\"crc\"").unwrap();
    // Bit by bit, with the reversed Castagnoli polynomial.
    let crc = !line.as_bytes()[..before].iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0x82F6_3B78
            } else {
                crc >> 1
            }
        })
    });
    assert!(line.ends_with(&format!(",\"crc\":\"{crc:08x}\"}}")));
}

#[test]
fn a_flipped_bit_anywhere_fails_the_checksum() {
    let line = line_of(77, &Event::new("task.started", "demo")).into_bytes();
    assert!(check_crc(&line));
    for at in 0..line.len() {
        for bit in 0..8 {
            let mut flipped = line.clone();
            flipped[at] ^= 1 << bit;
            assert!(!check_crc(&flipped), "bit {bit} of byte {at}");
        }
    }
    for cut in 0..line.len() {
        assert!(!check_crc(&line[..cut]), "cut at {cut}");
    }
}

#[test]
fn data_that_looks_like_the_end_of_a_line_is_data() {
    let traps = [
        r#"",\"crc\":\"00000000\"}""#,
        r#"{"a":",\"crc\":\"00000000\"}","crc":"00000000"}"#,
        r#"{"x":1,"ext":{"a":1},"dialect":"hooks","enc":{"key":1}}"#,
        r#"[{"x":1,"ext":{"a":1}},{"data":1,"dialect":"hooks"}]"#,
        r#"",\"dialect\":\"hooks\"""#,
        r#"",\"ext\":{""#,
        r#"["a,","dialect"]"#,
        r#"{"a":"\\\\","dialect":"kymo"}"#,
        r#""\\""#,
        r#""""#,
        "0",
        "null",
        "{}",
    ];
    for data in traps {
        let mut event = Event::new("a", "b");
        event.data = Some(Cow::Borrowed(data));
        for dialect in [None, Some("hooks"), Some("odd\"one"), Some(",")] {
            for ext in [vec![], vec![(Cow::Borrowed("k"), Cow::Borrowed(data))]] {
                for enc in [None, Some(Cow::Borrowed(r#"{"key":"k","alg":"a"}"#))] {
                    event.dialect = dialect.map(Cow::Borrowed);
                    event.ext.clone_from(&ext);
                    event.enc.clone_from(&enc);
                    let line = line_of(9, &event);
                    assert_eq!(
                        LineView::parse(line.as_bytes()).unwrap().to_event(),
                        event,
                        "{line}"
                    );
                }
            }
        }
    }
}

#[test]
fn white_space_that_would_break_the_line_is_taken_out_and_no_token_changes() {
    let mut event = Event::new("a", "b");
    event.data = Some(Cow::Borrowed("{\r\n\t\"a b\" : [ 1 , \"\\n \\\" \" ]\n}"));
    event.ext = vec![(Cow::Borrowed("k"), Cow::Borrowed("[\n1, 2]"))];
    let line = line_of(1, &event);
    let view = LineView::parse(line.as_bytes()).unwrap();
    assert_eq!(view.data(), Some(r#"{"a b":[1,"\n \" "]}"#));
    assert_eq!(view.ext(), Some(r#"{"k":[1,2]}"#));
    event.data = Some(Cow::Borrowed("{ \"a\" : 1 }"));
    let line = line_of(1, &event);
    assert_eq!(
        LineView::parse(line.as_bytes()).unwrap().data(),
        Some("{ \"a\" : 1 }")
    );
}

#[test]
fn a_view_is_made_again_from_its_spans() {
    let view = LineView::parse(DESCRIBED[0].as_bytes()).unwrap();
    let again = LineView::with_spans(DESCRIBED[0].as_bytes(), &view.spans()).unwrap();
    assert_eq!(again.to_event(), view.to_event());
    assert!(LineView::with_spans(DESCRIBED[1].as_bytes(), &view.spans()).is_none());
    assert!(LineView::with_spans(&DESCRIBED[0].as_bytes()[1..], &view.spans()).is_none());
}

#[test]
fn bodies_taken_from_the_middle_of_a_batch_leave_the_others_as_they_were() {
    let all = ["a", "bb", "ccc", "dddd", "eeeee"];
    for kept in 0_u32..32 {
        let mut batch = Batch::default();
        let mut expected = Batch::default();
        for (index, source) in all.iter().enumerate() {
            let event = Event {
                id: Some(source.repeat(index).into()),
                ..Event::new("t", *source)
            };
            batch.push(&event);
            if kept & 1 << index != 0 {
                expected.push(&event);
            }
        }
        batch.retain(|index| kept & 1 << index != 0);
        let ids = |batch: &Batch| {
            (0..batch.len())
                .map(|index| batch.id_key(index))
                .collect::<Vec<_>>()
        };
        assert!(batch.bodies().eq(expected.bodies()));
        assert_eq!((ids(&batch), batch.bytes()), (ids(&expected), expected.bytes()));
    }
}

#[test]
fn lines_of_another_form_are_refused() {
    let good = DESCRIBED[0];
    let broken = [
        String::new(),
        "{}".into(),
        good[..good.len() - 1].into(),
        good[1..].into(),
        good.replace("\"seq\":18442", "\"seq\":0"),
        good.replace("\"seq\":18442", "\"seq\":99999999999999999999999"),
        good.replace("\"seq\":18442", "\"seq\":\"1\""),
        good.replace("Z\",\"id\"", "\",\"id\""),
        good.replace("\"type\":\"tool.started\",", ""),
        good.replace("\"source\":\"claude-code\",", ""),
        good.replace("\"level\":\"info\",", ""),
        good.replace("\"level\":\"info\"", "\"level\":\"loud\""),
        good.replace("\"agent\":\"planner\"", "\"agent\":1"),
        good.replace("\"agent\":\"planner\"", "\"agnet\":\"planner\""),
        good.replace(
            "\"agent\":\"planner\",\"session\":\"3f2a\"",
            "\"session\":\"3f2a\",\"agent\":\"planner\"",
        ),
        good.replace("\"tier\":\"gold\"", "\"backfill\":false"),
        good.replace("\"tier\":\"gold\"", "\"cause\":x"),
    ];
    for line in broken {
        let error = LineView::parse(line.as_bytes()).map(|_| ());
        assert!(matches!(error, Err(LineError::Form(_))), "{line}");
    }
    assert!(matches!(
        LineView::parse(b"\xff"),
        Err(LineError::Form("it is not UTF-8"))
    ));
}

#[test]
fn no_cut_of_a_line_makes_the_reader_panic() {
    for line in DESCRIBED {
        for from in 0..line.len() {
            for to in [from, line.len() / 2, line.len()] {
                if let Some(part) = line.as_bytes().get(from..to) {
                    let glued = [part, br#","crc":"9ae0daaf"}"#].concat();
                    if let Ok(view) = LineView::parse(&glued) {
                        let _ = (view.to_event(), view.time());
                    }
                }
            }
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z._:/-]{1,12}".boxed(),
        "\\PC{0,20}".boxed(),
        proptest::collection::vec(any::<char>(), 0..12)
            .prop_map(|chars| chars.into_iter().collect())
            .boxed(),
        Just("\",\"data\":{\\".to_string()).boxed(),
    ]
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        text().prop_map(Into::into),
        Just(serde_json::Value::from(
            ",\"ext\":{\"a\":1},\"crc\":\"00000000\"}"
        )),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::vec(
                (
                    prop_oneof![text(), Just("ext".into()), Just("dialect".into())],
                    inner
                ),
                0..4
            )
            .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
    .prop_map(|value| value.to_string())
}

fn optional<T: Strategy>(strategy: T) -> impl Strategy<Value = Option<T::Value>>
where
    T::Value: Clone,
{
    proptest::option::of(strategy)
}

prop_compose! {
    fn event()(
        names in (text(), text()),
        correlation in proptest::collection::vec(optional(text()), 9),
        level in proptest::sample::select(Level::ALL.to_vec()),
        time in optional(Micros::MIN.0..=Micros::MAX.0),
        derived in (optional(1..=u64::MAX), optional(any::<u8>()), any::<bool>()),
        data in optional(json()),
        ext in proptest::collection::vec((text(), json()), 0..3),
        dialect in optional(prop_oneof![Just("hooks".to_string()), text()]),
        enc in optional(Just(r#"{"key":"k","alg":"a"}"#.to_string())),
    ) -> Event<'static> {
        let mut correlation = correlation.into_iter().map(|text| text.map(Cow::Owned));
        let mut next = || correlation.next().unwrap();
        Event {
            id: next(),
            time: time.map(Micros),
            kind: names.0.into(),
            source: names.1.into(),
            level,
            agent: next(),
            session: next(),
            task: next(),
            trace: next(),
            span: next(),
            parent: next(),
            user: next(),
            tier: next(),
            cause: derived.0.and_then(Seq::new),
            hops: derived.1,
            backfill: derived.2,
            data: data.map(Cow::Owned),
            ext: ext.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            dialect: dialect.map(Cow::Owned),
            enc: enc.map(Cow::Owned),
        }
    }
}

proptest! {
    #[test]
    fn an_event_comes_back_from_its_line(event in event(), seq in 1..=u64::MAX) {
        let line = line_of(seq, &event);
        prop_assert!(check_crc(line.as_bytes()));
        prop_assert!(!line.contains(['\n', '\r']));
        prop_assert!(RawJson::parse(&line, 1000).is_ok());
        let view = LineView::parse(line.as_bytes()).unwrap();
        prop_assert_eq!(view.seq().get(), seq);
        prop_assert_eq!(view.level(), event.level);
        prop_assert_eq!(view.kind(), event.kind.as_ref());
        prop_assert_eq!(view.data(), event.data.as_deref());
        prop_assert_eq!(view.to_event(), event);
    }

    #[test]
    fn the_json_of_an_event_is_the_body_of_its_line(event in event()) {
        let mut json = Vec::new();
        event.to_json(&mut json);
        let line = line_of(1, &event);
        let body = LineView::parse(line.as_bytes()).unwrap().body();
        prop_assert_eq!(&json[1..json.len() - 1], &body[1..]);
        prop_assert_eq!((json.first(), json.last()), (Some(&b'{'), Some(&b'}')));
        prop_assert_eq!(event.clone().into_owned(), event);
    }
}
