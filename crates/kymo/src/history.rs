//! Reads the past: from the server where one runs, else from the files of the folder.
//!
//! While a server runs its files are not read directly: what it has written but not yet synced is not part of the
//! past, and only the server knows the difference.
use std::path::Path;

use kymo_event::{Channel, Filter, LedgerId, LineView, Seq};
use kymo_ledger::{Chunk, ReadOnly, Reader};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    client::Client,
    failure::Failure,
    find::{Place, State, Where},
    moment::Moment,
    native,
};

/// Events of one request to a server.
const PAGE_EVENTS: usize = 2_000;
/// Bytes of one read of the files.
const READ_BYTES: usize = 1 << 20;

/// Which events; part of the arguments of every command that reads.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Words of the filter language, joined by spaces: type:task.* level:>=warn -source:test
    #[arg(value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
    /// Channels, such as agent:planner or global (repeatable, or parted by commas)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) channels: Vec<String>,
}

impl Selection {
    /// The effective filter: channels and words.
    pub(crate) fn filter(&self) -> Result<Filter, Failure> {
        let words = self.words();
        let words = Filter::parse(&words).map_err(|error| Failure::filter(&words, &error))?;
        Ok(if self.channels.is_empty() {
            words
        } else {
            Channel::union(&self.channels()?).and(&words)
        })
    }

    /// The filter as one text.
    pub(crate) fn words(&self) -> String {
        self.filter
            .iter()
            .map(|word| word.trim())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// As parameters of a request; both were checked before.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        if !self.filter.is_empty() {
            query.push(("filter", self.words()));
        }
        if !self.channels.is_empty() {
            query.push(("channels", self.channels.join(",")));
        }
        query
    }

    fn channels(&self) -> Result<Vec<Channel>, Failure> {
        let parse = |name: &String| Channel::parse(name).map_err(|error| Failure::filter(name, &error));
        self.channels.iter().map(parse).collect()
    }
}

/// Where to begin; part of the arguments of every command that reads.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct Beginning {
    /// From this moment on: 10m, a date or time, or a seq
    #[arg(
        long,
        visible_alias = "since",
        value_name = "MOMENT",
        allow_hyphen_values = true
    )]
    pub(crate) from: Option<Moment>,
}

/// Where to begin and end; part of the arguments of commands that read a stretch.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct Range {
    #[command(flatten)]
    beginning: Beginning,
    /// Up to before this moment
    #[arg(
        long,
        visible_alias = "until",
        value_name = "MOMENT",
        allow_hyphen_values = true
    )]
    to: Option<Moment>,
}

impl Range {
    /// The stretch these arguments mean.
    pub(crate) const fn oldest_first(self) -> Span {
        Span {
            from: self.beginning.from,
            to: self.to,
            newest_first: false,
        }
    }
}

/// A stretch of the past.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    /// Inclusive.
    pub(crate) from: Option<Moment>,
    /// Exclusive.
    pub(crate) to: Option<Moment>,
    pub(crate) newest_first: bool,
}

/// Events that are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hole {
    pub(crate) asked: u64,
    pub(crate) first: u64,
    pub(crate) lost: u64,
    pub(crate) reason: String,
}

/// One thing met on the way through the past.
pub(crate) enum Item<'a> {
    Event(LineView<'a>),
    Hole(Hole),
}

/// Whether to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flow {
    Continue,
    Stop,
}

/// Called with everything met, in order.
pub(crate) type Visit<'a> = dyn FnMut(Item<'_>) -> Result<Flow, Failure> + 'a;

/// Somewhere the past can be read.
pub(crate) enum Past {
    Server(Client),
    Folder(ReadOnly),
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    next: Option<u64>,
    #[serde(default)]
    gaps: Vec<Hole>,
}

/// The part of a server's status that readers need.
#[derive(Deserialize, Debug)]
pub(crate) struct LedgerStatus {
    pub(crate) ledger: String,
    /// Seq of the newest event; 0 or absent while there is none.
    pub(crate) head: Option<u64>,
}

impl LedgerStatus {
    /// Asks a server.
    pub(crate) fn of(client: &Client) -> Result<Self, crate::client::ClientError> {
        client.get("/api/v1/status", &[])
    }

    /// The seq after the newest event.
    pub(crate) fn next(&self) -> Seq {
        Seq::new(self.head.unwrap_or(0) + 1).expect("one more than something is not zero")
    }
}

impl Past {
    /// Looks where the arguments point.
    pub(crate) fn open(place: &Where) -> Result<Self, Failure> {
        let found = Place::find_settled(place)?;
        match &found.state {
            State::Named(endpoint) | State::Running(endpoint) => Ok(Self::Server(Client::new(endpoint))),
            State::Held { .. } | State::Free => Ok(Self::Folder(open_folder(&found.data)?)),
        }
    }

    /// Which ledger it is.
    pub(crate) fn ledger(&self) -> Result<LedgerId, Failure> {
        match self {
            Self::Server(client) => Ok(LedgerId::new(&LedgerStatus::of(client)?.ledger)),
            Self::Folder(folder) => Ok(folder.id()),
        }
    }

    /// Goes through what matches.
    pub(crate) fn visit(
        &self,
        selection: &Selection,
        span: Span,
        visit: &mut Visit<'_>,
    ) -> Result<(), Failure> {
        let filter = selection.filter()?;
        match self {
            Self::Server(client) => visit_server(client, selection, span, visit),
            Self::Folder(folder) => visit_folder(folder, &filter, span, visit),
        }
    }
}

/// Opens the files of a folder for reading.
pub(crate) fn open_folder(data: &Path) -> Result<ReadOnly, Failure> {
    if !data.join("ledger").is_dir() {
        return Err(
            Failure::failed(format!("nothing is recorded in {}", data.display()))
                .code("not_found")
                .hint("`kymo up` records this folder; --data names another data folder"),
        );
    }
    Ok(ReadOnly::open(data)?)
}

fn visit_server(
    client: &Client,
    selection: &Selection,
    span: Span,
    visit: &mut Visit<'_>,
) -> Result<(), Failure> {
    // An age is pinned once, so that all pages mean the same moment.
    let mut from = span.from.map(|moment| moment.to_string());
    let mut to = span.to.map(|moment| moment.to_string());
    loop {
        let mut query = selection.query();
        query.push(("limit", PAGE_EVENTS.to_string()));
        query.push((
            "order",
            if span.newest_first { "newest" } else { "oldest" }.to_owned(),
        ));
        query.extend(from.clone().map(|from| ("from", from)));
        query.extend(to.clone().map(|to| ("to", to)));
        let text = client.get_text("/api/v1/events", &query)?;
        let page: Page<'_> = serde_json::from_str(&text)
            .map_err(|error| Failure::failed(format!("{} gave no page of history: {error}", client.url())))?;
        for hole in page.gaps {
            if visit(Item::Hole(hole))? == Flow::Stop {
                return Ok(());
            }
        }
        for event in page.events {
            if visit(Item::Event(native::view(event.get().as_bytes())?))? == Flow::Stop {
                return Ok(());
            }
        }
        let Some(next) = page.next else { return Ok(()) };
        *(if span.newest_first { &mut to } else { &mut from }) = Some(next.to_string());
    }
}

fn visit_folder(
    folder: &ReadOnly,
    filter: &Filter,
    span: Span,
    visit: &mut Visit<'_>,
) -> Result<(), Failure> {
    let end = folder.head().map_or(Seq::FIRST, Seq::next);
    let from = resolve(folder, span.from, folder.first(), end)?;
    let to = resolve(folder, span.to, end, end)?.min(end);
    if from >= to {
        return Ok(());
    }
    if span.newest_first {
        let newest = to.prev().expect("something is before `to`, since `from` is");
        drain(folder.read_back(newest, filter), |seq| seq >= from, visit)
    } else {
        drain(folder.read(from, filter), |seq| seq < to, visit)
    }
}

fn resolve(folder: &ReadOnly, moment: Option<Moment>, absent: Seq, end: Seq) -> Result<Seq, Failure> {
    Ok(match moment {
        None => absent,
        Some(Moment::Start) => folder.first(),
        Some(Moment::Now) => end,
        Some(Moment::Seq(seq)) => seq,
        Some(moment) => folder.seq_at(moment.time().expect("what is left is a time"))?,
    })
}

/// Reads until the end, or until a seq is no longer wanted.
fn drain(mut reader: Reader, wanted: impl Fn(Seq) -> bool, visit: &mut Visit<'_>) -> Result<(), Failure> {
    loop {
        match reader.next_chunk(READ_BYTES)? {
            Chunk::Events { lines, scanned_to } => {
                for line in lines.iter() {
                    let view = native::view(line)?;
                    if !wanted(view.seq()) || visit(Item::Event(view))? == Flow::Stop {
                        return Ok(());
                    }
                }
                if !wanted(scanned_to) {
                    return Ok(());
                }
            }
            Chunk::Gap(gap) => {
                if !wanted(gap.asked) || visit(Item::Hole(hole(&gap)))? == Flow::Stop {
                    return Ok(());
                }
            }
            Chunk::End { .. } => return Ok(()),
        }
    }
}

/// A gap in the words of the wire.
pub(crate) fn hole(gap: &kymo_ledger::Gap) -> Hole {
    let reason = serde_json::to_value(gap.reason).expect("a reason is a word");
    Hole {
        asked: gap.asked.get(),
        first: gap.first.get(),
        lost: gap.lost,
        reason: reason.as_str().unwrap_or_default().to_owned(),
    }
}
