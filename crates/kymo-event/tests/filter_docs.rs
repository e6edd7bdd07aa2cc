//! `docs/filters.md` says nothing that is not so.

use kymo_event::{Channel, Filter, filter::Key};

const DOCS: &str = include_str!("../../../docs/filters.md");

/// The lines of all fenced examples of a kind.
fn examples(kind: &str) -> Vec<&'static str> {
    let fence = format!("```{kind}");
    let mut lines = Vec::new();
    let mut inside = false;
    for line in DOCS.lines() {
        match (inside, line) {
            (false, line) if line == fence => inside = true,
            (true, "```") => inside = false,
            (true, line) => lines.push(line),
            (false, _) => {}
        }
    }
    assert!(!lines.is_empty(), "no example of {kind}");
    lines
}

/// The rows of the table under a heading, as cells.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let section = DOCS
        .split(&format!("\n## {heading}\n"))
        .nth(1)
        .expect("the heading is there");
    section
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// What stands between backquotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_example_is_a_filter() {
    for text in examples("filter") {
        if let Err(error) = Filter::parse(text) {
            panic!("{text}: {error}");
        }
    }
}

#[test]
fn every_refused_example_is_refused_in_these_words() {
    let lines = examples("refused");
    for pair in lines.chunks_exact(2) {
        let error = Filter::parse(pair[0]).expect_err(pair[0]);
        assert_eq!(error.to_string(), pair[1], "{}", pair[0]);
    }
}

#[test]
fn every_form_in_the_table_of_terms_is_read() {
    for row in rows("Terms") {
        for form in quoted(row[0]) {
            let text = form
                .replace("key:", "agent:")
                .replace("-term", "-x")
                .replace("NOT term", "NOT x");
            assert!(Filter::parse(&text).is_ok(), "{form}");
        }
    }
}

#[test]
fn the_table_of_keys_has_every_key_and_no_other() {
    let rows = rows("Keys");
    let mut named: Vec<&str> = rows.iter().flat_map(|row| quoted(row[0])).collect();
    named.retain(|key| !matches!(*key, "data" | "ext"));
    let mut keys: Vec<&str> = Key::ALL.into_iter().map(Key::as_str).collect();
    named.sort_unstable();
    keys.sort_unstable();
    assert_eq!(named, keys);
}

#[test]
fn every_channel_in_the_table_is_the_filter_beside_it() {
    for row in rows("Channels") {
        let channel = Channel::parse(quoted(row[0])[0]).unwrap().filter();
        let filter = quoted(row[1]).first().copied().unwrap_or_default();
        assert_eq!(channel, Filter::parse(filter).unwrap(), "{}", row[0]);
    }
}

#[test]
fn filters_in_running_text_are_read() {
    let keys = Key::ALL.map(Key::as_str);
    let is_term = |text: &&str| {
        let text = text.trim_start_matches('-');
        text.split_once([':', '.']).is_some_and(|(key, value)| {
            !value.is_empty() && text.contains(':') && (keys.contains(&key) || matches!(key, "data" | "ext"))
        })
    };
    // What is outside the fences, tables aside.
    let prose = DOCS
        .split("```")
        .step_by(2)
        .flat_map(str::lines)
        .filter(|line| !line.starts_with('|'));
    let found: Vec<&str> = prose.flat_map(quoted).filter(is_term).collect();
    assert!(found.len() > 10, "{found:?}");
    for text in found {
        assert!(Filter::parse(text).is_ok(), "{text}");
    }
}
