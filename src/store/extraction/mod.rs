//! What the store knows of extraction: which turns wait to be read, what is in quarantine. Reads are
//! in `read.rs`, writes in `write.rs`, over the rows of `unread.rs` and `held.rs`.

mod claim;
mod commit;
mod held;
mod read;
mod restore;
mod unread;
mod write;

pub use claim::Claim;
pub use read::{Job, JobKind, JobState, Quarantined, ended, flush, jobs, quarantine, waiting};
pub use restore::Restored;
pub(in crate::store) use unread::insert_unread;
pub use write::{Learned, Write, Written, write};
