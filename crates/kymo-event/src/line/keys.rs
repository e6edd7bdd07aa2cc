//! Where the keys of a body stand that an index knows, noted by who writes it: nobody has to read the line for them.
use super::{HEAD, RECORDED};
use crate::{Level, Micros, Seq, filter::Key};

/// Where in a body, written by [`crate::Batch::push`], the keys stand that are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyKeys {
    /// Its level.
    pub level: Level,
    /// Whether it is the imported past.
    pub backfill: bool,
    spans: [Span; NOTED],
}

/// From the byte behind the opening quote up to the closing one; both 0 where the key is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    from: u16,
    to: u16,
}

const NOTED: usize = 10;

impl BodyKeys {
    /// How far from the beginning of its body a key may end.
    pub(crate) const NEAR: usize = u16::MAX as usize;

    /// Of a body of which nothing is noted yet.
    pub(crate) fn new(level: Level, backfill: bool) -> Self {
        Self {
            level,
            backfill,
            spans: [Span::default(); NOTED],
        }
    }

    /// Notes where a key stands. Of no use where that is beyond [`BodyKeys::NEAR`].
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "who writes looks at the end")]
    pub(crate) fn note(&mut self, key: Key, from: usize, to: usize) {
        if let Some(place) = place(key) {
            self.spans[place] = Span {
                from: from as u16,
                to: to as u16,
            };
        }
    }

    /// A key as it stands in the body these were noted of: escapes are still escapes.
    #[inline]
    #[must_use]
    pub fn raw<'a>(&self, key: Key, body: &'a [u8]) -> Option<&'a [u8]> {
        let Span { from, to } = self.spans[place(key)?];
        match from {
            0 => None,
            _ => body.get(usize::from(from)..usize::from(to)),
        }
    }
}

#[inline(always)]
const fn place(key: Key) -> Option<usize> {
    Some(match key {
        Key::Id => 0,
        Key::Type => 1,
        Key::Source => 2,
        Key::Agent => 3,
        Key::Session => 4,
        Key::Task => 5,
        Key::Trace => 6,
        Key::User => 7,
        Key::Tier => 8,
        Key::Dialect => 9,
        _ => return None,
    })
}

/// The time of commit in its canonical text, and the body with what stands behind it, of a line that
/// [`super::write_line`] wrote.
///
/// # Panics
/// If the line is too short to be one.
#[must_use]
pub fn parts_of(line: &[u8], seq: Seq) -> (&[u8], &[u8]) {
    let digits = seq.get().ilog10() as usize + 1;
    let recorded = HEAD.len() + digits + RECORDED.len();
    let end = recorded + Micros::TEXT_LEN;
    (&line[recorded..end], &line[end + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Event, LineView, write_line};

    fn every_key(event: &mut Event<'static>) {
        event.id = Some("one \"quoted\" id".into());
        event.time = Some(Micros(1));
        for key in [
            &mut event.agent,
            &mut event.session,
            &mut event.task,
            &mut event.trace,
            &mut event.span,
            &mut event.parent,
            &mut event.user,
            &mut event.tier,
        ] {
            *key = Some("väl\nue".into());
        }
        event.dialect = Some("hooks".into());
        event.level = Level::Error;
        event.backfill = true;
        event.data = Some(r#"{"dialect":"none"}"#.into());
    }

    fn noted_as_read(event: &Event<'_>, seq: u64) {
        let mut batch = Batch::default();
        batch.push(&Event::new("before", "it"));
        batch.push(event);
        let keys = batch.keys().nth(1).flatten().expect("a small body");
        let (seq, mut line) = (Seq::new(seq).expect("a seq"), Vec::new());
        write_line(&mut line, seq, &Micros(7).text(), batch.body(1));
        line.pop();
        let view = LineView::parse(&line).expect("a line");
        let (recorded, body) = parts_of(&line, seq);
        assert_eq!(recorded, view.recorded_text().as_bytes());
        assert!(body.starts_with(view.body()));
        assert_eq!((keys.level, keys.backfill), (view.level(), view.backfill()));
        for key in Key::ALL.into_iter().filter(|key| place(*key).is_some()) {
            let read = view.raw_key(key).map(str::as_bytes);
            assert_eq!(keys.raw(key, body), read, "{key:?} of {view:?}");
        }
    }

    #[test]
    fn each_key_that_is_noted_has_a_place_of_its_own() {
        let mut places: Vec<_> = Key::ALL.into_iter().filter_map(place).collect();
        places.sort_unstable();
        assert_eq!(places, (0..NOTED).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_noted_is_what_a_reader_finds() {
        let mut event = Event::new("task.started", "bench");
        for seq in [1, 9, 10, 99_999, 100_000, u64::MAX] {
            noted_as_read(&event, seq);
        }
        every_key(&mut event);
        noted_as_read(&event, 1);
        event.id = None;
        noted_as_read(&event, 18_442);
    }

    #[test]
    fn nothing_is_noted_where_a_key_lies_too_far_away() {
        let mut event = Event::new("t", "s");
        event.data = Some(format!("\"{}\"", "x".repeat(1 << 16)).into());
        let mut batch = Batch::default();
        batch.push(&event);
        event.dialect = Some("hooks".into());
        batch.push(&event);
        let noted: Vec<_> = batch.keys().map(|keys| keys.is_some()).collect();
        assert_eq!(noted, [true, false], "only a dialect stands behind the data");
    }
}
