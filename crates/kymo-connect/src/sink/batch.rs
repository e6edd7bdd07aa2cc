//! Lines of the ledger on their way to a sink: where they lie in the frames they came in, nothing copied.

use std::borrow::Cow;

use bytes::Bytes;
use kymo_event::{
    LedgerId, LineSpans, LineView, Micros, Seq,
    filter::Key,
    way::{self, HOPS_MAX},
};
use kymo_hub::{Around, BridgeAbout, Direction, Encoder};

/// Events to be delivered together.
#[derive(Debug, Default)]
pub struct Batch {
    frames: Vec<Bytes>,
    places: Vec<Place>,
    bytes: usize,
    oldest: Option<Micros>,
}

#[derive(Debug)]
struct Place {
    frame: u32,
    start: u32,
    end: u32,
    spans: LineSpans,
}

/// One event of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Item<'b> {
    /// The event.
    pub view: LineView<'b>,
    frame: &'b Bytes,
}

impl Item<'_> {
    /// The line as it stands in the ledger, without its line feed; shares memory with the batch.
    #[must_use]
    pub fn line(&self) -> Bytes {
        self.frame.slice_ref(self.view.line())
    }

    /// What the event is known by everywhere: its emitter's id, else `<ledger>:<seq>`.
    #[must_use]
    pub fn identity(&self, ledger: &LedgerId) -> Cow<'_, str> {
        let own = self.view.key(Key::Id);
        own.unwrap_or_else(|| format!("{ledger}:{}", self.view.seq()).into())
    }
}

impl Batch {
    /// How many events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Bytes it holds in memory: the frames that their lines lie in.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The events in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Item<'_>> {
        self.places.iter().map(|place| {
            let frame = &self.frames[place.frame as usize];
            let line = &frame[place.start as usize..place.end as usize];
            let view = LineView::with_spans(line, &place.spans).expect("the spans were read from this line");
            Item { view, frame }
        })
    }

    /// When the oldest of them was recorded.
    pub(super) fn oldest(&self) -> Option<Micros> {
        self.oldest
    }

    /// Adds the lines of a frame that are for this sink; says how many were left out on purpose.
    pub(super) fn add(&mut self, frame: &Bytes, wanted: &Wanted) -> u64 {
        let (mut start, mut left_out) = (0, 0);
        let number = u32::try_from(self.frames.len()).expect("a batch is bounded");
        let before = self.places.len();
        for line in frame.split(|byte| *byte == b'\n') {
            let end = start + line.len();
            match LineView::parse(line) {
                Ok(view) if wanted.takes(&view) => {
                    self.oldest.get_or_insert_with(|| view.recorded());
                    self.places.push(Place {
                        frame: number,
                        start: u32::try_from(start).expect("a frame is bounded"),
                        end: u32::try_from(end).expect("a frame is bounded"),
                        spans: view.spans(),
                    });
                }
                _ => left_out += 1,
            }
            start = end + 1;
        }
        if self.places.len() > before {
            self.bytes += frame.len();
            self.frames.push(frame.clone());
        }
        left_out
    }
}

/// What a sink takes besides its filter.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Itself: what is said of itself is not for itself.
    pub(super) about: BridgeAbout,
    /// The mark of what came from its other side.
    pub(super) origin: Option<String>,
    pub(super) backfill: bool,
}

impl Wanted {
    fn takes(&self, view: &LineView<'_>) -> bool {
        let in_circles = view.hops().is_some_and(|hops| hops > HOPS_MAX);
        let past = view.backfill() && !self.backfill;
        !in_circles && !past && !self.came_from_there(view) && !self.is_about_itself(view)
    }

    fn came_from_there(&self, view: &LineView<'_>) -> bool {
        let Some(origin) = self.origin.as_deref() else {
            return false;
        };
        view.ext().and_then(way::via).is_some_and(|via| via == origin)
    }

    fn is_about_itself(&self, view: &LineView<'_>) -> bool {
        if !view.kind().starts_with("kymo.bridge.") {
            return false;
        }
        let data = view.data().map(kymo_event::RawJson::trusted);
        let member = |name| data.and_then(|data| data.get(name)?.as_string());
        let is_of = |direction| member("direction").as_deref() == Some(direction);
        match self.about.direction {
            // Two routes that fail would make each other fail.
            Direction::Route => is_of("route"),
            _ => is_of("sink") && member("bridge").as_deref() == Some(&*self.about.name),
        }
    }
}

/// Frames for sinks: the ledger's own lines with line feeds between them.
#[derive(Debug)]
pub(super) struct Lines;

impl Encoder for Lines {
    fn name(&self) -> &'static str {
        "sink/lines"
    }

    fn frame(
        &self,
        feed: u32,
        cursor: Seq,
        lines: &mut dyn Iterator<Item = LineView<'_>>,
        out: &mut Vec<u8>,
    ) {
        self.raw_frame(feed, cursor, &mut lines.map(|view| view.line()), out);
    }

    fn raw_frame(&self, _: u32, _: Seq, lines: &mut dyn Iterator<Item = &[u8]>, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        for line in lines {
            if out.len() > start {
                out.push(b'\n');
            }
            out.extend_from_slice(line);
        }
        true
    }

    fn around(&self, _: u32, _: Seq, _: usize) -> Option<Around> {
        Some(Around {
            before: Vec::new(),
            between: b'\n',
            after: b"",
        })
    }
}
