//! The one place that writes to standard output, and the one form of messages on standard error.
//!
//! Colours are dropped where they would not be seen (no terminal, `NO_COLOR`, `--color never`). A reader that closes
//! its end of the pipe (`kymo tail | head`) ends the program quietly.
use std::io::{self, BufWriter, Write};

use anstyle::{AnsiColor, Style};

use crate::{exit::Exit, failure::Failure};

/// For words that stand back.
pub(crate) const DIM: Style = Style::new().dimmed();
/// For what the eye should find first.
pub(crate) const BOLD: Style = Style::new().bold();
/// For things that can be opened.
pub(crate) const LINK: Style = AnsiColor::Cyan.on_default().underline();
/// For what went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// For what went wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// For what wants a look.
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default();

/// Standard output, buffered. Flushes when dropped.
pub(crate) struct Printer {
    out: BufWriter<io::Stdout>,
    coloured: bool,
}

impl Printer {
    pub(crate) fn new() -> Self {
        let stdout = io::stdout();
        let coloured = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
        Self {
            out: BufWriter::with_capacity(64 << 10, stdout),
            coloured,
        }
    }

    /// Whether somebody looks at it (and not a pipe or file).
    pub(crate) fn on_terminal() -> bool {
        io::IsTerminal::is_terminal(&io::stdout())
    }

    /// Columns of the terminal, if it is one.
    pub(crate) fn columns() -> Option<usize> {
        terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
    }

    /// One line of ours, which may carry colours.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) {
        let text = text.as_ref();
        Self::keep(if self.coloured {
            writeln!(self.out, "{text}")
        } else {
            writeln!(self.out, "{}", anstream::adapter::strip_str(text))
        });
    }

    /// One line of bytes that were written elsewhere (a ledger line): handed on as it is.
    pub(crate) fn raw_line(&mut self, line: &[u8]) {
        Self::keep(self.out.write_all(line));
        Self::keep(self.out.write_all(b"\n"));
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        Self::keep(self.out.write_all(bytes));
    }

    /// A value as indented JSON; a list of numbers or words stands on one line, and
    /// one of such lists where it fits there.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) {
        let text = serde_json::to_string_pretty(value).expect("values of ours become JSON");
        let text = with_short_lists(&text, usize::MAX);
        self.line(with_short_lists(&text, LIST_COLUMNS));
    }

    /// Hands what was written to the reader now.
    pub(crate) fn flush(&mut self) {
        Self::keep(self.out.flush());
    }

    fn keep(result: io::Result<()>) {
        match result {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Exit::leave_quietly(),
            Err(cause) => {
                complain(&Failure::failed(format!(
                    "standard output could not be written: {cause}"
                )));
                Exit::Failed.leave()
            }
        }
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.flush();
    }
}

/// A list of lists is this wide at most.
const LIST_COLUMNS: usize = 100;

/// Indented JSON with each list whose items are one line each on one line, where that is not wider than `columns`.
fn with_short_lists(json: &str, columns: usize) -> String {
    // No string holds a line feed, so that what a line ends with tells what it is.
    let lines: Vec<&str> = json.lines().collect();
    let is_plain = |line: &&&str| !line.ends_with(['[', '{']) && !line.trim_start().starts_with([']', '}']);
    let mut out = String::with_capacity(json.len());
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        out.push_str(line);
        at += 1;
        if line.ends_with('[') {
            let items = lines[at..].iter().take_while(is_plain).count();
            let end = lines[at + items].trim_start();
            let inside: Vec<_> = lines[at..at + items]
                .iter()
                .map(|item| item.trim_start())
                .collect();
            let inside = inside.join(" ");
            if end.starts_with(']') && line.len() + inside.len() <= columns {
                out.push_str(&inside);
                out.push_str(end);
                at += items + 1;
            }
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

/// One line on standard error: something people should know while the command goes on.
pub(crate) fn note(text: impl AsRef<str>) {
    let _ = writeln!(anstream::stderr(), "{NOTE}kymo:{NOTE:#} {}", text.as_ref());
}

/// A failure on standard error: what happened, and what to do.
pub(crate) fn complain(failure: &Failure) {
    let mut err = anstream::stderr().lock();
    let _ = writeln!(err, "{BAD}error:{BAD:#} {failure}");
    if let Some(hint) = &failure.hint {
        let _ = writeln!(err, "  {DIM}→{DIM:#} {hint}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_of_plain_values_stands_on_one_line_and_all_else_is_indented() {
        let long = "x".repeat(90);
        let value = json!({
            "a": [1, 2.5, null], "b": [], "c": [{ "lag": 0 }, [3, "[", "x ]"]], "d": {},
            "e": [[1, [2, 3]], [4, [5, 6]]], "f": [[long], [7]],
        });
        let pretty = serde_json::to_string_pretty(&value).expect("JSON");
        let text = with_short_lists(&with_short_lists(&pretty, usize::MAX), LIST_COLUMNS);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON"),
            value
        );
        let expected = r#"{
  "a": [1, 2.5, null],
  "b": [],
  "c": [
    {
      "lag": 0
    },
    [3, "[", "x ]"]
  ],
  "d": {},
  "e": [
    [1, [2, 3]],
    [4, [5, 6]]
  ],
  "f": [
    ["xx"],
    [7]
  ]
}"#;
        assert_eq!(text, expected.replace("xx", &long));
    }
}
