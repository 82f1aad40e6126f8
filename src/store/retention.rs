//! What is kept too long goes: turns, with all that waits for them, superseded values, and what lies
//! in quarantine. A profile stays. In small pieces, at the start and every hour, so that nobody
//! waits for it. It leaves the disk too (`scrub.rs`): for that writes wait, and so it is done once a
//! day at most, and not noted like an erase, or each start would write a large file anew.

use super::{
    attempt::Failure,
    committer::Committer,
    database::Database,
    entity::{deleted_turn, profile_history, quarantine, turn},
    now_ms,
    rows::{OfUser, lock_users, taken_away},
};
use crate::memory::UserKey;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Statement,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Between two sweeps.
const EVERY: Duration = Duration::from_secs(3_600);
/// Between two times that the file is written anew for it.
const REWRITE: Duration = Duration::from_secs(86_400);
/// Users in one piece.
const USERS: u64 = 32;
/// Rows of turns that are not there.
const ORPHANS: [&str; 3] = [
    "sundynix_outbox",
    "sundynix_extraction",
    "sundynix_embedding",
];

impl Committer {
    /// Sweeps a piece, and says when the next is due.
    pub(super) async fn sweep(&mut self) -> Result<(), Failure> {
        self.sweep_at = Instant::now() + EVERY;
        let Some(keep_ms) = self.shared.keep_ms else {
            return Ok(());
        };
        let before = now_ms() - keep_ms;
        let until = Instant::now() + self.shared.ack_timeout;
        let swept = self.attempt(until, move |db| async move { sweep(&db, before).await });
        let (users, gone) = match swept.await {
            Ok(swept) => swept,
            // Slow is not down: nobody waits for this.
            Err(_) => return self.examine().await,
        };
        for user in &users {
            self.shared.residents.remove(user);
        }
        let now = Instant::now();
        if !users.is_empty() {
            self.sweep_at = now;
        }
        self.owes_rewrite |= gone > 0;
        if self.owes_rewrite && users.is_empty() && self.rewrite_at <= now {
            self.owes_rewrite = false;
            self.rewrite_at = now + REWRITE;
            self.scrub_at = Some(now);
        }
        Ok(())
    }
}

/// Deletes a piece of what was kept before; whose turns were among it, and how much it was.
async fn sweep(db: &Arc<Database>, before: i64) -> Result<(Vec<UserKey>, u64), DbErr> {
    use turn::Column as C;
    let rows: Vec<(String, String, String)> = turn::Entity::find()
        .select_only()
        .columns([C::Tenant, C::App, C::UserId])
        .filter(C::KeptAt.lt(before))
        .distinct()
        .limit(USERS)
        .into_tuple()
        .all(&db.writer)
        .await?;
    let users = rows.into_iter().map(|(tenant, app, user)| UserKey {
        tenant: tenant.into(),
        app: app.into(),
        user: user.into(),
    });
    let users: Vec<_> = users.collect();
    let (tx, mut gone) = (db.begin().await?, 0);
    if !users.is_empty() {
        for (user, row) in lock_users(&tx, users.iter().collect(), 1).await? {
            taken_away(&tx, user, row.mark).await?;
        }
    }
    for user in &users {
        let old = turn::Entity::delete_many().filter(turn::Entity::of(user));
        let old = old.filter(C::KeptAt.lt(before)).exec(&tx).await?;
        gone += old.rows_affected;
        for table in ORPHANS {
            let sql = format!(
                "DELETE FROM {table} WHERE tenant = $1 AND app = $2 AND user_id = $3 AND NOT EXISTS \
                 (SELECT 1 FROM sundynix_turn t WHERE t.tenant = {table}.tenant AND \
                 t.app = {table}.app AND t.user_id = {table}.user_id AND \
                 t.turn_id = {table}.turn_id)"
            );
            let owner = [&user.tenant, &user.app, &user.user].map(|part| (&**part).into());
            let backend = tx.get_database_backend();
            tx.execute_raw(Statement::from_sql_and_values(backend, sql, owner))
                .await?;
        }
    }
    let superseded = profile_history::Entity::delete_many()
        .filter(profile_history::Column::ValidTo.lt(before))
        .exec(&tx)
        .await?;
    let held = quarantine::Entity::delete_many()
        .filter(quarantine::Column::ValidFrom.lt(before))
        .exec(&tx)
        .await?;
    gone += superseded.rows_affected + held.rows_affected;
    deleted_turn::Entity::delete_many()
        .filter(deleted_turn::Column::DeletedAt.lt(before))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok((users, gone))
}
