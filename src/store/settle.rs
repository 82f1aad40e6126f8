//! The transaction that settles: what waits in the outbox becomes profile. Also the user's own
//! upsert and erase, which settle first what was said before them.

use super::{
    Erased, Upsert,
    database::Database,
    entity::{extraction, ledger, outbox, profile_history, quarantine, turn, user, user_profile},
    now_ms,
    rows::{CHUNK, OfUser, clean, from_source, lock_users, profile},
};
use crate::{
    error::Error,
    memory::{Change, Profile, Slot, TurnId, UserKey, statements},
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, Statement,
    sea_query::{Expr, OnConflict},
};
use std::collections::BTreeMap;

/// Turns of a user that are not settled, in the order they were kept.
const PENDING: &str = "\
SELECT o.seq, t.turn_id, t.at, t.query FROM sundynix_outbox o \
JOIN sundynix_turn t ON t.tenant = o.tenant AND t.app = o.app AND t.user_id = o.user_id \
AND t.turn_id = o.turn_id \
WHERE o.tenant = $1 AND o.app = $2 AND o.user_id = $3 AND NOT o.dead ORDER BY o.seq LIMIT $4";

/// Turns settled in one transaction, so that it ends in time whatever has piled up.
const PIECE: usize = 64;

/// Settles a piece of the users' turns; answers whose are all settled.
pub async fn settle(db: &Database, users: &[UserKey]) -> Result<Vec<UserKey>, DbErr> {
    let tx = db.begin().await?;
    let (mut ledger, mut done) = (Ledger::default(), Vec::new());
    for (user, row) in lock_users(&tx, users.iter().collect(), 0).await? {
        let left = PIECE - ledger.settled.len();
        let profile = settled(&tx, user, row.version, left, &mut ledger).await?;
        ledger.version(user, row.version, &profile);
        if ledger.settled.len() >= PIECE {
            break;
        }
        done.push(user.clone());
    }
    ledger.write(&tx).await?;
    tx.commit().await?;
    Ok(done)
}

/// Settles, then changes the profile as its user asked; answers with it and the user's mark.
pub async fn upsert(db: &Database, ask: &Upsert) -> Result<Result<(Profile, i64), Error>, DbErr> {
    let tx = db.begin().await?;
    let mut ledger = Ledger::default();
    let mut answer = Err(Error::StoreDown);
    for (user, row) in lock_users(&tx, [&ask.user].into(), 1).await? {
        let mut profile = settled(&tx, user, row.version, usize::MAX, &mut ledger).await?;
        if ask
            .on_version
            .is_some_and(|version| version != profile.version)
        {
            tx.rollback().await?;
            let current = profile.version;
            return Ok(Err(Error::Stale { current }));
        }
        let slots = ask.slots.iter().map(|(at, value)| {
            let value = value.as_deref().map(|value| clean(value).into_owned());
            (at.clone(), value)
        });
        let mut slots: BTreeMap<_, _> = slots.collect();
        let changes = match &ask.said {
            None => profile.put(&slots, now_ms()),
            // Said before the user was erased: nothing of it comes back.
            Some(said) if said.at_ms <= row.epoch => Vec::new(),
            Some(said) => {
                for at in taught(&tx, user, &said.turn).await? {
                    slots.remove(&at);
                }
                profile.told(&slots, &said.turn, said.at_ms)
            }
        };
        ledger.changes(user, changes, profile.version);
        ledger.version(user, row.version, &profile);
        answer = Ok((profile, row.mark));
    }
    ledger.write(&tx).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Slots whose superseded values came from this turn: it has been heard, and is over.
async fn taught(
    tx: &DatabaseTransaction,
    user: &UserKey,
    turn: &TurnId,
) -> Result<Vec<(String, String)>, DbErr> {
    let of_turn = profile_history::Entity::find_of(user)
        .filter(profile_history::Column::TurnId.eq(&**turn))
        .all(tx);
    let superseded = of_turn.await?.into_iter();
    Ok(superseded.map(|row| (row.topic, row.key)).collect())
}

/// Erases all of a user. What is still under way for them began before the new epoch, and will be
/// dropped wherever it comes from.
pub async fn erase(db: &Database, of: &UserKey) -> Result<Erased, DbErr> {
    let tx = db.begin().await?;
    let mut erased = Erased::default();
    for (_, row) in lock_users(&tx, [of].into(), 1).await? {
        delete(
            &tx,
            user_profile::Entity,
            of,
            user_profile::Column::Value.is_null(),
        )
        .await?;
        let all = || Expr::value(true);
        erased.profile = delete(&tx, user_profile::Entity, of, all()).await?;
        erased.history = delete(&tx, profile_history::Entity, of, all()).await?;
        erased.outbox = delete(&tx, outbox::Entity, of, all()).await?;
        erased.extraction = delete(&tx, extraction::Entity, of, all()).await?;
        erased.quarantine = delete(&tx, quarantine::Entity, of, all()).await?;
        delete(&tx, ledger::Entity, of, all()).await?;
        erased.turns = delete(&tx, turn::Entity, of, all()).await?;
        let version = row.version + i64::from(erased.profile > 0);
        user::Entity::update_many()
            .col_expr(user::Column::Version, version.into())
            .col_expr(user::Column::Epoch, now_ms().max(row.epoch + 1).into())
            .filter(user::Entity::of(of))
            .exec(&tx)
            .await?;
    }
    tx.commit().await?;
    Ok(erased)
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

/// Gives a user's outbox up: it failed whenever it was tried.
pub async fn bury(db: &Database, of: &UserKey) -> Result<(), DbErr> {
    let update = outbox::Entity::update_many().col_expr(outbox::Column::Dead, true.into());
    update
        .filter(outbox::Entity::of(of))
        .exec(&db.writer)
        .await?;
    Ok(())
}

/// The user's profile once `most` turns of their outbox are settled; what that changes goes into the ledger.
async fn settled(
    tx: &DatabaseTransaction,
    user: &UserKey,
    version: i64,
    most: usize,
    ledger: &mut Ledger,
) -> Result<Profile, DbErr> {
    let mut profile = profile(tx, user, version).await?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut values = vec![];
    values.extend([&user.tenant, &user.app, &user.user].map(|part| (&**part).into()));
    values.push(most.into());
    let pending = Statement::from_sql_and_values(tx.get_database_backend(), PENDING, values);
    for row in tx.query_all_raw(pending).await? {
        ledger.settled.push(row.try_get("", "seq")?);
        let turn: String = row.try_get("", "turn_id")?;
        let query: String = row.try_get("", "query")?;
        let said = statements(&query);
        let changes = profile.apply(&turn.into(), row.try_get("", "at")?, &said);
        ledger.changes(user, changes, profile.version);
    }
    Ok(profile)
}

async fn delete<E: OfUser>(
    tx: &DatabaseTransaction,
    _: E,
    user: &UserKey,
    which: Expr,
) -> Result<u64, DbErr> {
    let delete = E::delete_many().filter(E::of(user)).filter(which);
    Ok(delete.exec(tx).await?.rows_affected)
}

/// What a transaction is going to write, in few statements at its end.
#[derive(Default)]
struct Ledger {
    slots: BTreeMap<(UserKey, (String, String)), (Slot, i64)>,
    history: Vec<profile_history::ActiveModel>,
    versions: Vec<(UserKey, i64)>,
    settled: Vec<i64>,
}

impl Ledger {
    fn changes(&mut self, user: &UserKey, changes: Vec<Change>, version: u64) {
        let version = version.cast_signed();
        for change in changes {
            if let Some((before, value)) = change.superseded() {
                let (pinned, turn_id, quote) = from_source(&before.source);
                self.history.push(profile_history::ActiveModel {
                    seq: NotSet,
                    tenant: Set(user.tenant.to_string()),
                    app: Set(user.app.to_string()),
                    user_id: Set(user.user.to_string()),
                    topic: Set(change.at.0.clone()),
                    key: Set(change.at.1.clone()),
                    value: Set(value.to_owned()),
                    version: Set(version),
                    pinned: Set(pinned),
                    turn_id: Set(turn_id),
                    quote: Set(quote),
                    valid_from: Set(before.valid_from_ms),
                    valid_to: Set(change.after.valid_from_ms),
                });
            }
            self.slots
                .insert((user.clone(), change.at), (change.after, version));
        }
    }

    fn version(&mut self, user: &UserKey, before: i64, profile: &Profile) {
        let version = profile.version.cast_signed();
        if version != before {
            self.versions.push((user.clone(), version));
        }
    }

    async fn write(self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        let now = now_ms();
        let slots = self
            .slots
            .into_iter()
            .map(|((user, (topic, key)), (slot, version))| {
                let (pinned, turn_id, quote) = from_source(&slot.source);
                let row = user_profile::Model {
                    tenant: user.tenant.to_string(),
                    app: user.app.to_string(),
                    user_id: user.user.to_string(),
                    topic,
                    key,
                    value: slot.value,
                    version,
                    pinned,
                    turn_id,
                    quote,
                    valid_from: slot.valid_from_ms,
                    updated_at: now,
                };
                row.into_active_model()
            });
        for slots in slots.collect::<Vec<_>>().chunks(CHUNK) {
            let insert = user_profile::Entity::insert_many(slots.iter().cloned());
            let insert = insert.on_conflict(replace_slot());
            insert.exec_without_returning(tx).await?;
        }
        for history in self.history.chunks(CHUNK) {
            let insert = profile_history::Entity::insert_many(history.iter().cloned());
            insert.exec_without_returning(tx).await?;
        }
        for (user, version) in self.versions {
            let update = user::Entity::update_many();
            let update = update.col_expr(user::Column::Version, version.into());
            update.filter(user::Entity::of(&user)).exec(tx).await?;
        }
        for settled in self.settled.chunks(CHUNK) {
            let delete = outbox::Entity::delete_many();
            let seqs = settled.iter().copied();
            delete
                .filter(outbox::Column::Seq.is_in(seqs))
                .exec(tx)
                .await?;
        }
        Ok(())
    }
}

fn replace_slot() -> OnConflict {
    use user_profile::Column as C;
    OnConflict::columns([C::Tenant, C::App, C::UserId, C::Topic, C::Key])
        .update_columns([
            C::Value,
            C::Version,
            C::Pinned,
            C::TurnId,
            C::Quote,
            C::ValidFrom,
            C::UpdatedAt,
        ])
        .to_owned()
}
