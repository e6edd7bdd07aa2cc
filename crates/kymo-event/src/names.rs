//! Names: `. _ - : /` are one separator, so `task_started` and `task.started` are the same name.
//!
//! Names are stored as they were sent; only comparing folds them. [`crate::filter`], [`crate::channels`] and
//! [`crate::catalogue`] all compare by what stands here.

use std::borrow::Cow;

/// Whether the byte is one of the separators `. _ - : /`.
#[must_use]
pub const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'.' | b'_' | b'-' | b':' | b'/')
}

/// The byte with every separator as `.`.
pub(crate) const fn fold_byte(byte: u8) -> u8 {
    if is_separator(byte) { b'.' } else { byte }
}

/// The name with every separator as `.`, borrowed where nothing changes.
#[must_use]
pub fn fold_separators(name: &str) -> Cow<'_, str> {
    let foreign = |c: char| c.is_ascii() && c != '.' && is_separator(c as u8);
    if name.contains(foreign) {
        Cow::Owned(name.replace(foreign, "."))
    } else {
        Cow::Borrowed(name)
    }
}

/// Whether two names are equal when all separators are one.
#[must_use]
pub fn same_name(a: &str, b: &str) -> bool {
    a.len() == b.len() && begins_name(a, b)
}

/// Whether `name` begins with `prefix` when all separators are one. Says nothing about where a word ends: `tasks`
/// begins with `task`, and only `task.started` with `task.`.
#[must_use]
pub fn begins_name(name: &str, prefix: &str) -> bool {
    name.len() >= prefix.len()
        && name
            .bytes()
            .zip(prefix.bytes())
            .all(|(a, b)| fold_byte(a) == fold_byte(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_separator_folds_to_a_dot() {
        assert_eq!(fold_separators("a_b-c:d/e.f"), "a.b.c.d.e.f");
    }

    #[test]
    fn a_name_in_dot_notation_is_not_copied() {
        assert!(matches!(fold_separators("task.started"), Cow::Borrowed(_)));
        assert!(matches!(fold_separators("시작.됨"), Cow::Borrowed(_)));
    }

    #[test]
    fn names_are_the_same_whatever_the_separator_but_not_the_case() {
        assert!(same_name("task_started", "task.started"));
        assert!(same_name("memory:node-created", "memory/node_created"));
        assert!(!same_name("Task.started", "task.started"));
        assert!(!same_name("task.started", "taskstarted"));
        assert!(!same_name("task", "task.started"));
    }

    #[test]
    fn a_prefix_with_a_separator_asks_for_a_separator() {
        assert!(begins_name("task_started", "task."));
        assert!(!begins_name("tasks", "task."));
        assert!(!begins_name("task", "task."));
        assert!(begins_name("tasks", "task"));
    }
}
