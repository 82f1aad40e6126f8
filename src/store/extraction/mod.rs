//! What the store knows of extraction: which turns wait to be read, what is in quarantine, what
//! memory has cost. Reads are here, writes in `write.rs`.

mod claim;
mod commit;
mod read;
mod write;

pub use claim::Claim;
pub use read::{
    Job, JobKind, JobState, Quarantined, Spending, ended, flush, jobs, ledger, quarantine, waiting,
};
pub(in crate::store) use write::insert_unread;
pub use write::{Learned, Write, Written, write};
