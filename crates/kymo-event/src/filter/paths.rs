//! Tests a value at a path in JSON text: walks straight to it, stepping over everything else.
//!
//! A step names a key of an object; where the value is an array, a number is an index and any other step is tried on
//! every element. At the end of the path an array passes if any of its elements does. Keys that hold dots themselves
//! (`gen_ai.usage.input_tokens`) are found by the same path. A key that is there twice is looked at twice.

use std::borrow::Cow;

use super::{
    tree::{Test, parse_number},
    walk::{self, Scalar, Walk},
};

/// Arrays inside each other that are followed; deeper ones are stepped over.
const DEPTH_MAX: usize = 512;

/// A path and its test, made ready.
pub(super) struct PathTest {
    steps: Box<[Box<str>]>,
    test: Test,
    /// A name without which no text has the path.
    rare: Option<Rare>,
}

struct Rare {
    bytes: memchr::memmem::Finder<'static>,
    has_slash: bool,
}

impl PathTest {
    /// `steps` without the root.
    pub(super) fn new(steps: &[String], test: &Test) -> Self {
        let plain =
            |step: &&String| index(step).is_none() && !step.is_empty() && step.chars().all(walk::is_plain);
        let longest = steps.iter().filter(plain).max_by_key(|step| step.len());
        Self {
            steps: steps.iter().map(|step| step.as_str().into()).collect(),
            test: test.clone(),
            rare: longest.map(|step| Rare {
                bytes: memchr::memmem::Finder::new(step).into_owned(),
                has_slash: step.contains('/'),
            }),
        }
    }

    /// Whether a text that holds the JSON text, or is it, may have the path. Costs one search of its bytes.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        self.rare.as_ref().is_none_or(|rare| {
            rare.bytes.find(text.as_bytes()).is_some() || walk::may_respell(text, rare.has_slash)
        })
    }

    /// Whether the JSON text has a value at the path that passes.
    pub(super) fn matches(&self, json: &str) -> bool {
        self.seek(&mut Walk::new(json), &self.steps, 0)
    }

    /// Whether the next value passes; if not, the walk stands behind it.
    fn seek(&self, walk: &mut Walk<'_>, steps: &[Box<str>], depth: usize) -> bool {
        match walk.peek() {
            Some(b'{' | b'[') if steps.is_empty() && self.test == Test::Exists => true,
            Some(b'{') if !steps.is_empty() => self.object(walk, steps, depth),
            Some(b'[') if depth < DEPTH_MAX => self.array(walk, steps, depth),
            Some(b'{' | b'[') => {
                walk.skip();
                false
            }
            Some(_) => {
                let scalar = walk.scalar();
                steps.is_empty() && self.passes(scalar)
            }
            None => false,
        }
    }

    fn object(&self, walk: &mut Walk<'_>, steps: &[Box<str>], depth: usize) -> bool {
        walk.step();
        while walk.peek() == Some(b'"') {
            let key = walk.string();
            match taken_by(key, steps) {
                Some(taken) => {
                    if self.seek(walk, &steps[taken..], depth + 1) {
                        return true;
                    }
                }
                None => walk.skip(),
            }
        }
        walk.step();
        false
    }

    fn array(&self, walk: &mut Walk<'_>, steps: &[Box<str>], depth: usize) -> bool {
        walk.step();
        let wanted = steps.first().and_then(|step| index(step));
        let mut at = 0;
        while !matches!(walk.peek(), None | Some(b']' | b'}')) {
            let found = match wanted {
                None => self.seek(walk, steps, depth + 1),
                Some(wanted) if wanted == at => self.seek(walk, &steps[1..], depth + 1),
                Some(_) => {
                    walk.skip();
                    false
                }
            };
            if found {
                return true;
            }
            at += 1;
        }
        walk.step();
        false
    }

    fn passes(&self, scalar: Scalar<'_>) -> bool {
        match scalar {
            Scalar::String(content) if content.contains('\\') => {
                let text: String = walk::chars(content).collect();
                self.test.passes_text(&text)
            }
            Scalar::String(content) => self.test.passes_text(content),
            Scalar::Plain(word) => self.test.passes_plain(word),
        }
    }
}

/// How many steps a key takes: one if it is the step, more if it is several with dots between.
fn taken_by(key: &str, steps: &[Box<str>]) -> Option<usize> {
    let key = if key.contains('\\') {
        Cow::Owned(walk::chars(key).collect::<String>())
    } else {
        Cow::Borrowed(key)
    };
    let mut rest = &*key;
    for (index, step) in steps.iter().enumerate() {
        rest = rest.strip_prefix(&**step)?;
        if rest.is_empty() {
            return Some(index + 1);
        }
        rest = rest.strip_prefix('.')?;
    }
    None
}

fn index(step: &str) -> Option<usize> {
    let is_number = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| step.parse().unwrap_or(usize::MAX))
}

impl Test {
    /// Whether a string of the payload passes. A string that is a JSON number compares as one, since many emitters send
    /// their numbers so.
    fn passes_text(&self, text: &str) -> bool {
        match self {
            Self::Is(expected) => text == expected,
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Glob(pattern) => super::glob::matches(pattern, text, false),
            Self::Exists => true,
            Self::Compare(op, number) => parse_number(text).is_some_and(|value| op.holds(value, *number)),
            Self::Level(..) => false,
        }
    }

    /// Whether a number, `true`, `false` or `null` of the payload passes.
    fn passes_plain(&self, word: &str) -> bool {
        match self {
            Self::Is(expected) => word == expected || is_same_number(word, expected),
            Self::Exists => word != "null",
            test => test.passes_text(word),
        }
    }
}

/// Whether two numbers are equal but for how they are written. Whole numbers written alike but for a digit are not,
/// however long: ids of 19 digits must not be rounded into each other.
fn is_same_number(a: &str, b: &str) -> bool {
    let is_whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_whole(a) && is_whole(b) {
        return false;
    }
    matches!((parse_number(a), parse_number(b)), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Filter, Node};
    use proptest::prelude::*;

    fn matches(filter: &str, json: &str) -> bool {
        match Filter::parse(filter).unwrap().tree() {
            Node::Path(path, test) => {
                let path = PathTest::new(&path[1..], test);
                path.may_be_in(json) && path.matches(json)
            }
            tree => panic!("{filter} is {tree:?}"),
        }
    }

    fn check(json: &str, filters: &[(&str, bool)]) {
        for (filter, expected) in filters {
            assert_eq!(matches(filter, json), *expected, "{filter} on {json}");
        }
    }

    #[test]
    fn values_compare_by_what_they_are() {
        check(
            r#"{"s":"Text","e":"","n":0.25,"i":5,"b":true,"z":null,"num":"7.5","f":5.0,"neg":-3}"#,
            &[
                ("data.s:Text", true),
                ("data.s:text", false),
                ("data.s:Te*", true),
                ("data.s:*xt", true),
                ("data.e:\"\"", true),
                ("data.e:*", true),
                ("data.s:\"\"", false),
                ("data.n:<0.5", true),
                ("data.n:<0.25", false),
                ("data.n:<=0.25", true),
                ("data.n:=0.25", true),
                ("data.n:0.250", true),
                ("data.i:5", true),
                ("data.i:5.0", true),
                ("data.i:>=5", true),
                ("data.f:5", true),
                ("data.neg:<-2", true),
                ("data.b:true", true),
                ("data.b:false", false),
                ("data.z:null", true),
                ("data.z:*", false),
                ("data.b:*", true),
                ("data.num:>7", true),
                ("data.num:7.5", true),
                ("data.num:7.50", false),
                ("data.s:>0", false),
                ("data.b:>0", false),
                ("data.missing:*", false),
            ],
        );
    }

    #[test]
    fn long_whole_numbers_are_not_rounded_into_each_other() {
        check(
            r#"{"id":12345678901234567890}"#,
            &[
                ("data.id:12345678901234567890", true),
                ("data.id:12345678901234567891", false),
                ("data.id:123*", true),
            ],
        );
    }

    #[test]
    fn a_path_steps_into_objects_and_arrays() {
        check(
            r#"{"a":{"b":{"c":1}},"items":[{"name":"x"},{"name":"y"}],"tags":["red",["blue"]],"empty":[],"0":"zero"}"#,
            &[
                ("data.a.b.c:1", true),
                ("data.a.b:*", true),
                ("data.a.b:1", false),
                ("data.b.c:1", false),
                ("data.items.name:y", true),
                ("data.items.0.name:x", true),
                ("data.items.1.name:x", false),
                ("data.items.2.name:*", false),
                ("data.tags:red", true),
                ("data.tags:blue", true),
                ("data.tags:green", false),
                ("data.tags.1:blue", true),
                ("data.tags.0:blue", false),
                ("data.empty:*", true),
                ("data.empty.0:*", false),
                ("data.0:zero", true),
            ],
        );
    }

    #[test]
    fn a_dot_may_be_a_step_or_part_of_a_key() {
        let json = r#"{"gen_ai.usage.input_tokens":1200,"http":{"status.code":200},"a":{"b":1}}"#;
        check(
            json,
            &[
                ("data.gen_ai.usage.input_tokens:>1000", true),
                ("data.\"gen_ai.usage.input_tokens\":1200", true),
                ("data.http.status.code:200", true),
                ("data.gen_ai:*", false),
                ("data.\"a.b\":1", false),
            ],
        );
    }

    #[test]
    fn keys_and_values_are_decoded() {
        check(
            r#" { "na\u006de" : "caf\u00e9" , "quo\"te" : "a\nb" } "#,
            &[("data.name:café", true), ("data.\"quo\\\"te\":\"a\nb\"", true)],
        );
    }

    #[test]
    fn a_key_that_is_there_twice_is_looked_at_twice() {
        check(
            r#"{"a":1,"a":2}"#,
            &[("data.a:1", true), ("data.a:2", true), ("data.a:3", false)],
        );
    }

    #[test]
    fn the_payload_itself_may_be_the_value() {
        check(
            "42",
            &[("data:42", true), ("data:>41", true), ("data.a:42", false)],
        );
        check(
            r#"["x"]"#,
            &[("data:x", true), ("data.0:x", true), ("data:*", true)],
        );
        check("null", &[("data:null", true), ("data:*", false)]);
        check("{}", &[("data:*", true), ("data.a:*", false)]);
    }

    #[test]
    fn deep_arrays_do_not_exhaust_the_stack() {
        let json = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        check(&json, &[("data:1", false), ("data:*", true)]);
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            (-3..3_i32).prop_map(Into::into),
            "[ab\"]{0,2}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
                proptest::collection::btree_map("[ab\"]{1,2}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The same rule over a tree.
    fn obvious(value: &serde_json::Value, steps: &[String], test: &Test) -> bool {
        use serde_json::Value;
        match (value, steps) {
            (Value::Object(_) | Value::Array(_), []) if *test == Test::Exists => true,
            (Value::Object(map), [step, rest @ ..]) => {
                map.get(step).is_some_and(|value| obvious(value, rest, test))
            }
            (Value::Array(values), [step, rest @ ..]) if index(step).is_some() => values
                .get(index(step).unwrap())
                .is_some_and(|value| obvious(value, rest, test)),
            (Value::Array(values), steps) => values.iter().any(|value| obvious(value, steps, test)),
            (Value::Object(_), []) => false,
            (Value::String(text), []) => test.passes_text(text),
            (plain, []) => test.passes_plain(&plain.to_string()),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn the_walk_agrees_with_a_tree(
            value in json(),
            steps in proptest::collection::vec("[ab\"]{1,2}|[01]", 0..4),
            test in prop_oneof![
                Just(Test::Exists),
                "[ab\"]{0,2}|null|true|-?[0-2]".prop_map(Test::Is),
                Just(Test::Compare(crate::filter::Op::Gt, 0.0)),
            ],
            pretty in any::<bool>(),
        ) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let path = PathTest::new(&steps, &test);
            prop_assert_eq!(path.may_be_in(&text) && path.matches(&text), obvious(&value, &steps, &test), "{}", text);
        }

        #[test]
        fn text_that_is_no_json_is_no_harm(text in "[\\[\\]{}\":,\\\\ua1é ]{0,30}", steps in proptest::collection::vec("a|1", 0..3)) {
            PathTest::new(&steps, &Test::Is("a".into())).matches(&text);
        }
    }
}
