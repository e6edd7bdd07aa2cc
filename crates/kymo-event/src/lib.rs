//! What an event is: its envelope, its line in the ledger, its dialects and the language that selects it.
//!
//! Everything here is pure: bytes in, values or bytes out. No clock, no file, no socket, no task.
//! `kymo-ledger` stores the lines written here; `kymo-hub` decides who gets them.

pub mod catalogue;
pub mod channels;
mod checksum;
mod content;
pub mod dialects;
mod event;
pub mod filter;
pub mod json;
mod level;
mod limits;
mod line;
mod names;
mod prepared;
mod records;
mod refusal;
pub mod salvage;
mod seq;
mod time;
pub mod way;

pub use channels::Channel;
pub use checksum::checksum;
pub use content::Content;
pub use event::{DataText, Event, Ext};
pub use filter::Filter;
pub use json::RawJson;
pub use level::Level;
pub use limits::Limits;
pub use line::{BodyKeys, LineError, LineSpans, LineView, check_crc, parts_of, write_line};
pub use names::{begins_name, fold_separators, is_separator, same_name};
pub use prepared::{Batch, IdKey};
pub use records::{Record, RecordFormat, Records, Unreadable, Wrapper};
pub use refusal::Refusal;
pub use seq::{LedgerId, Seq};
pub use time::{Micros, TimeError};
