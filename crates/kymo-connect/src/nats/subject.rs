//! Subjects: which are patterns, which patterns meet, and the subject of an event.

use kymo_event::{LineView, filter::Key};

/// Whether a subscriber may ask for it: tokens with dots between, `*` for one and `>` for the rest.
pub(super) fn is_pattern(subject: &str) -> bool {
    let tokens: Vec<_> = subject.split('.').collect();
    let last = tokens.len() - 1;
    tokens.iter().enumerate().all(|(at, token)| match *token {
        "*" => true,
        ">" => at == last,
        token => {
            !token.is_empty()
                && !token.contains(|c: char| c.is_whitespace() || c.is_control() || "*>".contains(c))
        }
    })
}

/// Whether a subject is one that the pattern means.
pub(super) fn matches(pattern: &str, subject: &str) -> bool {
    let (mut wanted, mut tokens) = (pattern.split('.'), subject.split('.'));
    loop {
        match (wanted.next(), tokens.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// Whether some subject is one that both patterns mean.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        match (ones.next(), others.next()) {
            (Some(">"), Some(_)) | (Some(_), Some(">")) | (None, None) => return true,
            (Some("*"), Some(_)) | (Some(_), Some("*")) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// How the subject of an event is made: text with keys of the event in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Key(Key),
}

const KEYS: [(&str, Key); 11] = [
    ("type", Key::Type),
    ("source", Key::Source),
    ("level", Key::Level),
    ("agent", Key::Agent),
    ("session", Key::Session),
    ("task", Key::Task),
    ("trace", Key::Trace),
    ("span", Key::Span),
    ("user", Key::User),
    ("tier", Key::Tier),
    ("dialect", Key::Dialect),
];

impl Template {
    /// Reads a template.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            parts.push(Part::Text(before.to_owned()));
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| format!("`subject` has a brace that does not close: \"{text}\""))?;
            let key = KEYS.iter().find(|(known, _)| *known == name);
            let Some((_, key)) = key else {
                let known: Vec<_> = KEYS.iter().map(|(known, _)| format!("{{{known}}}")).collect();
                return Err(format!(
                    "`subject` cannot have {{{name}}}: it can have {}",
                    known.join(", ")
                ));
            };
            parts.push(Part::Key(*key));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        let template = Self { parts };
        // Any event will do: what a key gives is always a good token.
        let example = template.fill(|_| None);
        let is_ours = is_the_servers(&example);
        if !is_pattern(&example) || example.contains(['*', '>', '}']) || is_ours {
            return Err(format!(
                "`subject` cannot be \"{text}\": write tokens with dots between, without wildcards, such as kymo.{{source}}.{{type}}"
            ));
        }
        Ok(template)
    }

    /// The subject of an event.
    pub(super) fn subject(&self, view: &LineView<'_>) -> String {
        let mut subject = self.fill(|key| view.key(key).map(std::borrow::Cow::into_owned));
        // Whoever may emit says what an event is called, and shall give no orders to the server by it.
        if is_the_servers(&subject) {
            subject.replace_range(..1, "-");
        }
        subject
    }

    fn fill(&self, value: impl Fn(Key) -> Option<String>) -> String {
        let mut subject = String::with_capacity(64);
        for part in &self.parts {
            match part {
                Part::Text(text) => subject.push_str(text),
                Part::Key(key) => {
                    push_tokens(&mut subject, &value(*key).unwrap_or_default(), *key == Key::Type)
                }
            }
        }
        subject
    }
}

/// Whether a subject is the server's own, or an answer's.
fn is_the_servers(subject: &str) -> bool {
    subject.starts_with('$') || subject.starts_with("_INBOX")
}

/// Appends a value as one token; a type keeps its dots, since subscribers ask for `kymo.*.task.>`.
fn push_tokens(subject: &mut String, value: &str, dots: bool) {
    let before = subject.len();
    for c in value.chars() {
        match c {
            // No token is empty.
            '.' if dots && subject.len() > before && !subject.ends_with('.') => subject.push('.'),
            '.' | '*' | '>' => subject.push('_'),
            c if c.is_whitespace() || c.is_control() => subject.push('_'),
            c => subject.push(c),
        }
    }
    if subject.len() == before || subject.ends_with('.') {
        subject.push('_');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_told_from_what_a_server_would_refuse() {
        for good in ["a", "a.b", "a.*.c", "*", ">", "a.>", "é.x-y_z"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a.>.b", "a b", "a.b*", "a.\n", ">a"] {
            assert!(!is_pattern(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_pattern_means_the_subjects_a_server_would_give_for_it() {
        for (pattern, subject, expected) in [
            ("a.b", "a.b", true),
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            ("a.b", "a", false),
            ("*.b", "a.b", true),
        ] {
            assert_eq!(matches(pattern, subject), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn patterns_that_have_a_subject_in_common_overlap() {
        for (one, other, expected) in [
            ("a.b", "a.b", true),
            ("a.>", "a.b.c", true),
            ("a.*", "*.b", true),
            ("a.>", "a", false),
            ("a.b", "a.c", false),
            ("a.*", "a.b.c", false),
            ("a.*.c", "a.>", true),
        ] {
            assert_eq!(overlap(one, other), expected, "{one} {other}");
            assert_eq!(overlap(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn whatever_an_event_says_its_subject_is_one_a_server_takes() {
        let template = Template::parse("kymo.{source}.{type}.x{agent}").expect("a template");
        let filled = |source: &str, kind: &str| {
            template.fill(|key| match key {
                Key::Source => Some(source.to_owned()),
                Key::Type => Some(kind.to_owned()),
                _ => None,
            })
        };
        assert_eq!(filled("ci", "task.started"), "kymo.ci.task.started.x_");
        assert_eq!(
            filled("https://a.b/c d", "a > *\n"),
            "kymo.https://a_b/c_d.a_____.x_"
        );
        for kind in ["", ".", "..", ".a", "a.", "a..b", "é ü", "\u{85}"] {
            let subject = filled(kind, kind);
            assert!(
                is_pattern(&subject) && !subject.contains(['*', '>']),
                "{kind:?}: {subject}"
            );
        }
    }

    #[test]
    fn nobody_gives_orders_to_the_server_by_what_an_event_is_called() {
        let template = Template::parse("{type}").expect("a template");
        for (kind, subject) in [
            ("$JS.API.STREAM.PURGE.JOBS", "-JS.API.STREAM.PURGE.JOBS"),
            ("_INBOX.a.b", "-INBOX.a.b"),
            ("task.$JS", "task.$JS"),
        ] {
            let line = format!(
                r#"{{"seq":1,"recorded":"2026-02-14T19:01:23.457102Z","type":"{kind}","source":"s","level":"info","crc":"00000000"}}"#
            );
            let view = LineView::parse(line.as_bytes()).expect("a line");
            assert_eq!(template.subject(&view), subject);
        }
    }

    #[test]
    fn templates_that_make_no_subject_are_refused() {
        for bad in [
            "",
            "a.{typ}",
            "a.{type",
            "a.*",
            "a.>",
            "a b",
            "$JS.{type}",
            "_INBOX.{type}",
            "a..b",
            "a}",
        ] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
