//! What one event costs between its bytes and its line, and between its line and a reader.
#![allow(missing_docs)]
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kymo_event::{
    Batch, Event, LedgerId, Level, Limits, LineView, Micros, RawJson, RecordFormat, Records, Seq, check_crc,
    dialects::{self, Dialect, Native, Resonance},
    filter::Key,
    write_line,
};

const COUNT: usize = 1000;

/// An event of about 350 bytes, as agents send them.
fn event(number: usize) -> String {
    let mut event = format!(
        r#"{{"type":"tool.completed","source":"claude-code","agent":"planner","session":"3f2a9c1e","task":"demo-{number:05}","time":"2026-02-14T19:01:23.{number:06}Z","data":{{"tool":"Bash","command":"cargo nextest run -p kymo-event","exit_code":0,"duration_ms":4187,"output":"running 12 tests\ntest result: ok. 12 passed"#
    );
    let filler = 350 - event.len() - r#"","cwd":"/home"}}"#.len();
    event.extend(
        std::iter::repeat_n("; 0 failed", filler.div_ceil(10))
            .flat_map(str::chars)
            .take(filler),
    );
    event.push_str(r#"","cwd":"/home"}}"#);
    assert_eq!(event.len(), 350);
    event
}

fn read_all(body: &[u8], format: RecordFormat, limits: &Limits, batch: &mut Batch) {
    for record in Records::new(body, format, limits).unwrap() {
        let value = record.value.unwrap();
        let dialect = dialects::detect(value);
        batch.push(&dialect.read(value, limits).unwrap());
    }
}

fn lines() -> Vec<Vec<u8>> {
    let limits = Limits::default();
    let recorded = Micros(1_771_095_683_457_102).text();
    let line = |number: usize| {
        let text = event(number);
        let mut batch = Batch::default();
        batch.push(&Native.read(RawJson::parse(&text, 128).unwrap(), &limits).unwrap());
        let mut out = Vec::new();
        write_line(
            &mut out,
            Seq::new(number as u64 + 1_000_000).unwrap(),
            &recorded,
            batch.body(0),
        );
        out.pop();
        out
    };
    (0..COUNT).map(line).collect()
}

fn reading(criterion: &mut Criterion) {
    let limits = Limits::default();
    let events: Vec<String> = (0..COUNT).map(event).collect();
    let ndjson = events.join("\n");
    let array = format!("[{}]", events.join(","));
    let mut group = criterion.benchmark_group("read 1000 native events");
    group.throughput(Throughput::Elements(COUNT as u64));
    for (name, body, format) in [
        ("lines into a batch", &ndjson, RecordFormat::Lines),
        ("array into a batch", &array, RecordFormat::Json),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut batch = Batch::with_capacity(COUNT * 400, COUNT);
                read_all(black_box(body.as_bytes()), format, &limits, &mut batch);
                batch
            });
        });
    }
    group.bench_function("of it: cut and check lines", |bencher| {
        bencher.iter(|| {
            let records = Records::new(black_box(ndjson.as_bytes()), RecordFormat::Lines, &limits).unwrap();
            records.filter(|record| record.value.is_ok()).count()
        });
    });
    let records: Vec<_> = Records::new(ndjson.as_bytes(), RecordFormat::Lines, &limits)
        .unwrap()
        .map(|record| record.value.unwrap())
        .collect();
    group.bench_function("of it: detect", |bencher| {
        bencher.iter(|| {
            records
                .iter()
                .filter(|record| dialects::detect(black_box(**record)).name() == "kymo")
                .count()
        });
    });
    group.bench_function("of it: read", |bencher| {
        bencher.iter(|| {
            records
                .iter()
                .filter(|record| Native.read(black_box(**record), &limits).is_ok())
                .count()
        });
    });
    let read: Vec<_> = records
        .iter()
        .map(|record| Native.read(*record, &limits).unwrap())
        .collect();
    group.bench_function("of it: push", |bencher| {
        bencher.iter(|| {
            let mut batch = Batch::with_capacity(COUNT * 400, COUNT);
            read.iter().for_each(|event| batch.push(black_box(event)));
            batch
        });
    });
    group.finish();
}

/// Records of a resonance ledger: short ones, and one in four with a sentence in it.
fn resonance(number: usize) -> String {
    let ts = format!("17614474{:02}.{:06}", number % 100, number * 37 % 1_000_000);
    match number % 4 {
        0 => format!(r#"{{"event": "thesis_start", "task_id": "demo-{number:05}", "ts": {ts}}}"#),
        1 => format!(
            r#"{{"event": "synthesis_end", "task_id": "demo-{number:05}", "pass": 2, "duration_sec": 0.8306542999998783, "ts": {ts}}}"#
        ),
        2 => format!(
            r#"{{"event": "eval", "task_id": "demo-{number:05}", "quality": 0.8, "evidence_ok": true, "eval": {{"quality": 0.8, "risks": [], "notes": "auto"}}, "ts": {ts}}}"#
        ),
        _ => format!(
            r#"{{"event": "persona_llm_run", "task_id": "demo-{number:05}", "persona": "thesis", "provider": "example", "model": "large-1", "duration_sec": 2.3977277999947546, "ok": false, "error": "NotFound: 404 the model was not found, or this project does not have access to it; please name a version that is there. For more, see https://models.example/docs/learn/model-versions", "prompt_chars": 289, "ts": {ts}}}"#
        ),
    }
}

fn forms(criterion: &mut Criterion) {
    let limits = Limits::default();
    let lines: Vec<String> = (0..COUNT).map(resonance).collect();
    let ndjson = lines.join("\n");
    let mut group = criterion.benchmark_group("read 1000 resonance records");
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function("lines into a batch", |bencher| {
        bencher.iter(|| {
            let mut batch = Batch::with_capacity(COUNT * 400, COUNT);
            read_all(
                black_box(ndjson.as_bytes()),
                RecordFormat::Lines,
                &limits,
                &mut batch,
            );
            batch
        });
    });
    let records: Vec<_> = Records::new(ndjson.as_bytes(), RecordFormat::Lines, &limits)
        .unwrap()
        .map(|record| record.value.unwrap())
        .collect();
    group.bench_function("of it: detect", |bencher| {
        bencher.iter(|| {
            records
                .iter()
                .filter(|record| dialects::detect(black_box(**record)).name() == "resonance")
                .count()
        });
    });
    group.bench_function("of it: read", |bencher| {
        bencher.iter(|| {
            records
                .iter()
                .filter(|record| Resonance.read(black_box(**record), &limits).is_ok())
                .count()
        });
    });
    let stored: Vec<Vec<u8>> = records
        .iter()
        .map(|record| stored(&Resonance.read(*record, &limits).unwrap()))
        .collect();
    group.bench_function("give out", |bencher| {
        let ledger = LedgerId::new("0198c2f0-6f1e-7c55-a1c1-3b6c2f6f0a11");
        let mut out = Vec::with_capacity(COUNT * 500);
        bencher.iter(|| {
            out.clear();
            for line in &stored {
                Resonance.write(&LineView::parse(black_box(line)).unwrap(), &ledger, &mut out);
            }
            out.len()
        });
    });
    group.finish();
}

/// The line of an event, without its line feed.
fn stored(event: &Event<'_>) -> Vec<u8> {
    let mut batch = Batch::default();
    batch.push(event);
    let mut out = Vec::new();
    let recorded = Micros(1_771_095_683_457_102).text();
    write_line(&mut out, Seq::new(1_000_000).unwrap(), &recorded, batch.body(0));
    out.pop();
    out
}

fn writing(criterion: &mut Criterion) {
    let lines = lines();
    let bodies: Vec<&[u8]> = lines
        .iter()
        .map(|line| LineView::parse(line).unwrap().body())
        .collect();
    let recorded = Micros(1_771_095_683_457_102).text();
    let mut group = criterion.benchmark_group("write 1000 lines");
    group.throughput(Throughput::Elements(COUNT as u64));
    let mut out = Vec::with_capacity(COUNT * 500);
    group.bench_function("write_line", |bencher| {
        bencher.iter(|| {
            out.clear();
            for (number, body) in bodies.iter().enumerate() {
                write_line(
                    &mut out,
                    Seq::new(number as u64 + 1_000_000).unwrap(),
                    &recorded,
                    black_box(body),
                );
            }
            out.len()
        });
    });
    group.finish();
}

fn looking(criterion: &mut Criterion) {
    let lines = lines();
    let mut group = criterion.benchmark_group("look at 1000 lines");
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function("LineView::parse", |bencher| {
        bencher.iter(|| {
            lines
                .iter()
                .filter(|line| LineView::parse(black_box(line)).unwrap().level() == Level::Info)
                .count()
        });
    });
    group.bench_function("parse and compare an agent", |bencher| {
        let agent =
            |line: &Vec<u8>| LineView::parse(black_box(line)).unwrap().raw_key(Key::Agent) == Some("planner");
        bencher.iter(|| lines.iter().filter(|line| agent(line)).count());
    });
    group.bench_function("parse and find data", |bencher| {
        bencher.iter(|| {
            lines
                .iter()
                .map(|line| LineView::parse(black_box(line)).unwrap().data().unwrap().len())
                .sum::<usize>()
        });
    });
    group.bench_function("check_crc", |bencher| {
        bencher.iter(|| lines.iter().filter(|line| check_crc(black_box(line))).count());
    });
    group.finish();
}

criterion_group! {
    name = codec;
    config = Criterion::default().sample_size(30).warm_up_time(std::time::Duration::from_millis(500)).measurement_time(std::time::Duration::from_secs(2));
    targets = reading, forms, writing, looking
}
criterion_main!(codec);
