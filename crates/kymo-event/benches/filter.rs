//! What a filter costs per line: reading the line alone, envelope keys, paths and words, hits and misses.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kymo_event::{Batch, Event, Filter, Level, LineView, Micros, Seq, write_line};

const LINES: u64 = 4_096;

/// Lines of about 350 bytes; one in a hundred is of the kind the filters look for.
fn lines() -> Vec<Vec<u8>> {
    (1..=LINES).map(line).collect()
}

fn line(seq: u64) -> Vec<u8> {
    let rare = seq.is_multiple_of(100);
    let data = format!(
        "{{\"tool\":\"{}\",\"input\":{{\"command\":\"cargo nextest run -p kymo-event --lib\",\"timeout\":120000}},\"attempt\":{},\
         \"quality\":0.{:02},\"tags\":[\"build\",\"test\"],\"note\":\"{} on the second of {} runners, \\\"warm\\\" cache\"}}",
        if rare { "WebFetch" } else { "Bash" },
        seq % 7,
        seq % 100,
        if rare {
            "Connection refused"
        } else {
            "Everything as it was"
        },
        seq % 13,
    );
    let event = Event {
        level: if rare { Level::Error } else { Level::Info },
        agent: Some(format!("agent-{}", seq % 40).into()),
        session: Some(format!("3f2a{:04}", seq % 100).into()),
        data: Some(data.into()),
        ..Event::new(if rare { "tool.failed" } else { "tool.started" }, "claude-code")
    };
    let mut batch = Batch::default();
    batch.push(&event);
    let mut out = Vec::new();
    write_line(
        &mut out,
        Seq::new(seq).expect("positions begin at 1"),
        &Micros(1_771_095_683_457_102).text(),
        batch.body(0),
    );
    out.pop();
    out
}

const FILTERS: &[(&str, &str)] = &[
    ("all", ""),
    ("envelope, literals", "type:tool.failed agent:agent-0"),
    ("envelope, patterns", "type:tool.* level:>=error -source:test"),
    (
        "envelope, 20 alternatives",
        "agent:a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,agent-0",
    ),
    ("path, number", "data.quality:<0.01"),
    ("path, deep text", "data.input.command:npm*"),
    ("path, absent", "data.exit_code:>0"),
    ("path, array", "data.tags:release"),
    ("word, rare", "refused"),
    ("word, absent", "kubernetes"),
    ("word, everywhere", "cargo"),
    ("word, not ASCII", "이름"),
    (
        "words and paths",
        "\"connection refused\" data.tool:WebFetch level:>=warn",
    ),
];

fn matching(criterion: &mut Criterion) {
    let lines = lines();
    let bytes: usize = lines.iter().map(Vec::len).sum();
    eprintln!("{} bytes per line", bytes as u64 / LINES);
    let mut group = criterion.benchmark_group("filter");
    group
        .throughput(Throughput::Elements(LINES))
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    for (name, text) in FILTERS {
        let filter = Filter::parse(text).expect("a filter of this bench");
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                lines
                    .iter()
                    .filter(|line| LineView::parse(black_box(line)).is_ok_and(|view| filter.matches(&view)))
                    .count()
            });
        });
    }
    group.finish();
}

fn parsing(criterion: &mut Criterion) {
    let text =
        "type:task.* level:>=warn -source:test agent:planner data.quality:<0.5 \"exact words\" (a OR b)";
    criterion.bench_function("filter/parse", |bencher| {
        bencher.iter(|| Filter::parse(black_box(text)))
    });
}

criterion_group!(benches, matching, parsing);
criterion_main!(benches);
