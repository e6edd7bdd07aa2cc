//! The language of filters: what is read, what is refused and how, and which filters are the same.

use kymo_event::{
    Filter, Level,
    filter::{Key, Node, Op, Test},
};
use proptest::prelude::*;

fn canonical(text: &str) -> String {
    match Filter::parse(text) {
        Ok(filter) => filter.canonical().to_owned(),
        Err(error) => panic!("{text:?} should be a filter: {error}"),
    }
}

#[test]
fn every_form_of_the_language_is_read() {
    for (text, expected) in [
        ("", "*"),
        ("  \t\n ", "*"),
        ("*", "*"),
        ("type:task.*", "type:task.*"),
        ("type:task_*", "type:task.*"),
        ("type:task*", "type:task*"),
        ("type:memory:node-created", "type:memory.node.created"),
        ("type:*.failed", "type:*.failed"),
        ("type:*", "*"),
        ("agent:*", "agent:*"),
        ("agent:plan**", "agent:plan*"),
        ("-agent:*", "-agent:*"),
        ("source:\"my app\"", "source:\"my app\""),
        ("source:\"my app\"*", "source:\"my app\"*"),
        ("source:\"a*b\"", "source:\"a*b\""),
        ("source:a\"*\"*c", "source:\"a*\"*c"),
        (
            "source:https://ci.example/build?n=1",
            "source:\"https://ci.example/build?n=1\"",
        ),
        ("source:urn:kymo:x", "source:urn:kymo:x"),
        ("source:\"\"", "source:\"\""),
        ("level:warn", "level:warn"),
        ("level:WARNING", "level:warn"),
        ("level:fatal", "level:critical"),
        ("level:>=warn", "level:>=warn"),
        ("level:>warn", "level:>=error"),
        ("level:<warn", "level:<=info"),
        ("level:>=debug", "*"),
        ("level:<debug", "-*"),
        ("level:=error", "level:error"),
        ("level:*", "*"),
        ("-level:debug", "level:>=info"),
        ("level:warn,error", "level:error OR level:warn"),
        ("-level:warn,info", "-(level:info OR level:warn)"),
        ("seq:42", "seq:42"),
        ("seq:=42", "seq:42"),
        ("seq:>=100 seq:<200", "seq:<=199 seq:>=100"),
        ("backfill:true", "backfill:true"),
        ("backfill:*", "backfill:true"),
        ("backfill:false", "-backfill:true"),
        ("data.quality:<0.5", "data.quality:<0.5"),
        ("data.quality:<-0", "data.quality:<0"),
        ("data.n:>=1e3", "data.n:>=1000"),
        ("data.n:>1e300", "data.n:>1e300"),
        ("data.a.b:value", "data.a.b:value"),
        ("data.a.b:\"value\"", "data.a.b:value"),
        ("data.\"a b\".c:1", "data.\"a b\".c:1"),
        ("data.\"gen_ai.usage\":1", "data.\"gen_ai.usage\":1"),
        ("data.items.0.name:x", "data.items.0.name:x"),
        ("data.ok:true", "data.ok:true"),
        ("data:*", "data:*"),
        ("data:5", "data:5"),
        ("ext.cycle:42", "ext.cycle:42"),
        ("data.이름:\"홍 길동\"", "data.이름:\"홍 길동\""),
        ("Timeout", "\"timeout\""),
        ("\"Exact Words\"", "\"exact words\""),
        ("say\\", "\"say\\\\\""),
        (r#""C:\EGOS\tools""#, r#""c:\\egos\\tools""#),
        (r#""a \"quoted\" word""#, r#""a \"quoted\" word""#),
        ("*timeout*", "\"timeout\""),
        ("data.json", "\"data.json\""),
        ("or", "\"or\""),
        ("ORDER", "\"order\""),
        ("user-agent", "\"user-agent\""),
        ("a b", "\"a\" \"b\""),
        ("a AND b", "\"a\" \"b\""),
        ("b OR a", "\"a\" OR \"b\""),
        ("a b OR c", "\"a\" \"b\" OR \"c\""),
        ("a (b OR c)", "\"a\" (\"b\" OR \"c\")"),
        ("NOT a", "-\"a\""),
        ("NOT (a b)", "-(\"a\" \"b\")"),
        ("-(a OR b)", "-(\"a\" OR \"b\")"),
        ("a NOT b", "\"a\" -\"b\""),
        ("(type:a)", "type:a"),
        (
            "type:task.* level:>=warn -source:test agent:planner data.quality:<0.5 \"exact words\" (a OR b)",
            "(\"a\" OR \"b\") \"exact words\" -source:test agent:planner data.quality:<0.5 level:>=warn type:task.*",
        ),
    ] {
        assert_eq!(canonical(text), expected, "{text:?}");
    }
}

#[test]
fn filters_that_say_the_same_are_equal() {
    for group in [
        &[
            "a b",
            "b a",
            "a AND b",
            "(a) (b)",
            "a b a",
            "NOT NOT a b",
            "-(-(a b))",
            "((b) AND a)",
        ][..],
        &["a OR b OR c", "c OR (b OR a)", "(a OR b) OR (b OR c)"],
        &[
            "type:task_started",
            "type:task.started",
            "type:task/started",
            "type:\"task-started\"",
        ],
        &[
            "level:warn,error",
            "level:error OR level:warn",
            "(level:warn OR level:error)",
        ],
        &[
            "level:>=warn",
            "level:>info",
            "-level:<warn",
            "NOT level:<=info",
            "level:>=warn *",
        ],
        &[
            "", "*", "a OR *", "seq:*", "level:*", "type:*", "source:*", "-(-*)",
        ],
        &["-*", "a -*", "level:>critical", "-*  OR level:<debug"],
        &["backfill:false", "-backfill:true", "NOT backfill:*"],
        &["\"TIMEOUT\"", "timeout", "Timeout*", "\"timeout\""],
        &["data.n:<1000", "data.n:<1e3", "data.n:<1000.0"],
        &["seq:>99", "seq:>=100", "-seq:<100 seq:>=100"],
        &["seq:>=1", "*", "seq:>0", "-seq:0", "seq:*"],
        &["agent:a,b", "agent:b,a,b", "agent:a OR agent:\"b\""],
    ] {
        let filters: Vec<Filter> = group.iter().map(|text| Filter::parse(text).unwrap()).collect();
        for (filter, text) in filters.iter().zip(group) {
            assert_eq!(filter, &filters[0], "{text:?} against {:?}", group[0]);
            assert_eq!(filter.canonical(), filters[0].canonical());
        }
    }
}

#[test]
fn filters_that_differ_have_different_texts() {
    let texts = [
        "a b",
        "a OR b",
        "a",
        "-a",
        "\"a b\"",
        "type:a",
        "source:a",
        "type:a*",
        "type:a.*",
        "source:\"a*\"",
        "source:a*",
        "data.a:1",
        "data.a:=1",
        "ext.a:1",
        "data.a.b:1",
        "data.\"a.b\":1",
        "agent:*",
        "-agent:*",
        "*",
        "-*",
    ];
    for (index, a) in texts.iter().enumerate() {
        for b in &texts[index + 1..] {
            assert_ne!(canonical(a), canonical(b), "{a:?} and {b:?}");
        }
    }
}

/// Text, position of the fault (in characters from 0), and what the message must say.
const BAD: &[(&str, usize, &str)] = &[
    // Text with colons that was pasted
    ("https://example.org/a", 0, "write \"https://example.org/a\""),
    ("see https://example.org", 4, "text with a colon needs quotes"),
    ("12:30:05", 0, "write \"12:30:05\""),
    ("2026-02-14T19:01:23Z", 0, "write \"2026-02-14T19:01:23Z\""),
    ("127.0.0.1:7700", 0, "write \"127.0.0.1:7700\""),
    ("C:\\EGOS", 0, "write \"C:\\\\EGOS\""),
    ("error: it failed", 0, "write \"error:\""),
    ("src/main.rs:12:5", 0, "write \"src/main.rs:12:5\""),
    (":x", 0, "a key is missing before `:`"),
    // Keys that are none
    ("lvel:warn", 0, "the nearest is `level:`"),
    ("a Level:warn", 2, "the nearest is `level:`"),
    ("agnet:x", 0, "the nearest is `agent:`"),
    ("typ:x", 0, "the nearest is `type:`"),
    ("sesion:x", 0, "the nearest is `session:`"),
    ("persona:x", 0, "the nearest is `agent:`"),
    ("severity:x", 0, "the nearest is `level:`"),
    ("task_id:x", 0, "the nearest is `task:`"),
    ("cycle:42", 0, "a field of the payload is `data.cycle:`"),
    ("time:2026", 0, "give moments as `from` and `to`"),
    ("since:5m", 0, "give moments as `from` and `to`"),
    ("\"type\":x", 0, "a key has no quotes"),
    // Values
    ("level:", 6, "a value is missing after `level:`"),
    ("level: warn", 6, "without a space"),
    ("agent:a,", 8, "missing behind the comma"),
    ("agent:,a", 6, "missing before the comma"),
    ("agent:a,,b", 8, "missing before the comma"),
    ("level:>=", 8, "a value is missing after `level:>=`"),
    ("level:wran", 6, "the nearest is `warn`"),
    ("level:w*", 6, "is not a level"),
    (
        "level:loud",
        6,
        "the levels are debug, info, warn, error and critical",
    ),
    ("level:>=5", 6, "is not a level"),
    ("level:success", 6, "ext.level:success"),
    ("level:!=warn", 6, "with `-` in front"),
    ("level:=>warn", 7, "the comparisons are"),
    ("agent:>5", 6, "cannot be compared with `>`"),
    ("type:>=a", 5, "cannot be compared"),
    ("seq:x", 4, "is not a position"),
    ("seq:-1", 4, "is not a position"),
    ("seq:1.5", 4, "is not a position"),
    ("seq:9007199254740993000", 4, "is not a position"),
    ("seq:100..200", 4, "seq:>=100 seq:<=200"),
    ("seq:1*", 4, "is not a position"),
    ("backfill:yes", 9, "neither true nor false"),
    ("backfill:>true", 9, "neither true nor false"),
    ("data.x:<abc", 7, "compares numbers"),
    ("data.x:>5s", 7, "compares numbers"),
    ("data.x:>inf", 7, "compares numbers"),
    ("data.x:>1e999", 7, "compares numbers"),
    ("data.x:>*", 7, "compares numbers"),
    ("source:(a OR b)", 7, "with commas: source:a,b"),
    ("source:a(b)", 8, "with commas"),
    ("source:“a”", 7, "straight quotes"),
    // Paths
    ("data.a..b:1", 7, "a name is missing between the dots"),
    ("data.:1", 5, "a name is missing between the dots"),
    ("data.a[0]:1", 6, "written with a dot: data.a.0:value"),
    ("data.*.b:1", 5, "`*` has no place in a path"),
    ("data.x>=5", 6, "a key is followed by a colon"),
    (
        "data.\"x\">5",
        8,
        "a path is followed by a colon: write data.\"x\":>5",
    ),
    ("data.\"x\"", 8, "a path is names with dots between"),
    ("data.\"x:5", 5, "never closed"),
    // Keys without a colon
    ("level=warn", 5, "write level:warn"),
    ("level>=warn", 5, "write level:>=warn"),
    ("seq==5", 3, "write seq:5"),
    // Words
    ("\"abc", 0, "this quote is never closed"),
    (r#""C:\dir\""#, 0, "for a backslash at the end"),
    ("\"\"", 0, "nothing between the quotes"),
    ("a \"b\"c", 5, "a space is missing here"),
    ("a\"b\"", 1, "a space is missing here"),
    ("f(x)", 1, "write \"f(x)\""),
    ("ti*out", 2, "write ti out"),
    ("“exact words”", 0, "straight quotes"),
    ("a || b", 2, "a OR b"),
    ("a && b", 2, "a space means AND"),
    ("!a", 0, "write -a"),
    // Operators and brackets
    ("-", 0, "nothing after `-`"),
    ("a - b", 2, "right before what it excludes"),
    ("--help", 0, "write \"--help\""),
    ("OR a", 0, "on the left of the operator"),
    ("a OR", 4, "nothing after the operator"),
    ("a OR OR b", 5, "on the left of the operator"),
    ("AND a", 0, "nothing before AND"),
    ("a AND", 5, "nothing after the operator"),
    ("a AND OR b", 6, "on the left of the operator"),
    ("NOT", 3, "nothing after the operator"),
    ("a NOT OR b", 6, "on the left of the operator"),
    ("()", 1, "the group is empty"),
    ("a (", 3, "the group is empty"),
    ("(a", 0, "never closed"),
    ("(a OR (b)", 0, "never closed"),
    ("a)", 1, "closes nothing"),
    (")", 0, "closes nothing"),
    ("(a)b", 3, "a space is missing here"),
    // Positions count characters, not bytes
    ("\"이름\" lvel:warn", 5, "the nearest is `level:`"),
];

#[test]
fn every_fault_has_its_place_and_says_what_to_write() {
    for (text, at, says) in BAD {
        let error = match Filter::parse(text) {
            Ok(filter) => panic!("{text:?} was read as {filter}"),
            Err(error) => error,
        };
        assert!(error.message.contains(says), "{text:?}: {error}");
        assert_eq!(error.at, *at, "{text:?}: {error}");
        assert!(error.to_string().ends_with(&format!("(at character {})", at + 1)));
    }
}

#[test]
fn endless_nesting_is_refused_not_followed() {
    for text in [
        "(".repeat(100_000),
        "-(".repeat(5_000),
        "NOT ".repeat(10_000),
        "a ".repeat(40_000),
    ] {
        assert!(Filter::parse(&text).is_err());
    }
    let deep = format!("{}a{}", "(".repeat(100), ")".repeat(100));
    assert_eq!(canonical(&deep), "\"a\"");
}

#[test]
fn a_tree_that_makes_no_sense_matches_nothing() {
    for node in [
        Node::Key(Key::Agent, Test::Compare(Op::Gt, 1.0)),
        Node::Key(Key::Source, Test::Level(Op::Ge, Level::Warn)),
        Node::Key(Key::Seq, Test::Prefix("1".into())),
        Node::Key(Key::Seq, Test::Compare(Op::Lt, f64::NAN)),
        Node::Path(vec!["payload".into()], Test::Exists),
        Node::Path(vec![], Test::Exists),
        Node::Path(vec!["data".into()], Test::Compare(Op::Lt, f64::INFINITY)),
        Node::Or(vec![]),
    ] {
        assert_eq!(Filter::from_node(node.clone()).canonical(), "-*", "{node:?}");
    }
}

#[test]
fn filters_are_combined() {
    let parse = |text| Filter::parse(text).unwrap();
    let (a, b) = (parse("agent:a"), parse("level:>=warn"));
    assert_eq!(a.and(&b), parse("agent:a level:>=warn"));
    assert_eq!(a.and(&Filter::all()), a);
    assert_eq!(Filter::all().and(&b), b);
    assert_eq!(
        Filter::any(&[a.clone(), b.clone()]),
        parse("agent:a OR level:>=warn")
    );
    assert_eq!(Filter::any(std::slice::from_ref(&a)), a);
    assert!(Filter::any(&[]).is_all());
    assert!(Filter::any(&[a.clone(), Filter::all()]).is_all());
    assert_eq!(a.negated(), parse("-agent:a"));
}

#[test]
fn only_paths_and_words_need_the_payload() {
    for (text, needs) in [
        ("", false),
        ("type:a level:>=warn (agent:x OR seq:5) -user:*", false),
        ("type:a word", true),
        ("type:a OR -data.x:1", true),
        ("ext.x:*", true),
    ] {
        assert_eq!(Filter::parse(text).unwrap().needs_payload(), needs, "{text:?}");
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c._*:/-]{0,4}",
        "[ -~]{0,8}",
        "\\PC{0,5}",
        Just("OR".to_owned()),
        Just("say \"x\" \\".to_owned()),
        Just("İSTANBUL ΟΔΟΣ".to_owned()),
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        proptest::num::f64::ANY,
        (-1000..1000_i32).prop_map(f64::from),
        (0..1u64 << 53).prop_map(|n| n as f64),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    proptest::sample::select(vec![Op::Eq, Op::Lt, Op::Le, Op::Gt, Op::Ge])
}

fn test() -> impl Strategy<Value = Test> {
    prop_oneof![
        text().prop_map(Test::Is),
        text().prop_map(Test::Prefix),
        text().prop_map(Test::Glob),
        Just(Test::Exists),
        (op(), number()).prop_map(|(op, number)| Test::Compare(op, number)),
        (op(), 0..5_usize).prop_map(|(op, level)| Test::Level(op, Level::ALL[level])),
    ]
}

fn seq_test() -> impl Strategy<Value = Test> {
    (op(), 0..1u64 << 53).prop_map(|(op, seq)| Test::Compare(op, seq as f64))
}

fn node() -> impl Strategy<Value = Node> {
    let key = proptest::sample::select(Key::ALL.to_vec());
    let path =
        (proptest::bool::ANY, proptest::collection::vec(text(), 0..3)).prop_map(|(data, mut steps)| {
            steps.insert(0, if data { "data" } else { "ext" }.to_owned());
            steps
        });
    let leaf = prop_oneof![
        1 => Just(Node::All),
        6 => (key, test()).prop_map(|(key, test)| Node::Key(key, test)),
        1 => seq_test().prop_map(|test| Node::Key(Key::Seq, test)),
        4 => (path, test()).prop_map(|(path, test)| Node::Path(path, test)),
        2 => text().prop_map(Node::Words),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Node::And),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Node::Or),
            inner.prop_map(|node| Node::Not(Box::new(node))),
        ]
    })
}

/// The same meaning, written another way.
fn rewritten(node: &Node, turn: u64) -> Node {
    let next = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    let parts = |parts: &[Node]| -> Vec<Node> {
        let mut parts: Vec<Node> = parts.iter().map(|part| rewritten(part, next)).collect();
        if turn.is_multiple_of(2) {
            parts.reverse();
        }
        if turn.is_multiple_of(3) && !parts.is_empty() {
            parts.push(parts[0].clone());
        }
        parts
    };
    let node = match node {
        Node::And(inner) => Node::And(parts(inner)),
        Node::Or(inner) => Node::Or(parts(inner)),
        Node::Not(inner) => Node::Not(Box::new(rewritten(inner, next))),
        leaf => leaf.clone(),
    };
    match turn % 7 {
        0 => Node::Not(Box::new(Node::Not(Box::new(node)))),
        1 => Node::And(vec![node]),
        2 => Node::Or(vec![Node::Or(vec![node]), Node::nothing()]),
        3 => Node::And(vec![Node::All, node]),
        _ => node,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_canonical_text_parses_to_the_same_filter(node in node()) {
        let filter = Filter::from_node(node);
        let again = Filter::parse(filter.canonical());
        prop_assert!(again.is_ok(), "{:?}: {}", filter, again.unwrap_err());
        let again = again.unwrap();
        prop_assert_eq!(again.tree(), filter.tree(), "{}", filter);
        prop_assert_eq!(again.canonical(), filter.canonical());
    }

    #[test]
    fn the_normal_form_of_a_normal_form_is_itself(node in node()) {
        let filter = Filter::from_node(node);
        let again = Filter::from_node(filter.tree().clone());
        prop_assert_eq!(again.tree(), filter.tree());
    }

    #[test]
    fn order_repetition_nesting_and_double_negation_make_no_difference(node in node(), turn in 0..1_000_000u64) {
        let (filter, other) = (Filter::from_node(node.clone()), Filter::from_node(rewritten(&node, turn)));
        prop_assert_eq!(filter.canonical(), other.canonical());
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(error.at <= text.chars().count());
        }
    }

    #[test]
    fn no_near_filter_makes_the_parser_panic(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "type", "level", "data", "ext", "seq", ":", ".", "\"", "(", ")", " ", " OR ", "NOT ", "-", "*", ",", ">", "=", "\\",
                "warn", "5", "é", "\u{3000}",
            ]),
            0..16,
        )
    ) {
        let text = parts.concat();
        match Filter::parse(&text) {
            Ok(filter) => {
                let again = Filter::parse(filter.canonical());
                prop_assert_eq!(again.as_ref().map(Filter::canonical), Ok(filter.canonical()));
            }
            Err(error) => prop_assert!(error.at <= text.chars().count()),
        }
    }
}
