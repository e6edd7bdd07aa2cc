//! The sidecar of a segment: what lets a reader find a seq, a time or a match without reading the lines between.
//!
//! A file of block records, appended behind the commit, each with its own checksums; a sealed segment's ends in
//! tables over all blocks. It is made from the lines alone (or from what their writer noted of them), so a lost one is made again to the same bytes.

mod block;
mod bloom;
mod builder;
mod columns;
mod compare;
mod dictionary;
mod fields;
mod file_head;
mod id_map;
mod ids;
mod keys;
mod load;
mod row;
mod select;
mod summary;
mod tables;

pub(crate) use block::{BlockEntry, BlockHead};
pub(crate) use builder::IndexBuilder;
pub(crate) use compare::Comparison;
pub(crate) use fields::{Fields, PutFields, length};
pub(crate) use file_head::FileHead;
pub(crate) use ids::key_of as id_key;
pub(crate) use load::{Index, IndexBytes, Records, records, trailer};
pub(crate) use select::{Selected, Selector, spans};
pub(crate) use summary::Names;
pub(crate) use tables::{SegmentSummary, TRAILER, seal};
