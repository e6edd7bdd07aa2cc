//! The terms of the language: `key:value`, `data.path:value`, words.

use super::{
    error,
    parse::{Fault, Parser},
    tree::{Key, Node},
    values::Target,
};

impl Parser<'_> {
    /// One term; the first character is none of white space, `(`, `)` and `-`.
    pub(super) fn term(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        match self.peek() {
            Some('"') => self.quoted_words(),
            Some('“' | '”' | '„' | '‘' | '’' | '«' | '»') => self.fail(
                start,
                "these quotation marks are of another kind; write straight quotes: \"exact words\"",
            ),
            Some('!') => {
                let word = self.word_from(start);
                let excluded = word.trim_start_matches('!');
                self.fail(
                    start,
                    format!(
                        "`-` excludes, not `!`: write -{excluded}; {}",
                        error::quote_it(word)
                    ),
                )
            }
            _ if self.at_path() => self.path_term(),
            _ => self.key_or_word(),
        }
    }

    fn quoted_words(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        let words = self.quoted()?;
        if self.peek() == Some(':') {
            return self.fail(start, "a key has no quotes; write key:\"value\"");
        }
        if words.is_empty() {
            return self.fail(
                start,
                "there is nothing between the quotes; write the words to search for",
            );
        }
        self.after_term(start)?;
        Ok(Node::Words(words))
    }

    /// Text in quotes: `\"` is a quote, `\\` a backslash, any other backslash stands for itself (so that `"C:\temp"` may
    /// be pasted).
    pub(super) fn quoted(&mut self) -> Result<String, Fault> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            out.push_str(self.run(|c| !matches!(c, '"' | '\\')));
            if self.take("\"") {
                return Ok(out);
            }
            if self.take("\\\"") {
                out.push('"');
            } else if self.take("\\\\") || self.take("\\") {
                out.push('\\');
            } else if out.ends_with('"') {
                return self.fail(
                    start,
                    "this quote is never closed; `\\\"` stands for a quote inside, write `\\\\` for a backslash at the end",
                );
            } else {
                return self.fail(
                    start,
                    "this quote is never closed; write `\"` where the text ends",
                );
            }
        }
    }

    fn key_or_word(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        let word = self.run(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '"' | ':'));
        if self.peek() != Some(':') {
            return self.bare_word(start, word);
        }
        let Some(key) = Key::parse(word) else {
            return self.fail(start, error::unknown_key(word, self.word_from(start)));
        };
        self.at += 1;
        self.values(start, &Target::Key(key))
    }

    fn bare_word(&mut self, start: usize, word: &str) -> Result<Node, Fault> {
        self.after_term(start)?;
        if let Some(sign) = word.find(['=', '<', '>', '!'])
            && (Key::parse(&word[..sign]).is_some() || word.starts_with("data.") || word.starts_with("ext."))
        {
            let (key, value) = word.split_at(sign);
            let value = value.trim_start_matches("==").trim_start_matches('=');
            let quote = error::quote_it(word);
            return self.fail(
                self.at - word.len() + sign,
                format!("a key is followed by a colon: write {key}:{value}; {quote}"),
            );
        }
        match word {
            "||" | "|" => {
                return self.fail(
                    start,
                    "alternatives are written a OR b; for the sign itself write \"|\"",
                );
            }
            "&&" | "&" => return self.fail(start, "a space means AND; for the sign itself write \"&\""),
            _ => {}
        }
        let inner = word.trim_matches('*');
        if inner.is_empty() {
            return Ok(Node::All);
        }
        if let Some(star) = inner.find('*') {
            let place = start + word.find(inner).unwrap_or(0) + star;
            let parts: Vec<&str> = inner.split('*').filter(|part| !part.is_empty()).collect();
            return self.fail(
                place,
                format!(
                    "words are found anywhere in the text, `*` has no place in them: write {}; {}",
                    parts.join(" "),
                    error::quote_it(word)
                ),
            );
        }
        Ok(Node::Words(inner.to_owned()))
    }

    /// Whether a path into the payload begins here, up to its colon. Text such as `data.json` is a word.
    fn at_path(&self) -> bool {
        let Some(rest) = ["data", "ext"]
            .iter()
            .find_map(|root| self.rest().strip_prefix(root))
        else {
            return false;
        };
        let word = &rest[..rest.find(char::is_whitespace).unwrap_or(rest.len())];
        rest.starts_with(':') || (rest.starts_with('.') && (word.contains(':') || word.contains(".\"")))
    }

    fn path_term(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        let root = self.run(char::is_alphabetic);
        let mut path = vec![root.to_owned()];
        while self.take(".") {
            path.push(self.step(start)?);
        }
        if !self.take(":") {
            return self.path_fault(start);
        }
        self.values(start, &Target::Path(path))
    }

    fn step(&mut self, start: usize) -> Result<String, Fault> {
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let step = self.run(|c| c.is_alphanumeric() || "_-/@#$+%~".contains(c));
        if step.is_empty() && matches!(self.peek(), Some('.' | ':')) {
            return self.fail(
                self.at,
                "a name is missing between the dots; write data.name:value",
            );
        }
        if step.is_empty() {
            return self.path_fault(start);
        }
        Ok(step.to_owned())
    }

    /// The fault of a character that ends a path before its colon.
    fn path_fault<T>(&self, start: usize) -> Result<T, Fault> {
        let path = &self.text[start..self.at];
        let message = match self.peek() {
            Some('[') => format!("an element of an array is written with a dot: {path}.0:value"),
            Some('*') => {
                "`*` has no place in a path, only in a value; a path into an array tries every element".into()
            }
            Some('<' | '>' | '=' | '!') => {
                let sign = self.word_from(self.at);
                let sign = &sign[..sign.find(':').unwrap_or(sign.len())];
                format!("a path is followed by a colon: write {path}:{sign}")
            }
            _ => format!(
                "a path is names with dots between them and then a colon, as in data.name:value; put a name with other \
                 characters in quotes, as in data.\"a name\":value; {}",
                error::quote_it(self.word_from(start))
            ),
        };
        self.fail(self.at, message)
    }
}
