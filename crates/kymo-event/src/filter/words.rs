//! Finds words in the strings of JSON text, whatever their case.
//!
//! Most texts do not hold the words at all, so the raw text is searched first, strings or not. Only where the words
//! may be there is each string value looked at by itself.

use super::walk;

/// The text as words are compared: every character in lower case.
pub(super) fn fold(text: &str) -> String {
    text.chars().flat_map(fold_char).collect()
}

/// One character's lower case, which may be several. The final sigma is a sigma, for case must not depend on place.
fn fold_char(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().map(|c| if c == 'ς' { 'σ' } else { c })
}

/// Words made ready to be found.
pub(super) struct Needle {
    /// Folded, at least one.
    chars: Box<[char]>,
    /// For each character: how much of the words' beginning still holds if the next one fails (Knuth, Morris, Pratt).
    fallback: Box<[usize]>,
    ascii: Option<AsciiNeedle>,
}

impl Needle {
    /// Takes words as they stand in a tree in normal form.
    pub(super) fn new(words: &str) -> Self {
        let chars: Box<[char]> = words.chars().flat_map(fold_char).collect();
        Self {
            fallback: fallback(&chars),
            ascii: words.is_ascii().then(|| AsciiNeedle::new(words)),
            chars,
        }
    }

    /// Whether a text that holds the JSON text, or is it, may hold the words. Costs one search of its bytes.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        self.ascii.as_ref().is_none_or(|ascii| ascii.may_be_in(text))
    }

    /// Whether some string value in the JSON text holds the words.
    pub(super) fn is_in(&self, json: &str) -> bool {
        walk::any_string(json, |content| self.is_in_string(content))
    }

    fn is_in_string(&self, content: &str) -> bool {
        let plain = || content.is_ascii() && memchr::memchr(b'\\', content.as_bytes()).is_none();
        if let Some(ascii) = &self.ascii
            && plain()
        {
            match ascii.find(content.as_bytes()) {
                Found::Yes => return true,
                Found::No => return false,
                Found::TooCostly => {}
            }
        }
        let mut held = 0;
        for c in walk::chars(content).flat_map(fold_char) {
            while held > 0 && self.chars[held] != c {
                held = self.fallback[held - 1];
            }
            if self.chars[held] == c {
                held += 1;
            }
            if held == self.chars.len() {
                return true;
            }
        }
        false
    }
}

fn fallback(chars: &[char]) -> Box<[usize]> {
    let mut table = vec![0; chars.len()];
    let mut held = 0;
    for index in 1..chars.len() {
        while held > 0 && chars[held] != chars[index] {
            held = table[held - 1];
        }
        if chars[held] == chars[index] {
            held += 1;
        }
        table[index] = held;
    }
    table.into()
}

enum Found {
    Yes,
    No,
    /// Too many near misses: text and words were made to cost time.
    TooCostly,
}

/// Words of ASCII, found by their rarest byte.
struct AsciiNeedle {
    lower: Box<[u8]>,
    rare_at: usize,
    /// Has a quote, a backslash or a control character: written as an escape, it is not found in raw text.
    is_escaped: bool,
    has_slash: bool,
    /// Has a letter that is the lower case of a character outside ASCII (the Kelvin sign, the dotted capital I).
    has_outside_capital: bool,
}

/// From common to rare in logs; what is not here is rarer still.
const COMMON: &[u8] = b" etaoinsrldhcumpfgybwv0123456789-_./,k:xjqz";

impl AsciiNeedle {
    fn new(words: &str) -> Self {
        let lower: Box<[u8]> = words.bytes().map(|byte| byte.to_ascii_lowercase()).collect();
        let rarity = |byte: &u8| {
            COMMON
                .iter()
                .position(|common| common == byte)
                .unwrap_or(COMMON.len())
        };
        let rare_at = (0..lower.len()).max_by_key(|&at| rarity(&lower[at])).unwrap_or(0);
        Self {
            rare_at,
            is_escaped: lower.iter().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)),
            has_slash: lower.contains(&b'/'),
            has_outside_capital: lower.iter().any(|byte| matches!(byte, b'i' | b'k')),
            lower,
        }
    }

    fn may_be_in(&self, text: &str) -> bool {
        self.is_escaped || !matches!(self.find(text.as_bytes()), Found::No) || self.may_hide_in(text)
    }

    /// Whether the words may be in the text in another spelling than their own letters.
    fn may_hide_in(&self, json: &str) -> bool {
        let bytes = json.as_bytes();
        // First bytes of the dotted capital I and of the Kelvin sign.
        if self.has_outside_capital && memchr::memchr2(0xc4, 0xe2, bytes).is_some() {
            return true;
        }
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'\\', bytes.get(at..).unwrap_or_default()) {
            match bytes.get(at + found + 1) {
                Some(b'u') => return true,
                Some(b'/') if self.has_slash => return true,
                _ => at += found + 2,
            }
        }
        false
    }

    fn find(&self, text: &[u8]) -> Found {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_in(words: &str, json: &str) -> bool {
        let needle = Needle::new(words);
        needle.may_be_in(json) && needle.is_in(json)
    }

    #[test]
    fn words_are_found_in_values_at_any_depth_whatever_the_case() {
        let json = r#"{"message":"Connection TIMEOUT after 30s","nested":[{"path":"src/Main.rs"}],"n":404}"#;
        for words in [
            "timeout",
            "TimeOut",
            "connection timeout after",
            "src/main",
            "30s",
        ] {
            assert!(is_in(words, json), "{words}");
        }
    }

    #[test]
    fn keys_numbers_and_text_over_two_strings_are_no_words() {
        let json = r#"{"message":"a b","n":404,"ok":true,"list":["c","d"]}"#;
        for words in ["message", "404", "true", "c\",\"d", "a b c"] {
            assert!(!is_in(words, json), "{words}");
        }
    }

    #[test]
    fn escapes_are_decoded_before_they_are_compared() {
        assert!(is_in("café au lait", r#""CAF\u00c9 au lait""#));
        assert!(is_in("timeout", r#""\u0074imeout""#));
        assert!(is_in("src/main.rs", r#""src\/main.rs""#));
        assert!(is_in("say \"hi\"", r#""say \"Hi\" twice""#));
        assert!(is_in("c:\\temp", r#""C:\\temp""#));
        assert!(is_in("a\nb", r#""a\nb""#));
        assert!(!is_in("nb", r#""a\nb""#), "the letter of an escape is no letter");
    }

    #[test]
    fn case_is_that_of_all_scripts() {
        assert!(is_in("über", r#""ÜBER""#));
        assert!(is_in("깃코", r#""[깃코] 시작""#));
        assert!(is_in("οδοσ", r#""ΟΔΟΣ οδός""#));
        assert!(is_in("ΟΔΟΣ", r#""οδος""#));
        assert!(is_in("kelvin", "\"300 \u{212a}elvin\""), "the Kelvin sign is a K");
        assert!(is_in("i\u{307}stanbul", "\"\u{0130}stanbul\""));
    }

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
    fn words_made_to_cost_time_are_still_decided() {
        let json = format!("\"{}\"", "a".repeat(20_000));
        assert!(!is_in(&format!("{}b", "a".repeat(2_000)), &json));
        assert!(is_in(&"a".repeat(2_000), &json));
        assert!(!is_in(&format!("b{}", "a".repeat(2_000)), &json));
    }

    proptest! {
        #[test]
        fn the_search_agrees_with_the_obvious_one(
            words in r#"[abkİKéς"\\/ A]{1,4}"#,
            texts in proptest::collection::vec(r#"[abkİKéσΣ"\\/ AB]{0,8}"#, 1..4),
            escaped in any::<bool>(),
        ) {
            let mut json = serde_json::to_string(&texts).unwrap();
            if escaped {
                json = json.replace('/', "\\/").replace('b', "\\u0062").replace("\\\\u0062", "\\\\b");
            }
            let decoded: Vec<String> = serde_json::from_str(&json).unwrap();
            let expected = decoded.iter().any(|text| fold(text).contains(&fold(&words)));
            prop_assert_eq!(is_in(&fold(&words), &json), expected, "{} in {}", words, json);
        }
    }
}
