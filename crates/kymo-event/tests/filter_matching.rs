//! Which events a filter takes, read from real ledger lines.

use kymo_event::{
    Batch, Event, Filter, Level, LineView, Micros, Seq,
    filter::{Key, Node, Op, Possible, Summary, Test},
    write_line,
};
use proptest::prelude::*;

fn line(seq: u64, event: &Event<'_>) -> Vec<u8> {
    let mut batch = Batch::default();
    batch.push(event);
    let mut out = Vec::new();
    let recorded = Micros(1_771_095_683_457_102 + i64::try_from(seq).unwrap()).text();
    write_line(&mut out, Seq::new(seq).unwrap(), &recorded, batch.body(0));
    out.pop();
    out
}

fn tool_started() -> Event<'static> {
    Event {
        id: Some("0198c2f0".into()),
        level: Level::Warn,
        agent: Some("planner".into()),
        session: Some("3f2a".into()),
        task: Some("say \"hi\"".into()),
        tier: Some("gold".into()),
        data: Some(
            r#"{"tool":"Bash","quality":0.4,"note":"Connection TIMEOUT","gen_ai.usage":7,"list":[{"n":1},{"n":2}]}"#.into(),
        ),
        ext: vec![("cycle".into(), "42".into()), ("mood".into(), "\"calm\"".into())],
        dialect: Some("hooks".into()),
        ..Event::new("tool_started", "claude-code")
    }
}

fn check(event: &Event<'_>, filters: &[(&str, bool)]) {
    let line = line(18_442, event);
    let view = LineView::parse(&line).unwrap();
    for (text, expected) in filters {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.matches(&view), *expected, "{text}");
        assert_eq!(filter.negated().matches(&view), !expected, "not ({text})");
    }
}

#[test]
fn envelope_keys_are_tested() {
    check(
        &tool_started(),
        &[
            ("", true),
            ("-*", false),
            ("type:tool.started", true),
            ("type:tool_started", true),
            ("type:tool.*", true),
            ("type:tool/*", true),
            ("type:to*", true),
            ("type:*.started", true),
            ("type:Tool.started", false),
            ("type:tool", false),
            ("type:tool.started.*", false),
            ("source:claude-code", true),
            ("source:claude.code", false),
            ("source:claude*", true),
            ("source:CLAUDE-CODE", false),
            ("level:warn", true),
            ("level:>=warn", true),
            ("level:>warn", false),
            ("level:<=info", false),
            ("level:error,warn", true),
            ("agent:planner", true),
            ("agent:*", true),
            ("agent:a,planner", true),
            ("user:*", false),
            ("-user:*", true),
            ("user:egor", false),
            ("-user:egor", true),
            ("task:\"say \\\"hi\\\"\"", true),
            ("task:say*", true),
            ("tier:gold session:3f2a id:0198c2f0 dialect:hooks", true),
            ("tier:gold session:other", false),
            ("session:other OR tier:gold", true),
            ("seq:18442", true),
            ("seq:>=18442", true),
            ("seq:>18442", false),
            ("seq:<18442 OR seq:>18442", false),
            ("backfill:true", false),
            ("backfill:false", true),
        ],
    );
}

#[test]
fn payloads_are_tested() {
    check(
        &tool_started(),
        &[
            ("data.tool:Bash", true),
            ("data.tool:bash", false),
            ("data.quality:<0.5", true),
            ("data.quality:>=0.5", false),
            ("-data.quality:>=0.5", true),
            ("-data.nothing:5", true),
            ("data.list.n:2", true),
            ("data.list.0.n:2", false),
            ("data.gen_ai.usage:7", true),
            ("data.cycle:42", false),
            ("ext.cycle:42", true),
            ("ext.cycle:>41", true),
            ("ext.tool:*", false),
            ("timeout", true),
            ("\"connection timeout\"", true),
            ("\"timeout connection\"", false),
            ("CALM", true),
            ("bash timeout calm", true),
            ("bash OR nothing", true),
            ("tool_started", false),
            ("planner", false),
            ("quality", false),
            ("-planner -quality", true),
        ],
    );
}

#[test]
fn an_event_without_payload_has_nothing_to_find_in() {
    check(
        &Event::new("cycle.start", "daemon"),
        &[
            ("data:*", false),
            ("ext:*", false),
            ("daemon", false),
            ("data.x:1", false),
            ("type:cycle.*", true),
        ],
    );
}

#[test]
fn the_imported_past_can_be_told_from_the_present() {
    let event = Event {
        backfill: true,
        ..Event::new("a", "b")
    };
    check(
        &event,
        &[
            ("backfill:true", true),
            ("backfill:false", false),
            ("backfill:*", true),
        ],
    );
}

#[test]
fn the_key_is_compared_with_what_it_says_not_how_it_is_written() {
    let event = Event {
        agent: Some("a\"b\\c\n이름".into()),
        ..Event::new("x", "y")
    };
    check(
        &event,
        &[
            ("agent:\"a\\\"b\\\\c\n이름\"", true),
            ("agent:*이름", true),
            ("agent:a*", true),
        ],
    );
}

/// One row of an index that has columns for type, source and level, and nothing else.
struct Columns<'a> {
    kind: &'a str,
    source: &'a str,
    level: Level,
}

impl Summary for Columns<'_> {
    fn may_match(&self, key: Key, test: &Test) -> Possible {
        match key {
            Key::Type => Possible::exactly(test.matches_str(key, self.kind)),
            Key::Source => Possible::exactly(test.matches_str(key, self.source)),
            Key::Level => Possible::exactly(test.matches_level(self.level)),
            _ => Possible::Maybe,
        }
    }
}

#[test]
fn columns_decide_what_they_can_and_leave_the_rest_open() {
    let columns = Columns {
        kind: "task_started",
        source: "daemon",
        level: Level::Warn,
    };
    for (text, expected) in [
        ("", Possible::Always),
        ("-*", Possible::Never),
        ("type:task.*", Possible::Always),
        ("-type:task.*", Possible::Never),
        ("type:tool.* word", Possible::Never),
        ("type:task.* word", Possible::Maybe),
        ("type:task.* OR word", Possible::Always),
        ("type:tool.* OR word", Possible::Maybe),
        ("-(type:tool.* word)", Possible::Always),
        ("-(type:task.* OR word)", Possible::Never),
        ("-word", Possible::Maybe),
        ("agent:x level:>=error", Possible::Never),
        ("agent:x level:>=warn", Possible::Maybe),
        ("data.x:1 source:daemon", Possible::Maybe),
    ] {
        assert_eq!(
            Filter::parse(text).unwrap().possible(&columns),
            expected,
            "{text}"
        );
    }
}

/// The rule said over a tree of values, with nothing made ready.
fn obvious(node: &Node, event: &serde_json::Value) -> bool {
    match node {
        Node::All => true,
        Node::And(parts) => parts.iter().all(|part| obvious(part, event)),
        Node::Or(parts) => parts.iter().any(|part| obvious(part, event)),
        Node::Not(part) => !obvious(part, event),
        Node::Key(Key::Backfill, test) => test.matches_str(
            Key::Backfill,
            if event["backfill"] == true {
                "true"
            } else {
                "false"
            },
        ),
        Node::Key(key, test) => match &event[key.as_str()] {
            serde_json::Value::String(text) => test.matches_str(*key, text),
            serde_json::Value::Number(number) => test.matches_str(*key, &number.to_string()),
            _ => false,
        },
        Node::Path(path, test) => {
            let mut value = event;
            for step in path {
                value = &value[step.as_str()];
            }
            // A pattern that fits any text asks whether there is a value at all.
            let any_text = match test {
                Test::Prefix(text) => text.is_empty(),
                Test::Glob(pattern) => pattern.chars().all(|c| c == '*'),
                _ => false,
            };
            match (value, if any_text { &Test::Exists } else { test }) {
                (serde_json::Value::Null, Test::Is(text)) => text == "null" && has(event, path),
                (serde_json::Value::Null, _) => false,
                (_, Test::Exists) => true,
                (serde_json::Value::String(text), test) => test.matches_str(Key::Agent, text),
                (serde_json::Value::Number(number), test) => {
                    test.matches_str(Key::Agent, &number.to_string())
                }
                _ => false,
            }
        }
        Node::Words(words) => {
            let words = words.to_lowercase();
            strings(&event["data"])
                .chain(strings(&event["ext"]))
                .any(|text| text.to_lowercase().contains(&words))
        }
    }
}

fn has(event: &serde_json::Value, path: &[String]) -> bool {
    let mut value = Some(event);
    for step in path {
        value = value.and_then(|value| value.get(step));
    }
    value.is_some()
}

fn strings(value: &serde_json::Value) -> Box<dyn Iterator<Item = &str> + '_> {
    use serde_json::Value;
    match value {
        Value::String(text) => Box::new(std::iter::once(text.as_str())),
        Value::Array(values) => Box::new(values.iter().flat_map(strings)),
        Value::Object(values) => Box::new(values.values().flat_map(strings)),
        _ => Box::new(std::iter::empty()),
    }
}

fn name() -> impl Strategy<Value = String> {
    "[ab][._]?[ab]?"
}

fn event() -> impl Strategy<Value = Event<'static>> {
    let data = proptest::option::of(
        (name(), -2..3_i32, proptest::option::of("[Aab\"]{0,3}")).prop_map(|(s, n, t)| {
            serde_json::json!({ "s": s, "n": n, "deep": { "t": t } })
                .to_string()
                .into()
        }),
    );
    let ext = proptest::option::of("[ABab]{1,3}").prop_map(|text| {
        text.map(|text| ("s".into(), serde_json::to_string(&text).unwrap().into()))
            .into_iter()
            .collect()
    });
    let agent = proptest::option::of("[ab\"]{1,2}".prop_map(Into::into));
    (name(), name(), 0..5_usize, agent, any::<bool>(), data, ext).prop_map(
        |(kind, source, level, agent, backfill, data, ext)| Event {
            level: Level::ALL[level],
            agent,
            backfill,
            data,
            ext,
            ..Event::new(kind, source)
        },
    )
}

fn node() -> impl Strategy<Value = Node> {
    let text_test = || {
        prop_oneof![
            name().prop_map(Test::Is),
            "[ab]?[._]?".prop_map(Test::Prefix),
            "[ab*]{1,3}".prop_map(Test::Glob),
            Just(Test::Exists),
        ]
    };
    let op = || proptest::sample::select(vec![Op::Eq, Op::Lt, Op::Le, Op::Gt, Op::Ge]);
    let number = || (op(), -2..4_i32).prop_map(|(op, n)| Test::Compare(op, f64::from(n)));
    let key = proptest::sample::select(vec![Key::Type, Key::Source, Key::Agent, Key::User]);
    let path = proptest::sample::select(vec![
        vec!["data"],
        vec!["data", "s"],
        vec!["data", "n"],
        vec!["data", "deep"],
        vec!["data", "deep", "t"],
        vec!["data", "missing"],
        vec!["ext", "s"],
    ])
    .prop_map(|path| path.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let leaf = prop_oneof![
        1 => Just(Node::All),
        6 => (key, text_test()).prop_map(|(key, test)| Node::Key(key, test)),
        3 => (op(), 0..5_usize).prop_map(|(op, level)| Node::Key(Key::Level, Test::Level(op, Level::ALL[level]))),
        1 => number().prop_map(|test| Node::Key(Key::Seq, test)),
        1 => proptest::sample::select(vec![Test::Exists, Test::Is("true".into()), Test::Is("false".into())])
            .prop_map(|test| Node::Key(Key::Backfill, test)),
        4 => (path, prop_oneof![text_test(), number()]).prop_map(|(path, test)| Node::Path(path, test)),
        3 => "[Aab\"]{1,2}".prop_map(Node::Words),
    ];
    leaf.prop_recursive(4, 20, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Node::And),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Node::Or),
            inner.prop_map(|node| Node::Not(Box::new(node))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_filter_takes_what_its_tree_says(node in node(), event in event(), seq in 1..4_u64) {
        let line = line(seq, &event);
        let view = LineView::parse(&line).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let filter = Filter::from_node(node.clone());
        prop_assert_eq!(filter.matches(&view), obvious(&node, &value), "{}", filter);
        let again = Filter::parse(filter.canonical()).unwrap();
        prop_assert_eq!(again.matches(&view), filter.matches(&view));
    }

    #[test]
    fn what_columns_are_sure_of_is_so(node in node(), event in event()) {
        let line = line(1, &event);
        let view = LineView::parse(&line).unwrap();
        let filter = Filter::from_node(node);
        let columns = Columns { kind: &view.kind(), source: &view.source(), level: view.level() };
        match filter.possible(&columns) {
            Possible::Always => prop_assert!(filter.matches(&view), "{}", filter),
            Possible::Never => prop_assert!(!filter.matches(&view), "{}", filter),
            Possible::Maybe => {}
        }
    }
}
