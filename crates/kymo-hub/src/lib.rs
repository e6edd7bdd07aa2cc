//! Who gets what, when: admission, ring, subscriptions, counters; and the board on which bridges say how they are.
//!
//! Every event passes an [`Intake`] on its way in and a [`Subscriber`] on its way out; between them is the ledger. A
//! subscriber is a cursor that reads the ring when near the head and the files when not. Knows no HTTP and no file
//! format: doors give it records and encoders, the ledger gives it lines.

mod bridges;
mod catchup;
mod clock;
mod counters;
mod delivery;
mod feeds;
mod folds;
mod frames;
mod gate;
mod history;
mod housekeeping;
mod hub;
mod ids;
mod intake;
mod lull;
mod notes;
mod notices;
mod principal;
mod rates;
mod readers;
mod receipt;
mod ring;
pub mod routes;
#[cfg(test)]
mod samples;
mod settings;
mod shared;
mod subscriber;
mod subscription;
mod wake;

pub use bridges::{Bridge, BridgeAbout, BridgeFault, BridgeInfo, BridgeState, Bridges, Direction, Lag};
pub use counters::Counters;
pub use delivery::{Around, Delivery, Encoder, From, SubscribeError, SubscribeRequest};
pub use folds::{
    agents::{AgentInfo, AgentState, AgentsPage},
    asking::{AgentsError, AgentsRequest, agents_in},
};
pub use history::{HistoryPage, HistoryRequest};
pub use hub::Hub;
pub use intake::{
    Intake,
    combiner::{Combiner, Ticket},
};
pub use notices::Notices;
pub use principal::{BoundKey, Principal, Scope};
pub use readers::ReaderInfo;
pub use receipt::{Duplicate, PublishError, Receipt, Rejected};
pub use settings::HubSettings;
pub use subscriber::Subscriber;
