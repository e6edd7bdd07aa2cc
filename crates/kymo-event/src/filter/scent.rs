//! Decides fast that words cannot be in a text: searches its raw bytes for a part of them.
//!
//! Nearly all lines do not hold what is looked for, so this is where a search spends its time. A `true` from here means
//! no more than that [`super::words`] must look closely.

use super::walk;

/// The longest part of the words that can be searched for in raw text, strings or not.
pub(super) enum Scent {
    /// Letters of ASCII, in either case.
    Ascii {
        part: AsciiNeedle,
        has_slash: bool,
        /// Has a letter that is the lower case of a character outside ASCII (the Kelvin sign, the dotted capital I).
        has_outside_capital: bool,
    },
    /// Characters that know no case.
    Caseless(Box<memchr::memmem::Finder<'static>>),
    /// Nothing to go by.
    None,
}

impl Scent {
    /// Takes folded words.
    pub(super) fn of(chars: &[char]) -> Self {
        let ascii = longest(chars, |c| c.is_ascii() && walk::is_plain(c));
        let caseless = longest(chars, |c| !c.is_ascii() && is_caseless(c));
        if ascii.is_empty() && caseless.is_empty() {
            Self::None
        } else if caseless.len() > ascii.len() {
            Self::Caseless(Box::new(memchr::memmem::Finder::new(&caseless).into_owned()))
        } else {
            Self::Ascii {
                has_slash: ascii.contains('/'),
                has_outside_capital: ascii.contains(['i', 'k']),
                part: AsciiNeedle::new(&ascii),
            }
        }
    }

    /// Whether JSON text, or a text that holds it, may hold the words.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        match self {
            Self::None => true,
            Self::Caseless(part) => part.find(bytes).is_some() || walk::may_respell(text, false),
            Self::Ascii {
                part,
                has_slash,
                has_outside_capital,
            } => {
                // First bytes of the dotted capital I and of the Kelvin sign.
                let outside = || *has_outside_capital && memchr::memchr2(0xc4, 0xe2, bytes).is_some();
                !matches!(part.find(bytes), Found::No) || outside() || walk::may_respell(text, *has_slash)
            }
        }
    }
}

/// The longest run of such characters.
fn longest(chars: &[char], wanted: impl Fn(char) -> bool) -> String {
    chars
        .split(|c| !wanted(*c))
        .max_by_key(|run| run.iter().map(|c| c.len_utf8()).sum::<usize>())
        .map(|run| run.iter().collect())
        .unwrap_or_default()
}

/// Whether no other character has this one in its lower case. (The combining dot is in that of the dotted capital I.)
fn is_caseless(c: char) -> bool {
    c.to_uppercase().eq([c]) && c != '\u{307}'
}

/// Words of ASCII, found by their rarest byte.
pub(super) struct AsciiNeedle {
    lower: Box<[u8]>,
    rare_at: usize,
}

/// From common to rare in logs; what is not here is rarer still.
const COMMON: &[u8] = b" etaoinsrldhcumpfgybwv0123456789-_./,k:xjqz";

impl AsciiNeedle {
    pub(super) fn new(words: &str) -> Self {
        let lower: Box<[u8]> = words.bytes().map(|byte| byte.to_ascii_lowercase()).collect();
        let rarity = |byte: &u8| {
            COMMON
                .iter()
                .position(|common| common == byte)
                .unwrap_or(COMMON.len())
        };
        let rare_at = (0..lower.len()).max_by_key(|&at| rarity(&lower[at])).unwrap_or(0);
        Self { lower, rare_at }
    }

    pub(super) fn find(&self, text: &[u8]) -> Found {
        let rare = self.lower[self.rare_at];
        let mut budget = 16 * (text.len() + 64);
        for at in memchr::memchr2_iter(rare, rare.to_ascii_uppercase(), text) {
            let Some(start) = at.checked_sub(self.rare_at) else {
                continue;
            };
            let Some(candidate) = text.get(start..start + self.lower.len()) else {
                return Found::No;
            };
            if candidate.eq_ignore_ascii_case(&self.lower) {
                return Found::Yes;
            }
            match budget.checked_sub(self.lower.len()) {
                Some(left) => budget = left,
                None => return Found::TooCostly,
            }
        }
        Found::No
    }
}

pub(super) enum Found {
    Yes,
    No,
    /// Too many near misses: text and words were made to cost time.
    TooCostly,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::words::fold_char;

    #[test]
    fn only_two_characters_outside_ascii_have_ascii_in_their_lower_case() {
        let found: Vec<char> = ('\u{80}'..=char::MAX)
            .filter(|c| c.to_lowercase().any(|lower| lower.is_ascii()))
            .collect();
        assert_eq!(found, ['\u{130}', '\u{212a}']);
        let first_byte = |c: char| c.encode_utf8(&mut [0; 4]).as_bytes()[0];
        assert_eq!(
            found.into_iter().map(first_byte).collect::<Vec<_>>(),
            [0xc4, 0xe2]
        );
    }

    #[test]
    fn a_character_without_case_is_the_lower_case_of_no_other() {
        let folded_to = |c: char| fold_char(c).filter(move |folded| *folded != c);
        for c in ('\u{80}'..=char::MAX).flat_map(folded_to) {
            assert!(c.is_ascii() || !is_caseless(c), "{c} ({:x})", u32::from(c));
        }
    }
}
