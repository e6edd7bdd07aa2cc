//! Reads the language: `type:task.* level:>=warn -source:test "exact words" (a OR b)`.
//!
//! A space means AND, which binds tighter than OR; `-` or NOT negates what stands behind it. What a term's key and value
//! look like is in [`super::terms`].

use super::{FilterError, error, tree::Node};

/// Characters of a filter text at most.
const LENGTH_MAX: usize = 65_536;

/// Brackets and negations inside each other at most.
const DEPTH_MAX: usize = 100;

/// Reads a text into a tree, not yet in normal form.
pub(super) fn parse(text: &str) -> Result<Node, FilterError> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
    };
    parser.whole().map_err(|fault| FilterError {
        at: text[..fault.at].chars().count(),
        message: fault.message,
    })
}

/// A fault at a byte; the place becomes a character when it leaves the parser.
pub(super) struct Fault {
    at: usize,
    message: String,
}

/// A place in the text and how deep it is.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Result<Node, Fault> {
        if self.text.len() > LENGTH_MAX {
            return self.fail(
                0,
                format!("the filter is longer than {LENGTH_MAX} bytes; write less"),
            );
        }
        self.space();
        if self.rest().is_empty() {
            return Ok(Node::All);
        }
        let node = self.any()?;
        if self.peek() == Some(')') {
            return self.fail(
                self.at,
                "this `)` closes nothing; remove it, or write `(` where the group begins",
            );
        }
        Ok(node)
    }

    fn any(&mut self) -> Result<Node, Fault> {
        let mut parts = vec![self.all()?];
        while self.operator("OR").is_some() {
            parts.push(self.all()?);
        }
        Ok(Node::Or(parts))
    }

    fn all(&mut self) -> Result<Node, Fault> {
        let mut parts = Vec::new();
        loop {
            self.space();
            if matches!(self.peek(), None | Some(')')) || self.at_operator("OR") {
                break;
            }
            let start = self.at;
            if self.operator("AND").is_some() && parts.is_empty() {
                return self.fail(
                    start,
                    "there is nothing before AND; leave it out, or write \"AND\" for the word",
                );
            }
            parts.push(self.part()?);
        }
        if parts.is_empty() {
            return self.nothing_here();
        }
        Ok(Node::And(parts))
    }

    /// One term, group or negation; something must be here.
    fn part(&mut self) -> Result<Node, Fault> {
        self.space();
        if self.at_operator("OR") || self.at_operator("AND") {
            return self.nothing_here();
        }
        let start = self.at;
        if self.operator("NOT").is_some() {
            return self.negation(start);
        }
        match self.peek() {
            None | Some(')') => self.nothing_here(),
            Some('-') => {
                self.at += 1;
                self.minus(start)
            }
            Some('(') => self.group(),
            Some(_) => self.term(),
        }
    }

    fn minus(&mut self, start: usize) -> Result<Node, Fault> {
        match self.peek() {
            None | Some(')') => self.fail(start, "there is nothing after `-`; write for example -level:debug"),
            Some(c) if c.is_whitespace() => self.fail(
                start,
                "`-` must stand right before what it excludes, as in -level:debug; for the sign itself write \"-\"",
            ),
            Some('-') => {
                let text = self.word_from(start);
                self.fail(start, format!("one `-` excludes; {}", error::quote_it(text)))
            }
            Some(_) => self.negation(start),
        }
    }

    fn negation(&mut self, start: usize) -> Result<Node, Fault> {
        let part = self.deeper(start, Self::part)?;
        Ok(Node::Not(Box::new(part)))
    }

    fn group(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        self.at += 1;
        let node = self.deeper(start, Self::any)?;
        if self.peek() != Some(')') {
            return self.fail(start, "this `(` is never closed; write `)` where the group ends");
        }
        self.at += 1;
        self.after_term(start)?;
        Ok(node)
    }

    fn deeper<T>(&mut self, start: usize, read: impl Fn(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth == DEPTH_MAX {
            return self.fail(
                start,
                format!("groups and negations are more than {DEPTH_MAX} deep; write it flatter"),
            );
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// The fault of a place where a term should be.
    fn nothing_here<T>(&self) -> Result<T, Fault> {
        let before = self.text[..self.at].trim_end();
        let message = if before.ends_with('(') {
            "the group is empty; write something between `(` and `)`, or put brackets meant as text in quotes"
        } else if before.is_empty() && self.peek() == Some(')') {
            "this `)` closes nothing; remove it, or put brackets meant as text in quotes"
        } else if before.is_empty() || self.at_operator("OR") || self.at_operator("AND") {
            "there is nothing to choose from on the left of the operator; write a term before it, or put the word in \
             quotes"
        } else {
            "there is nothing after the operator; write a term behind it, or put the word in quotes"
        };
        self.fail(self.at, message)
    }

    /// What follows a term: a space, a closing bracket or the end.
    pub(super) fn after_term(&self, start: usize) -> Result<(), Fault> {
        match self.peek() {
            None | Some(')') => Ok(()),
            Some(c) if c.is_whitespace() => Ok(()),
            Some(_) => {
                let text = self.word_from(start);
                let unquoted = text.replace('"', "");
                self.fail(
                    self.at,
                    format!("a space is missing here; {}", error::quote_it(&unquoted)),
                )
            }
        }
    }

    pub(super) fn fail<T>(&self, at: usize, message: impl Into<String>) -> Result<T, Fault> {
        Err(Fault {
            at,
            message: message.into(),
        })
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Takes characters while they are wanted.
    pub(super) fn run(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Everything from `start` up to the next white space: what a person would call the word.
    pub(super) fn word_from(&self, start: usize) -> &'a str {
        let text = &self.text[start..];
        &text[..text.find(char::is_whitespace).unwrap_or(text.len())]
    }

    fn space(&mut self) {
        self.run(char::is_whitespace);
    }

    fn at_operator(&self, word: &str) -> bool {
        self.rest().strip_prefix(word).is_some_and(|rest| {
            rest.chars()
                .next()
                .is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')'))
        })
    }

    fn operator(&mut self, word: &str) -> Option<()> {
        self.space();
        self.at_operator(word).then(|| self.at += word.len())
    }
}
