//! Erased means erased from the disk. SQLite zeroes what is deleted (`secure_delete`), but not the
//! copies that it has left behind in pages whenever it moved rows to others: of 150 users erased
//! from a file of 12 MiB about five were still in it. So the file is written anew (`VACUUM`), and
//! the log cut to nothing. While that runs writes wait: some 8 ms for each MiB. A file larger than
//! `store.rewrite_bytes` is therefore written anew only at the next start.
//!
//! What is still to be done is noted in the transaction that erases: a crash does not forget it.

use super::{Remains, attempt::Failure, committer::Committer, database::Database, entity::meta};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, Statement,
    sea_query::OnConflict,
};
use std::time::Duration;
use tokio::time::Instant;

/// The note in `sundynix_meta`.
const NOTE: &str = "rewrite";
/// A reader (of another program) may hold the log so long before the answer says so.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries to cut the log.
const AGAIN: Duration = Duration::from_millis(20);
/// However slow the disk: longer than this it does not get.
const MOST: Duration = Duration::from_secs(600);
/// Files up to this size are written anew in memory, larger ones through a temporary file.
const IN_MEMORY: i64 = 128 << 20;

/// Notes that the file holds what was erased.
pub async fn note(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    if !is_sqlite(tx) {
        return Ok(());
    }
    let row = meta::Model {
        key: NOTE.into(),
        value: super::now_ms().to_string(),
    };
    let mut replace = OnConflict::column(meta::Column::Key);
    replace.update_column(meta::Column::Value);
    let insert = meta::Entity::insert(row.into_active_model()).on_conflict(replace);
    insert.exec_without_returning(tx).await.map(drop)
}

impl Committer {
    /// Gets what was erased out of the file; `at_start`: however large it is.
    pub(super) async fn scrub(&mut self, at_start: bool) -> Remains {
        self.scrub_at = None;
        if !self.shared.place.is_ours() {
            return Remains::Server;
        }
        let most = match at_start {
            true => i64::MAX,
            false => i64::try_from(self.shared.rewrite_bytes).unwrap_or(i64::MAX),
        };
        let until = Instant::now() + MOST;
        let done = self.attempt(until, move |db| async move {
            // Another try would fail as well, and nobody can write meanwhile.
            Ok(rewrite(&db, most).await.unwrap_or_else(|error| {
                tracing::error!(%error, "what was erased is still in the database file");
                Left::Held
            }))
        });
        let left = done.await.unwrap_or(Left::Held);
        self.scrub_at = (left == Left::Held).then(|| Instant::now() + PATIENCE);
        match left {
            Left::Nothing => Remains::Gone,
            Left::Held | Left::TooLarge => Remains::Pending,
        }
    }

    /// What an earlier run erased and did not get out of the file.
    pub(super) async fn scrub_rest(&mut self) -> Result<(), Failure> {
        let until = Instant::now() + self.shared.ack_timeout;
        let noted = self.attempt(until, |db| async move {
            let note = meta::Entity::find_by_id(NOTE).one(&db.writer).await?;
            Ok(note.is_some())
        });
        if noted.await? {
            self.scrub(true).await;
        }
        Ok(())
    }
}

/// How far it got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// A reader holds the log, or the disk is full: to be tried again.
    Held,
    /// To be done at the next start.
    TooLarge,
}

/// Writes the file anew unless it is too large, and cuts the log.
async fn rewrite(db: &Database, most: i64) -> Result<Left, DbErr> {
    let size = number(db, "PRAGMA page_count").await? * number(db, "PRAGMA page_size").await?;
    let fits = size <= most;
    if fits {
        let place = if size > IN_MEMORY { "FILE" } else { "MEMORY" };
        let writer = &db.writer;
        let temporary = format!("PRAGMA temp_store = {place}");
        writer.execute_unprepared(&temporary).await?;
        let written = writer.execute_unprepared("VACUUM").await;
        writer
            .execute_unprepared("PRAGMA temp_store = MEMORY")
            .await?;
        written?;
    }
    let until = Instant::now() + PATIENCE;
    while number(db, "PRAGMA wal_checkpoint(TRUNCATE)").await? != 0 {
        if Instant::now() >= until {
            return Ok(Left::Held);
        }
        tokio::time::sleep(AGAIN).await;
    }
    if fits {
        meta::Entity::delete_by_id(NOTE).exec(&db.writer).await?;
    }
    Ok(if fits { Left::Nothing } else { Left::TooLarge })
}

/// The first column of what a pragma answers.
async fn number(db: &Database, sql: &str) -> Result<i64, DbErr> {
    let statement = Statement::from_string(db.writer.get_database_backend(), sql);
    let row = db.writer.query_one_raw(statement).await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

fn is_sqlite(tx: &DatabaseTransaction) -> bool {
    tx.get_database_backend() == sea_orm::DatabaseBackend::Sqlite
}
