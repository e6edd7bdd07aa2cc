//! Expressions over an event: `data.logs[-10:]`, `data.status | upper`, `"slow" if data.ms > 500 else "fast"`.
//!
//! A plain path gives the very token that the event has. Everything else is an expression of Jinja that has nothing but
//! the event to work on, and may give as much as an event may have.

use std::{borrow::Cow, io, sync::LazyLock};

use kymo_event::{LineView, RawJson, json::Kind};
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

/// Bytes of the text of one expression.
const TEXT_MAX: usize = 4 << 10;
/// Bytes of what one expression gives, as JSON.
const MADE_MAX: usize = 1 << 20;

static JINJA: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut jinja = Environment::new();
    // What the original does not have is left out of what is derived from it, as JSON does it.
    jinja.set_undefined_behavior(UndefinedBehavior::Chainable);
    // It makes much out of nothing.
    jinja.remove_global("range");
    jinja
});

/// A compiled expression.
pub(super) enum Expression {
    Path(Vec<Step>),
    Jinja(minijinja::Expression<'static, 'static>),
}

/// One step of a path.
pub(super) enum Step {
    Member(Box<str>),
    /// Negative ones count from the end.
    Element(i64),
}

/// What an expression gives.
pub(super) enum Found<'a> {
    Nothing,
    /// A token of the original.
    Token(RawJson<'a>),
    /// Something made of it, as JSON text.
    Made(String),
}

/// What expressions are evaluated over: one event.
pub(super) struct Original<'a> {
    line: RawJson<'a>,
    /// Made once somebody asks for more than a path.
    context: std::cell::OnceCell<Value>,
}

impl<'a> Original<'a> {
    pub(super) fn new(line: &LineView<'a>) -> Self {
        Self {
            line: RawJson::trusted(line.text()),
            context: std::cell::OnceCell::new(),
        }
    }

    fn context(&self) -> Result<&Value, String> {
        if let Some(context) = self.context.get() {
            return Ok(context);
        }
        let made: Value = serde_json::from_str(self.line.as_str()).map_err(|error| error.to_string())?;
        Ok(self.context.get_or_init(|| made))
    }
}

impl Expression {
    /// Compiles the text between the braces.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        if text.len() > TEXT_MAX {
            return Err(format!("an expression may have {TEXT_MAX} bytes"));
        }
        if let Some(path) = path(text.trim()) {
            return Ok(Self::Path(path));
        }
        let compiled = JINJA.compile_expression_owned(text.to_owned());
        let compiled = compiled.map_err(|error| said(&error))?;
        // Names are looked up when they are needed; tried on nothing, most of them are.
        match compiled.eval(()) {
            Err(error) if is_unknown(error.kind()) => Err(said(&error)),
            _ => Ok(Self::Jinja(compiled)),
        }
    }

    pub(super) fn find<'a>(&self, original: &Original<'a>) -> Result<Found<'a>, String> {
        match self {
            Self::Path(path) => Ok(follow(path, original).map_or(Found::Nothing, Found::Token)),
            Self::Jinja(expression) => {
                let value = expression
                    .eval(original.context()?)
                    .map_err(|error| said(&error))?;
                if value.is_undefined() {
                    return Ok(Found::Nothing);
                }
                let mut made = Made(Vec::new());
                serde_json::to_writer(&mut made, &value).map_err(|error| error.to_string())?;
                Ok(Found::Made(String::from_utf8(made.0).expect("JSON is text")))
            }
        }
    }
}

/// What was made so far.
struct Made(Vec<u8>);

impl io::Write for Made {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MADE_MAX {
            return Err(io::Error::other(format!("it gives more than {MADE_MAX} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Found<'_> {
    /// As JSON; `None` for nothing.
    pub(super) fn json(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Token(token) => Some(token.as_str()),
            Self::Made(json) => Some(json),
        }
    }

    /// As text in a text: strings without their quotes, nothing as nothing.
    pub(super) fn text(&self) -> Cow<'_, str> {
        let Some(json) = self.json() else {
            return Cow::Borrowed("");
        };
        let token = RawJson::trusted(json);
        match token.kind() {
            Kind::Null => Cow::Borrowed(""),
            _ => token.as_string().unwrap_or(Cow::Borrowed(json)),
        }
    }
}

/// The steps of `a.b[0].c`; `None` for anything that is more than a path.
fn path(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for (index, part) in text.split('.').enumerate() {
        let (name, brackets) = part.split_at(part.find('[').unwrap_or(part.len()));
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_word = index == 0
            && matches!(
                name,
                "true" | "false" | "none" | "True" | "False" | "None" | "not"
            );
        if !is_name || is_word {
            return None;
        }
        steps.push(Step::Member(name.into()));
        for bracket in brackets.split_inclusive(']') {
            let inside = bracket.strip_prefix('[')?.strip_suffix(']')?;
            steps.push(Step::Element(inside.parse().ok()?));
        }
    }
    Some(steps)
}

fn follow<'a>(path: &[Step], original: &Original<'a>) -> Option<RawJson<'a>> {
    path.iter().try_fold(original.line, |value, step| match step {
        Step::Member(name) => value.get(name),
        Step::Element(index) => {
            let index = match usize::try_from(*index) {
                Ok(index) => index,
                Err(_) => value
                    .elements()?
                    .count()
                    .checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
            };
            value.elements()?.nth(index)
        }
    })
}

const fn is_unknown(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnknownFilter | ErrorKind::UnknownFunction | ErrorKind::UnknownTest
    )
}

fn said(error: &minijinja::Error) -> String {
    let kind = error.kind();
    error
        .detail()
        .map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}"))
}
