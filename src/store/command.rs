//! What the committer is told to do, and what it answers.

use super::{Ask, Import, Reply, embedding, entity, extraction};
use crate::{
    error::Error,
    memory::{Ack, Profile, TurnId, UserKey, Writeback},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::oneshot;

/// One write for the committer, with the channel its outcome goes to.
pub enum Command {
    /// Keep a turn. Answered once it is durable, or is not going to be.
    Keep(Arc<Writeback>, oneshot::Sender<Ack>),
    /// The user's own upsert.
    Upsert(Upsert, oneshot::Sender<Result<Upserted, Error>>),
    /// Take over what was said elsewhere; answers with how many items were not there before.
    Import(Import, oneshot::Sender<Result<usize, Error>>),
    /// What a user's privacy asks for.
    Privacy(Ask, Reply),
    /// The remote memory has what a turn taught, or is never going to.
    Delivered(Delivered, oneshot::Sender<Result<(), Error>>),
    /// A write of extraction, for one user.
    Extraction(
        UserKey,
        Arc<extraction::Write>,
        oneshot::Sender<Result<extraction::Written, Error>>,
    ),
    /// What texts mean; answers with how many of them are still there.
    Embed(
        Arc<embedding::Embedded>,
        oneshot::Sender<Result<usize, Error>>,
    ),
}

/// `PUT /api/v1/memory`
#[derive(Clone, Debug)]
pub struct Upsert {
    /// Whose profile.
    pub user: UserKey,
    /// (topic, key) → value; `None` removes.
    pub slots: BTreeMap<(String, String), Option<String>>,
    /// `If-Match`: only on this version.
    pub on_version: Option<u64>,
    /// The turn it was said in; `None`: the user's own word beside any conversation, pinned.
    pub said: Option<SaidIn>,
}

/// A profile as an upsert left it.
#[derive(Clone, Debug)]
pub struct Upserted {
    /// The profile.
    pub profile: Profile,
    /// What was to be set and is held back.
    pub quarantined: Vec<HeldBack>,
}

/// A value that looks like an instruction to the model, and so went to quarantine.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct HeldBack {
    /// To release or to discard it by.
    pub id: i64,
    /// Topic of the slot.
    pub topic: String,
    /// Key of the slot.
    pub key: String,
    /// What it looks like.
    pub rule: String,
}

impl From<entity::quarantine::Model> for HeldBack {
    fn from(row: entity::quarantine::Model) -> Self {
        HeldBack {
            id: row.seq,
            topic: row.topic,
            key: row.key,
            rule: row.rule,
        }
    }
}

/// A turn that somebody else kept, and what it taught.
#[derive(Clone, Debug)]
pub struct SaidIn {
    /// Its id there: what it teaches counts once.
    pub turn: TurnId,
    /// When it was said, Unix milliseconds: a later word counts more.
    pub at_ms: i64,
}

/// A turn that was told to the remote memory.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Whose.
    pub user: UserKey,
    /// Which.
    pub turn: TurnId,
    /// It was refused too often: it stays in the outbox, for a look.
    pub dead: bool,
}

/// What an erase removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Erased {
    /// Values of the profile.
    pub profile: u64,
    /// Superseded values.
    pub history: u64,
    /// Turns.
    pub turns: u64,
    /// Turns not settled yet.
    pub outbox: u64,
    /// Turns that the extraction model had not read yet.
    pub extraction: u64,
    /// Values in quarantine.
    pub quarantine: u64,
    /// What texts mean, by an embedding model.
    pub embeddings: u64,
    /// Write-backs in the spool.
    pub spool: u64,
    /// Rows of the ledger: one a day and kind.
    pub ledger: u64,
    /// Detached tasks, with their answers.
    pub tasks: u64,
    /// What is left of it on the disk.
    pub remains: Remains,
}

/// What went with one turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct TurnDeleted {
    /// Values of the profile that only it supported.
    pub values: u64,
    /// … in whose place the value before them came back.
    pub restored: u64,
    /// Superseded values that it had taught.
    pub history: u64,
    /// Values in quarantine.
    pub quarantine: u64,
    /// What is left of it on the disk.
    pub remains: Remains,
}

/// What is left on the disk of what was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Remains {
    /// Nothing: the SQLite file was written anew, its log cut.
    #[default]
    Gone,
    /// Bytes that nobody can ask for, until the file is written anew: at the next start, or when
    /// the reader that holds its log ends.
    Pending,
    /// PostgreSQL writes over it in its own time (`VACUUM`).
    Server,
}
