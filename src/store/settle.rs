//! Settling: what waits in the outbox becomes profile. When it is done, and the transactions.

use super::{
    attempt::Failure,
    changes::Changes,
    committer::Committer,
    database::Database,
    entity::{outbox, user},
    rows::{OfUser, lock_users, profile},
};
use crate::memory::{Profile, Rules, UserKey, statements};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, Statement,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Before settling that failed is tried again.
const SETTLE_PAUSE: Duration = Duration::from_secs(1);
/// A user whose settling was refused so often is given up.
const SETTLE_TRIES: u32 = 5;

/// Turns of a user that are not settled, in the order they were kept.
const PENDING: &str = "\
SELECT o.seq, t.turn_id, t.at, t.query FROM sundynix_outbox o \
JOIN sundynix_turn t ON t.tenant = o.tenant AND t.app = o.app AND t.user_id = o.user_id \
AND t.turn_id = o.turn_id \
WHERE o.tenant = $1 AND o.app = $2 AND o.user_id = $3 AND NOT o.dead ORDER BY o.seq LIMIT $4";

/// Turns settled in one transaction, so that it ends in time whatever has piled up.
const PIECE: usize = 64;

impl Committer {
    /// Settles the users whose time has come, in one transaction; each alone if that is refused.
    pub(super) async fn settle(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        let due = self.unsettled.iter().filter(|(_, (_, at))| *at <= now);
        let due: Vec<_> = due
            .take(self.shared.group)
            .map(|(user, _)| user.clone())
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        match self.settle_users(due.clone()).await {
            Ok(()) => return Ok(()),
            // Slow is not down: nobody waits for this, so the probe decides.
            Err(Failure::Down) => return self.examine().await,
            Err(Failure::Refused) => {}
        }
        for user in due {
            match self.settle_users(vec![user.clone()]).await {
                Ok(()) => {}
                Err(Failure::Down) => return self.examine().await,
                Err(Failure::Refused) => self.put_off(user).await?,
            }
        }
        Ok(())
    }

    async fn settle_users(&mut self, users: Vec<UserKey>) -> Result<(), Failure> {
        let until = Instant::now() + self.shared.ack_timeout / 2;
        let next = Instant::now() + SETTLE_PAUSE;
        for user in &users {
            self.unsettled
                .entry(user.clone())
                .and_modify(|(_, at)| *at = next);
        }
        let (users, shared) = (Arc::new(users), self.shared.clone());
        let done = self.attempt(until, move |db| {
            let (users, shared) = (users.clone(), shared.clone());
            async move { settle(&db, &users, &shared.rules).await }
        });
        let (done, now) = (done.await?, Instant::now());
        self.unsettled.retain(|user, _| !done.contains(user));
        let rest = self.unsettled.values_mut().filter(|(_, at)| *at == next);
        rest.for_each(|(_, at)| *at = now);
        Ok(())
    }

    async fn put_off(&mut self, user: UserKey) -> Result<(), Failure> {
        let tries = self.unsettled.get(&user).map_or(1, |(tries, _)| tries + 1);
        if tries < SETTLE_TRIES {
            let next = Instant::now() + Duration::from_secs(1 << tries);
            self.unsettled.insert(user, (tries, next));
            return Ok(());
        }
        tracing::error!("the store refuses what some turns taught; they are put aside as dead");
        let (until, of) = (Instant::now() + self.shared.ack_timeout, user.clone());
        let done = self.attempt(until, move |db| {
            let of = of.clone();
            async move { bury(&db, &of).await }
        });
        done.await?;
        self.unsettled.remove(&user);
        self.shared.residents.remove(&user);
        Ok(())
    }
}

/// Settles a piece of the users' turns; answers whose are all settled.
pub async fn settle(
    db: &Database,
    users: &[UserKey],
    rules: &Rules,
) -> Result<Vec<UserKey>, DbErr> {
    let tx = db.begin().await?;
    let (mut writes, mut done) = (Changes::default(), Vec::new());
    for (user, row) in lock_users(&tx, users.iter().collect(), 0).await? {
        let left = PIECE - writes.settled.len();
        let profile = settled(&tx, user, row.version, left, rules, &mut writes).await?;
        writes.version(user, row.version, &profile);
        if writes.settled.len() >= PIECE {
            break;
        }
        done.push(user.clone());
    }
    writes.write(&tx).await?;
    tx.commit().await?;
    Ok(done)
}

/// Users who have something to settle.
pub async fn unsettled(db: &Database) -> Result<Vec<UserKey>, DbErr> {
    let sql = "SELECT DISTINCT tenant, app, user_id FROM sundynix_outbox WHERE NOT dead";
    let backend = db.readers.get_database_backend();
    let rows = db
        .readers
        .query_all_raw(Statement::from_string(backend, sql))
        .await?;
    let users = rows.iter().map(|row| {
        Ok(UserKey {
            tenant: row.try_get::<String>("", "tenant")?.into(),
            app: row.try_get::<String>("", "app")?.into(),
            user: row.try_get::<String>("", "user_id")?.into(),
        })
    });
    users.collect()
}

/// Gives a user's outbox up: it failed whenever it was tried. Recall had counted what it teaches,
/// so the version moves beyond what may have been told.
pub async fn bury(db: &Database, of: &UserKey) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    for (_, row) in lock_users(&tx, [of].into(), 1).await? {
        let update = outbox::Entity::update_many().col_expr(outbox::Column::Dead, true.into());
        let buried = update
            .filter(outbox::Entity::of(of))
            .filter(outbox::Column::Dead.eq(false))
            .exec(&tx)
            .await?;
        let version = row.version + buried.rows_affected.cast_signed();
        let raise = user::Entity::update_many().col_expr(user::Column::Version, version.into());
        raise.filter(user::Entity::of(of)).exec(&tx).await?;
    }
    tx.commit().await
}

/// The user's profile once `most` turns of their outbox are settled; what that changes goes into the writes.
pub(super) async fn settled(
    tx: &DatabaseTransaction,
    user: &UserKey,
    version: i64,
    most: usize,
    rules: &Rules,
    writes: &mut Changes,
) -> Result<Profile, DbErr> {
    let mut profile = profile(tx, user, version).await?;
    let ended = rules.expire(&mut profile, rules.clock.now_ms());
    writes.changes(user, ended, profile.version);
    if rules.elsewhere {
        return Ok(profile);
    }
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut values = vec![];
    values.extend([&user.tenant, &user.app, &user.user].map(|part| (&**part).into()));
    values.push(most.into());
    let pending = Statement::from_sql_and_values(tx.get_database_backend(), PENDING, values);
    for row in tx.query_all_raw(pending).await? {
        writes.settled.push(row.try_get("", "seq")?);
        let turn: String = row.try_get("", "turn_id")?;
        let query: String = row.try_get("", "query")?;
        let said = statements(&query);
        let at = row.try_get("", "at")?;
        let applied = rules.apply(&mut profile, &turn.into(), at, &said);
        writes.applied(user, applied, profile.version);
    }
    Ok(profile)
}
