//! The one place that prints.

use std::io::Write;

/// Prints a line.
pub(crate) fn say(text: &str) {
    // A closed pipe is the reader's choice, not an error.
    let _ = writeln!(std::io::stdout(), "{text}");
}
