//! The transaction that settles: what waits in the outbox becomes profile.

use super::{
    changes::Changes,
    database::Database,
    entity::{outbox, user},
    rows::{OfUser, lock_users, profile},
};
use crate::memory::{Profile, Rules, UserKey, statements};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, Statement,
};

/// Turns of a user that are not settled, in the order they were kept.
const PENDING: &str = "\
SELECT o.seq, t.turn_id, t.at, t.query FROM sundynix_outbox o \
JOIN sundynix_turn t ON t.tenant = o.tenant AND t.app = o.app AND t.user_id = o.user_id \
AND t.turn_id = o.turn_id \
WHERE o.tenant = $1 AND o.app = $2 AND o.user_id = $3 AND NOT o.dead ORDER BY o.seq LIMIT $4";

/// Turns settled in one transaction, so that it ends in time whatever has piled up.
const PIECE: usize = 64;

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
