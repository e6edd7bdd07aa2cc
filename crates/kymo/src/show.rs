//! An event as one line for people: when, how serious, what, who, and the gist of its payload.
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kymo_event::{Level, LineView, Micros, filter::Key};
use serde_json::{Map, Value};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{
    history::Hole,
    printer::{BOLD, DIM, NOTE, Printer},
};

/// Shows events one after the other; says the date when it changes.
pub(crate) struct Show {
    zone: TimeZone,
    /// On a terminal: local time of day, cut to its width. Else: whole lines with whole UTC times.
    columns: Option<usize>,
    date: Option<Date>,
}

impl Show {
    pub(crate) fn new() -> Self {
        Self {
            zone: TimeZone::system(),
            columns: Printer::on_terminal().then(|| Printer::columns().unwrap_or(120).max(60)),
            date: Some(Timestamp::now().to_zoned(TimeZone::system()).date()),
        }
    }

    /// Prints one event.
    pub(crate) fn event(&mut self, printer: &mut Printer, line: &LineView<'_>) {
        let when = self.when(printer, line.recorded());
        let level = line.level();
        let style = style(level);
        let mut text = format!("{DIM}{when}{DIM:#} {style}{:<5}{style:#} ", word(level));
        // Colours take no columns, so the plain width is counted beside the text.
        let mut width = when.len() + 7;
        for (style, part, pad) in [
            (BOLD, clean(&line.kind()), 20),
            (Style::new(), clean(&line.source()), 10),
            (DIM, who(line), 0),
            (NOTE, self.past(line), 0),
        ] {
            if part.is_empty() && pad == 0 {
                continue;
            }
            let columns = part.width().max(pad);
            let _ = write!(text, "{style}{part}{style:#}{:1$} ", "", columns - part.width());
            width += columns + 1;
        }
        let gist = gist(line);
        match self.columns {
            Some(columns) => text.push_str(&cut(&gist, columns.saturating_sub(width).max(20))),
            None => text.push_str(&gist),
        }
        printer.line(text.trim_end());
    }

    /// Prints a declared hole.
    pub(crate) fn hole(&self, printer: &mut Printer, hole: &Hole) {
        printer.line(format!("{NOTE}── {} ──{NOTE:#}", describe(hole)));
    }

    /// The mark of the imported past, with the time at which it happened where the emitter said so: what stands in
    /// front is when it was recorded.
    fn past(&self, line: &LineView<'_>) -> String {
        match line
            .emitted()
            .map(|time| (time, Timestamp::from_microsecond(time.0)))
        {
            _ if !line.backfill() => String::new(),
            Some((_, Ok(stamp))) if self.columns.is_some() => {
                let local = stamp.to_zoned(self.zone.clone());
                format!("backfill {}", local.strftime("%Y-%m-%d %H:%M:%S"))
            }
            Some((time, _)) => format!("backfill {time}"),
            None => "backfill".to_owned(),
        }
    }

    fn when(&mut self, printer: &mut Printer, moment: Micros) -> String {
        let Ok(stamp) = Timestamp::from_microsecond(moment.0) else {
            return moment.to_string();
        };
        if self.columns.is_none() {
            return moment.to_string();
        }
        let local = stamp.to_zoned(self.zone.clone());
        if self.date != Some(local.date()) {
            self.date = Some(local.date());
            printer.line(format!("{DIM}── {} ──{DIM:#}", local.date()));
        }
        local.strftime("%H:%M:%S%.3f").to_string()
    }
}

/// A hole in one sentence.
pub(crate) fn describe(hole: &Hole) -> String {
    let why = match hole.reason.as_str() {
        "retention" => "removed by age or size",
        "damaged" => "damaged on disk (`kymo verify` names where)",
        "erased" => "erased on purpose",
        "other_ledger" => "of another ledger",
        "ahead_of_ledger" => "beyond the end of the ledger",
        other => other,
    };
    if hole.reason == "ahead_of_ledger" {
        return format!("seq {} is {why}; going on at seq {}", hole.asked, hole.first);
    }
    let what = match hole.lost {
        1 => format!("the event with seq {} is", hole.asked),
        lost => format!("{lost} events from seq {} are", hole.asked),
    };
    format!("gap: {what} missing, {why}; going on at seq {}", hole.first)
}

/// How a level looks.
pub(crate) fn style(level: Level) -> Style {
    match level {
        Level::Debug => Style::new().dimmed(),
        Level::Info => AnsiColor::Green.on_default(),
        Level::Warn => AnsiColor::Yellow.on_default(),
        Level::Error => AnsiColor::Red.on_default(),
        Level::Critical => AnsiColor::BrightWhite.on(AnsiColor::Red).bold(),
    }
}

/// Five letters, so that what follows stands in a column.
fn word(level: Level) -> &'static str {
    match level {
        Level::Critical => "crit",
        level => level.as_str(),
    }
}

fn who(line: &LineView<'_>) -> String {
    let keys = [
        (Key::Agent, "agent"),
        (Key::Task, "task"),
        (Key::Session, "session"),
    ];
    let parts = keys
        .iter()
        .filter_map(|(key, name)| Some(format!("{name}={}", short(&clean(&line.key(*key)?)))));
    parts.collect::<Vec<_>>().join(" ")
}

/// Ids are long; their beginning is enough to tell them apart on a screen.
fn short(id: &str) -> String {
    if id.len() == 36 && id.matches('-').count() == 4 {
        id[..8].to_owned()
    } else {
        id.to_owned()
    }
}

/// What the payload says, in a few words where its shape is known, else field by field.
fn gist(line: &LineView<'_>) -> String {
    let Some(data) = line.data() else {
        return String::new();
    };
    match serde_json::from_str::<Value>(data) {
        Ok(Value::Object(fields)) => known(&fields).unwrap_or_else(|| all(&fields)),
        Ok(Value::String(text)) => clean(&text),
        _ => data.to_owned(),
    }
}

/// Shapes that are common enough to be read at a glance.
fn known(fields: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(clean);
    let number = |name: &str| fields.get(name).and_then(Value::as_i64);
    if let (Some(text), Some(stream)) = (text("text"), text("stream")) {
        return Some(if stream == "stderr" {
            format!("2> {text}")
        } else {
            text
        });
    }
    if let (Some(from), Some(to)) = (text("from"), text("to").or_else(|| text("path"))) {
        let moved = match text("branch") {
            Some(branch) if is_hash(&to) => format!("{branch} "),
            _ => String::new(),
        };
        return Some(format!("{moved}{} → {}", short_hash(&from), short_hash(&to)));
    }
    if let (Some(name), Some(hash), None) = (
        text("branch").or_else(|| text("tag")),
        text("hash").filter(|hash| is_hash(hash)),
        fields.get("subject"),
    ) {
        return Some(format!("{name} {}", short_hash(&hash)));
    }
    if let Some(path) = text("path") {
        let change = |sign: char, name: &str| {
            number(name)
                .filter(|lines| *lines > 0)
                .map_or(String::new(), |lines| format!(" {sign}{lines}"))
        };
        return Some(format!(
            "{path}{}{}",
            change('+', "added"),
            change('−', "removed")
        ));
    }
    if let (Some(code), Some(took)) = (fields.get("exit_code"), number("duration_ms")) {
        let how = match code {
            Value::Null => number("signal").map_or("killed".to_owned(), |n| format!("killed by signal {n}")),
            code => format!("exit {code}"),
        };
        // The outcome goes first: a long command is what a narrow terminal may cut.
        return Some(format!(
            "{how} in {took} ms: {}",
            text("command").unwrap_or_default()
        ));
    }
    ["message", "subject", "command"]
        .iter()
        .find_map(|name| text(name))
}

/// Whether it is an object's whole name in git.
fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn short_hash(text: &str) -> &str {
    if is_hash(text) { &text[..7] } else { text }
}

/// `key=value key=value`; what is not plain text stays JSON.
fn all(fields: &Map<String, Value>) -> String {
    let plain = |text: &str| {
        !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '"' || c.is_control())
    };
    let pairs = fields.iter().map(|(name, value)| match value {
        Value::String(text) if plain(text) => format!("{}={text}", clean(name)),
        value => format!("{}={value}", clean(name)),
    });
    pairs.collect::<Vec<_>>().join(" ")
}

/// Control characters would steer the terminal; they are shown, not obeyed.
fn clean(text: &str) -> String {
    if text.chars().any(char::is_control) {
        text.chars()
            .map(|c| if c.is_control() { '·' } else { c })
            .collect()
    } else {
        text.to_owned()
    }
}

/// As much as fits. A character may take two columns, as in Chinese or Japanese, or none.
fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut taken = 0;
    let fits = |c: &char| {
        taken += c.width().unwrap_or(0);
        taken < columns
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn in_words(fields: &Value) -> Option<String> {
        known(fields.as_object().expect("an object"))
    }

    #[test]
    fn what_is_cut_is_as_wide_as_there_is_room_for() {
        assert_eq!(cut("four", 4), "four");
        assert_eq!(cut("fives", 4), "fiv…");
        assert_eq!(cut("漢字", 4), "漢字");
        assert_eq!(cut("漢字漢字", 6), "漢字…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 3), "e\u{301}e\u{301}e\u{301}");
    }

    #[test]
    fn an_ended_command_says_its_outcome_first() {
        let exited = json!({ "command": "npm test", "exit_code": 1, "duration_ms": 4187 });
        assert_eq!(in_words(&exited).as_deref(), Some("exit 1 in 4187 ms: npm test"));
        let killed = json!({ "command": "x", "exit_code": null, "signal": 9, "duration_ms": 2 });
        assert_eq!(
            in_words(&killed).as_deref(),
            Some("killed by signal 9 in 2 ms: x")
        );
    }

    #[test]
    fn git_is_told_with_names_and_short_hashes() {
        let (old, new) = ("a".repeat(40), "b".repeat(40));
        let cases = [
            (
                json!({ "branch": "main", "from": old, "to": new }),
                "main aaaaaaa → bbbbbbb",
            ),
            (
                json!({ "branch": "topic", "from": "main", "to": "topic", "hash": new }),
                "main → topic",
            ),
            (json!({ "tag": "v1", "hash": new }), "v1 bbbbbbb"),
            (
                json!({ "branch": "main", "hash": new, "subject": "Say why" }),
                "Say why",
            ),
            (json!({ "from": "a.txt", "path": "b.txt" }), "a.txt → b.txt"),
        ];
        for (fields, words) in cases {
            assert_eq!(in_words(&fields).as_deref(), Some(words), "{fields}");
        }
    }

    #[test]
    fn a_hole_is_told_as_what_it_is() {
        let hole = |lost, reason: &str| Hole {
            asked: 10,
            first: 11,
            lost,
            reason: reason.to_owned(),
        };
        assert!(describe(&hole(1, "retention")).starts_with("gap: the event with seq 10 is missing"));
        assert!(describe(&hole(2, "retention")).starts_with("gap: 2 events from seq 10 are missing"));
        assert!(describe(&hole(9, "ahead_of_ledger")).starts_with("seq 10 is beyond the end of the ledger"));
    }
}
