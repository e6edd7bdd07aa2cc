//! Seeds whose runs failed once; they always run first.

/// Add a failing seed here, with what it found.
pub const SEEDS: &[u64] = &[
    23,    // tables of an index lost, its trailer not: it passed for whole
    56,    // the same
    84,    // an index sealed at close came back after the segment had grown: it passed for complete
    106,   // the same
    164,   // zeros in acknowledged lines, then a crash: the index no longer said that they were acknowledged
    470, // a closed ledger's last index was sealed before, because a write had failed: its trailer was not synced
    1037, // a line and the record of its block damaged: `verify` lost its place and named the next record
    1057, // a middle segment cut inside a line kept the indexer from all that follow
    1084, // an index that stayed as it was, because of zeros, was held against lines it could not know
    2262, // zeros while the clock was held: groups of one time passed for one
    5611, // what only an unsynced index knew was announced, and gone after a power cut
    5785, // a damaged line changed the chain: `verify` named the unfinished index behind it
    6925, // the first line of a source damaged: `verify` named the index, in which the source has another number
    9395, // a damaged record of a block without a line: `verify` named everything behind it
    14184, // zeros in an unfinished group passed for damage, behind zeros that were damage
    14599, // what an index knew of the end was rewritten while nothing stood behind that said so too
    17740, // the same of an index that was gone on with: its trailer stayed, its blocks did not
    11785, // lines behind zeros that an older index knew of were never indexed
    12687, // an index that was cut came back from a power cut, and spoke for the new events of its seqs
    17252, // the same: seqs that were given up were a hole again
    49625, // a torn record behind damaged lines: `verify` named the unfinished index as damaged
    49751, // all lines of a segment lost, and its index's last record and trailer: `verify` named the index behind it
    24986, // lines cut away: `verify` named the unfinished index of their block
];
