//! Finds words in the strings of JSON text, whatever their case.
//!
//! Most texts do not hold the words at all, so the raw text is searched first, strings or not. Only where the words
//! may be there is each string value looked at by itself.

use super::{
    scent::{AsciiNeedle, Found, Scent},
    walk,
};

/// The text as words are compared: every character in lower case.
pub(super) fn fold(text: &str) -> String {
    text.chars().flat_map(fold_char).collect()
}

/// One character's lower case, which may be several. The final sigma is a sigma, for case must not depend on place.
pub(super) fn fold_char(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().map(|c| if c == 'ς' { 'σ' } else { c })
}

/// Words made ready to be found.
pub(super) struct Needle {
    /// Folded, at least one.
    chars: Box<[char]>,
    /// For each character: how much of the words' beginning still holds if the next one fails (Knuth, Morris, Pratt).
    fallback: Box<[usize]>,
    /// All of the words, where they are ASCII.
    ascii: Option<AsciiNeedle>,
    /// A part of the words that is found fast.
    scent: Scent,
}

impl Needle {
    /// Takes words as they stand in a tree in normal form.
    pub(super) fn new(words: &str) -> Self {
        let chars: Box<[char]> = words.chars().flat_map(fold_char).collect();
        Self {
            fallback: fallback(&chars),
            ascii: words.is_ascii().then(|| AsciiNeedle::new(words)),
            scent: Scent::of(&chars),
            chars,
        }
    }

    /// Whether a text that holds the JSON text, or is it, may hold the words. Costs one search of its bytes.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        self.scent.may_be_in(text)
    }

    /// Whether some string value in the JSON text holds the words.
    pub(super) fn is_in(&self, json: &str) -> bool {
        walk::any_string(json, |content| self.is_in_string(content))
    }

    fn is_in_string(&self, content: &str) -> bool {
        let has_escapes = memchr::memchr(b'\\', content.as_bytes()).is_some();
        if let Some(ascii) = &self.ascii
            && !has_escapes
            && content.is_ascii()
        {
            match ascii.find(content.as_bytes()) {
                Found::Yes => return true,
                Found::No => return false,
                Found::TooCostly => {}
            }
        }
        let mut search = Search {
            needle: self,
            held: 0,
        };
        if has_escapes {
            walk::chars(content).any(|c| search.finds(c))
        } else {
            content.chars().any(|c| search.finds(c))
        }
    }
}

/// How much of the words the characters so far end with.
struct Search<'a> {
    needle: &'a Needle,
    held: usize,
}

impl Search<'_> {
    /// Takes a character of the text and says whether the words are complete.
    fn finds(&mut self, c: char) -> bool {
        if c.is_ascii() {
            self.takes(c.to_ascii_lowercase())
        } else {
            fold_char(c).any(|c| self.takes(c))
        }
    }

    fn takes(&mut self, c: char) -> bool {
        let Needle { chars, fallback, .. } = self.needle;
        while self.held > 0 && chars[self.held] != c {
            self.held = fallback[self.held - 1];
        }
        if chars[self.held] == c {
            self.held += 1;
        }
        self.held == chars.len()
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
    fn words_made_to_cost_time_are_still_decided() {
        let json = format!("\"{}\"", "a".repeat(20_000));
        assert!(!is_in(&format!("{}b", "a".repeat(2_000)), &json));
        assert!(is_in(&"a".repeat(2_000), &json));
        assert!(!is_in(&format!("b{}", "a".repeat(2_000)), &json));
    }

    proptest! {
        #[test]
        fn the_search_agrees_with_the_obvious_one(
            words in r#"[abkİKéς이름"\\/ A]{1,4}"#,
            texts in proptest::collection::vec(r#"[abkİKéσΣ이름"\\/ AB]{0,8}"#, 1..4),
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
