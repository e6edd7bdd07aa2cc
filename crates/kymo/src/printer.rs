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

    /// A value as indented JSON.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) {
        let text = serde_json::to_string_pretty(value).expect("values of ours become JSON");
        self.line(text);
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
