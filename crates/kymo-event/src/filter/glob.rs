//! Patterns with `*`: matched in place, without building anything.

use crate::names::fold_byte;

/// Whether the whole text has the pattern's form. `*` stands for any text, also none; `\*` and `\\` for a star and a
/// backslash. With `folds` all name separators are one.
pub(super) fn matches(pattern: &str, text: &str, folds: bool) -> bool {
    let fold = |byte: u8| if folds { fold_byte(byte) } else { byte };
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on when a literal fails: behind the last star, one byte of text later. Bytes serve as well as
    // characters, for no character's bytes begin inside another.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match next(pattern, p) {
            Token::Star => {
                p += 1;
                retry = Some((p, t));
                continue;
            }
            Token::Literal(byte, end) if t < text.len() && fold(byte) == fold(text[t]) => {
                p = end;
                t += 1;
                continue;
            }
            Token::End if t == text.len() => return true,
            Token::Literal(..) | Token::End => {}
        }
        match retry {
            Some((after_star, from)) if from < text.len() => {
                retry = Some((after_star, from + 1));
                (p, t) = (after_star, from + 1);
            }
            _ => return false,
        }
    }
}

enum Token {
    Star,
    /// The byte, and where the next token begins.
    Literal(u8, usize),
    End,
}

fn next(pattern: &[u8], at: usize) -> Token {
    match (pattern.get(at), pattern.get(at + 1)) {
        (None, _) => Token::End,
        (Some(b'*'), _) => Token::Star,
        (Some(b'\\'), Some(&escaped)) => Token::Literal(escaped, at + 2),
        (Some(&byte), _) => Token::Literal(byte, at + 1),
    }
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text that stands for itself; not empty.
    Text(String),
    /// Any text.
    Star,
}

/// The pattern's parts, equal neighbours joined.
pub(super) fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => push(&mut pieces, Piece::Star),
            '\\' => push(&mut pieces, Piece::Text(chars.next().unwrap_or('\\').into())),
            c => push(&mut pieces, Piece::Text(c.into())),
        }
    }
    pieces
}

/// Adds a part at the end; texts grow together, stars stay one, empty texts vanish.
pub(super) fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    match (pieces.last_mut(), piece) {
        (_, Piece::Text(text)) if text.is_empty() => {}
        (Some(Piece::Text(last)), Piece::Text(text)) => last.push_str(&text),
        (Some(Piece::Star), Piece::Star) => {}
        (_, piece) => pieces.push(piece),
    }
}

/// The pattern of these parts.
pub(super) fn pattern(pieces: &[Piece]) -> String {
    let mut pattern = String::new();
    for piece in pieces {
        match piece {
            Piece::Star => pattern.push('*'),
            Piece::Text(text) => {
                for c in text.chars() {
                    if matches!(c, '*' | '\\') {
                        pattern.push('\\');
                    }
                    pattern.push(c);
                }
            }
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_any_text_also_none() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "ac", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("*.md", "README.md", true),
            ("*.md", "README.md.bak", false),
            ("a*b*c", "a-b-b-c", true),
            ("*aab", "aaaab", true),
            ("", "", true),
            ("", "a", false),
            ("*é*", "caféine", true),
        ] {
            assert_eq!(matches(pattern, text, false), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn an_escaped_star_is_a_star() {
        assert!(matches(r"2\*3*", "2*3=6", false));
        assert!(!matches(r"2\*3*", "2x3=6", false));
        assert!(matches(r"C:\\*", r"C:\temp", false));
    }

    #[test]
    fn names_match_with_any_separator() {
        assert!(matches("*.node.*", "memory:node-created", true));
        assert!(!matches("*.node.*", "memory:node-created", false));
    }

    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skip| slow(rest, &text[skip..])),
            Some((byte, rest)) => text
                .split_first()
                .is_some_and(|(first, text)| first == byte && slow(rest, text)),
        }
    }

    proptest! {
        #[test]
        fn the_fast_matcher_agrees_with_the_obvious_one(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(matches(&pattern, &text, false), slow(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn parts_of_a_pattern_make_the_same_pattern(text in r"[ab*\\]{0,12}") {
            let parts = pieces(&text);
            prop_assert_eq!(pieces(&pattern(&parts)), parts);
        }
    }
}
