//! How agents are, now or as of a moment: what a fold answers, and what it cannot know.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kymo_event::{Filter, LedgerId, LineView, Micros, Seq};
use kymo_ledger::{Chunk, Ledger, ReadError, ReadOnly, Reader, Snapshots};

use super::{
    FOLD, Folds, SLICE_TIME_MAX, advance,
    agents::{Agents, AgentsPage},
    base,
};
use crate::{From, HubSettings, Principal, SubscribeError, shared::Shared};

/// How long is waited for a seq that must be in the answer.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// And for the newest event, if none is asked for: whoever is behind says so by its cursor.
const WAIT_USUAL: Duration = Duration::from_millis(500);

/// What is asked of the agents' fold.
#[derive(Clone, Debug, Default)]
pub struct AgentsRequest {
    /// As of this event (that included) or moment; `None` is now.
    pub at: Option<From>,
    /// Everything up to this seq must be in the answer, so that who wrote it finds it there.
    pub min: Option<Seq>,
    /// Agents listed at most.
    pub limit: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AgentsError {
    /// As for any reader.
    #[error(transparent)]
    Read(#[from] SubscribeError),
    /// Events from before are gone, and no snapshot is left of them.
    #[error("how agents were before seq {known_from} is gone with its events; ask for a later moment")]
    BeforeRetention {
        /// The first place that can be asked for.
        known_from: u64,
    },
    /// It was not folded in time.
    #[error("seq {min} is not in the answer yet, the newest that is is {cursor}; ask again in a moment")]
    NotYet {
        /// What was asked for.
        min: u64,
        /// What there is.
        cursor: u64,
    },
}

impl std::convert::From<ReadError> for AgentsError {
    fn from(error: ReadError) -> Self {
        Self::Read(error.into())
    }
}

/// What [`crate::Hub::agents`] answers.
pub(crate) async fn agents(
    hub: &Arc<Shared>,
    request: AgentsRequest,
    principal: &Principal,
) -> Result<AgentsPage, AgentsError> {
    hub.may_read(principal)?;
    reach(&hub.folds, request.min).await?;
    let now = hub.clock.now();
    let at = match request.at {
        None | Some(From::Now) => {
            return Ok(hub
                .folds
                .look(|agents| agents.page(principal, now, request.limit)));
        }
        Some(at) => at,
    };
    let agents_max = hub.settings.agents_max;
    // Each holds a state as large as ours: others wait.
    let _turn = hub.folds.as_of.acquire().await;
    let opening = move |ledger: &Ledger| AsOf::open(ledger, &at, now, agents_max);
    let mut as_of = hub.catchup.read(opening).await?;
    while !as_of.is_done() {
        let slice = move |_: &Ledger| as_of.read_on(Some(SLICE_TIME_MAX)).map(|()| as_of);
        as_of = hub.catchup.read(slice).await?;
    }
    Ok(as_of.agents.page(principal, as_of.moment, request.limit))
}

/// How agents were, read from a folder that nobody serves; `at` as in [`AgentsRequest`]. Blocking.
pub fn agents_in(
    folder: &ReadOnly,
    at: Option<&From>,
    now: Micros,
    limit: usize,
) -> Result<AgentsPage, AgentsError> {
    let agents_max = HubSettings::default().agents_max;
    let mut as_of = AsOf::open(folder, at.unwrap_or(&From::Now), now, agents_max)?;
    as_of.read_on(None)?;
    Ok(as_of.agents.page(&Principal::owner(), as_of.moment, limit))
}

/// Waits for `min` to be folded; without one for what is stored by now, but not for long.
async fn reach(folds: &Folds, min: Option<Seq>) -> Result<(), AgentsError> {
    let head = folds.ledger.head().map_or(0, Seq::get);
    let (wanted, patience) = match min {
        Some(min) => (min.get(), WAIT_MAX),
        None => (head, WAIT_USUAL),
    };
    let mut folded = folds.folded.subscribe();
    if *folded.borrow() >= wanted {
        return Ok(());
    }
    folds.asked.notify_one();
    let reached = tokio::time::timeout(patience, folded.wait_for(|cursor| *cursor >= wanted)).await;
    match (reached, min) {
        (Err(_) | Ok(Err(_)), Some(min)) => Err(AgentsError::NotYet {
            min: min.get(),
            cursor: *folds.folded.borrow(),
        }),
        _ => Ok(()),
    }
}

/// A ledger, served or not.
trait Past {
    fn id(&self) -> LedgerId;
    fn first_and_head(&self) -> (Seq, u64);
    fn read(&self, from: Seq) -> Reader;
    fn seq_at(&self, time: Micros) -> Result<Seq, ReadError>;
    fn snapshots(&self) -> Snapshots;
}

impl Past for Ledger {
    fn id(&self) -> LedgerId {
        self.id()
    }
    fn first_and_head(&self) -> (Seq, u64) {
        (self.first(), self.head().map_or(0, Seq::get))
    }
    fn read(&self, from: Seq) -> Reader {
        self.read(from, &Filter::all())
    }
    fn seq_at(&self, time: Micros) -> Result<Seq, ReadError> {
        self.seq_at(time)
    }
    fn snapshots(&self) -> Snapshots {
        self.snapshots(FOLD)
    }
}

impl Past for ReadOnly {
    fn id(&self) -> LedgerId {
        self.id()
    }
    fn first_and_head(&self) -> (Seq, u64) {
        (self.first(), self.head().map_or(0, Seq::get))
    }
    fn read(&self, from: Seq) -> Reader {
        self.read(from, &Filter::all())
    }
    fn seq_at(&self, time: Micros) -> Result<Seq, ReadError> {
        self.seq_at(time)
    }
    fn snapshots(&self) -> Snapshots {
        self.snapshots(FOLD)
    }
}

/// A state on its way to where it was asked for.
struct AsOf {
    agents: Agents,
    reader: Reader,
    /// The moment that is meant.
    moment: Micros,
    at_end: bool,
}

impl AsOf {
    fn open(past: &impl Past, at: &From, now: Micros, agents_max: usize) -> Result<Self, AgentsError> {
        let (first, head) = past.first_and_head();
        if let From::Seq(_, Some(ledger)) = at
            && *ledger != past.id()
        {
            // That number meant another event, which is not here.
            return Err(AgentsError::BeforeRetention {
                known_from: first.get(),
            });
        }
        let moment = match at {
            From::Ago(micros) => Some(Micros(now.0.saturating_sub(*micros))),
            From::Time(time) => Some(*time),
            From::Now => Some(now),
            From::Start | From::Seq(..) => None,
        };
        let last = match (at, moment) {
            (From::Seq(seq, _), _) => seq.get(),
            (From::Start, _) => first.get(),
            (From::Now, _) | (_, None) => head,
            // What was recorded in that very moment had happened by then.
            (_, Some(moment)) => past.seq_at(Micros(moment.0.saturating_add(1)))?.get() - 1,
        };
        let last = last.min(head);
        let agents = beginning(&past.snapshots(), last, (first, head), agents_max)?;
        let moment = match moment {
            Some(moment) => moment,
            None => recorded(past, last)?.unwrap_or(now),
        };
        Ok(Self {
            reader: past.read(agents.next()),
            agents: agents.up_to(last),
            moment,
            at_end: false,
        })
    }

    fn is_done(&self) -> bool {
        self.at_end || self.agents.is_there()
    }

    /// Reads until it is there, or for about so long. Blocking.
    fn read_on(&mut self, within: Option<Duration>) -> Result<(), ReadError> {
        let begun = Instant::now();
        while !self.is_done() && within.is_none_or(|within| begun.elapsed() < within) {
            let Self { agents, reader, .. } = self;
            self.at_end = !advance(reader, |step| step(agents))?;
        }
        Ok(())
    }
}

/// Where folding up to `last` begins.
fn beginning(
    snapshots: &Snapshots,
    last: u64,
    (first, head): (Seq, u64),
    agents_max: usize,
) -> Result<Agents, AgentsError> {
    if let Some(agents) = base(snapshots, last, first, agents_max) {
        return Ok(agents);
    }
    // Where the state that is kept began is where any state begins, unless those events have gone since.
    let newest = base(snapshots, head, first, agents_max);
    let from = newest.as_ref().map_or(first, Agents::from);
    if from >= first && (from == Seq::FIRST || last >= from.get()) {
        return Ok(Agents::new(from, agents_max));
    }
    let seqs = snapshots.seqs().unwrap_or_default();
    let known_from = seqs.into_iter().find(|seq| seq + 1 >= first.get());
    Err(AgentsError::BeforeRetention {
        known_from: known_from.unwrap_or_else(|| first.get()),
    })
}

/// When an event was recorded, if it is there.
fn recorded(past: &impl Past, seq: u64) -> Result<Option<Micros>, ReadError> {
    let Some(seq) = Seq::new(seq) else {
        return Ok(None);
    };
    Ok(match past.read(seq).next_chunk(1)? {
        Chunk::Events { lines, .. } => {
            let view = lines.iter().next().and_then(|line| LineView::parse(line).ok());
            view.filter(|view| view.seq() == seq).map(|view| view.recorded())
        }
        Chunk::Gap(_) | Chunk::End { .. } => None,
    })
}
