//! Sinks: what is in the ledger goes to a file or a broker, once and in order as far as the other side can tell.
//!
//! [`run_sink`] does for every sink what is the same for all: it follows the ledger behind a filter from a place that is
//! kept on disk, hands over batches, moves the place when a batch is safe on the other side, and leaves that side alone
//! while it takes nothing (`breaker`). It is a reader like any other: a slow or dead sink slows nobody, and costs no
//! memory. A [`Sink`] only connects and delivers.
//!
//! A crash between a delivery and the storing of the place repeats up to a second's worth. Every event has an identity
//! that stays the same ([`Item::identity`]), so that the other side can tell; a sink that can tell by itself notes what it
//! needs for that just before ([`Sink::keep`]).

mod batch;
mod breaker;
mod follow;
mod place;
mod run;

use std::{future::Future, time::Duration};

use kymo_event::Filter;
use kymo_hub::BridgeFault;

pub use batch::{Batch, Item};
pub use run::{SinkPlan, run_sink};

/// The other side of a sink.
pub trait Sink: Send + 'static {
    /// Reaches the other side. Called again after it failed, or after a connection was lost.
    fn connect(&mut self) -> impl Future<Output = Result<(), BridgeFault>> + Send;

    /// Hands over a batch; done when all of it is safe there, but for what is named in the answer. After an error the
    /// same batch comes again.
    fn deliver(&mut self, batch: &Batch) -> impl Future<Output = Result<Vec<Refused>, SinkFault>> + Send;

    /// Says when the connection is no good any more; asked while there is nothing to deliver. Cancel-safe.
    fn lost(&mut self) -> impl Future<Output = BridgeFault> + Send {
        std::future::pending()
    }

    /// Parts from the other side; everything delivered is safe already.
    fn close(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Makes sure that everything delivered stays there, and notes what the sink itself must know to go on. Called
    /// right before the place behind what was delivered is stored; after an error it is not.
    fn keep(&mut self) -> impl Future<Output = Result<(), BridgeFault>> + Send {
        std::future::ready(Ok(()))
    }

    /// Forgets what it noted: there is no place, and this sink begins anew. Called before anything else.
    fn forget(&mut self) -> impl Future<Output = Result<(), BridgeFault>> + Send {
        std::future::ready(Ok(()))
    }

    /// What events are marked with that came from this very other side ([`kymo_event::way`]): they are not given back.
    fn origin(&self) -> Option<&str> {
        None
    }

    /// How long connecting, or one delivery, may take before the other side counts as gone.
    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }
}

/// Why a batch was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkFault {
    /// The connection is gone: connect again.
    Lost(BridgeFault),
    /// The other side is there and does not take it: no room, no permission.
    Refused(BridgeFault),
}

/// An event that the other side will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its number in the batch.
    pub index: usize,
    /// Why.
    pub fault: BridgeFault,
}

/// What a sink is given.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Which events.
    pub filter: Filter,
    /// Where a sink begins that has no place yet.
    pub begin: Begin,
    /// Whether the imported past is given too.
    pub backfill: bool,
}

/// Where a sink begins that has no place yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Begin {
    /// With what comes from now on.
    #[default]
    Now,
    /// With the oldest event of the ledger.
    Start,
}
