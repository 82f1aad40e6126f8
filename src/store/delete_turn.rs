//! The transaction that deletes one turn, and what only it supported. A value that the turn taught
//! stays where a later turn states it as well, and is then that turn's; else what it superseded
//! comes back, as if the turn had never been; else a tombstone stands there, so that no older turn
//! teaches the value again.

use super::{
    TurnDeleted,
    changes::Changes,
    database::Database,
    entity::{
        deleted_turn, embedding, extraction, outbox, profile_history, quarantine, turn, user,
    },
    now_ms,
    rows::{OfUser, lock_users, source, taken_away},
    scrub,
    settle::settled,
};
use crate::memory::{Change, Op, Profile, Rules, Slot, Source, TurnId, UserKey, statements};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict},
};

/// (topic, key)
type At = (String, String);

/// Deletes; `None`: there is no such turn. `settles`: what waits is settled here and not at a remote
/// memory.
pub async fn delete_turn(
    db: &Database,
    of: &UserKey,
    id: &TurnId,
    settles: bool,
    rules: &Rules,
) -> Result<Option<TurnDeleted>, DbErr> {
    let most = if settles { usize::MAX } else { 0 };
    let tx = db.begin().await?;
    let mut deleted = TurnDeleted::default();
    for (_, row) in lock_users(&tx, [of].into(), 1).await? {
        let found = turn::Entity::find_of(of).filter(turn::Column::TurnId.eq(&**id));
        if found.one(&tx).await?.is_none() {
            tx.rollback().await?;
            return Ok(None);
        }
        let mut writes = Changes::default();
        let mut profile = settled(&tx, of, row.version, most, rules, &mut writes).await?;
        writes.version(of, row.version, &profile);
        writes.write(&tx).await?;
        let of_turn = |column: turn::Column| column.eq(&**id);
        let turns = turn::Entity::delete_many().filter(turn::Entity::of(of));
        turns
            .filter(of_turn(turn::Column::TurnId))
            .exec(&tx)
            .await?;

        let (before, mut writes) = (profile.version, Changes::default());
        let changes = unsupported(&tx, of, id, &mut profile, &mut deleted).await?;
        profile.version += u64::from(!changes.is_empty());
        writes.changes(of, changes, profile.version);
        writes.version(of, before.cast_signed(), &profile);
        writes.write(&tx).await?;

        deleted.history = forget(&tx, profile_history::Entity, of, {
            profile_history::Column::TurnId.eq(&**id)
        })
        .await?;
        forget(&tx, outbox::Entity, of, outbox::Column::TurnId.eq(&**id)).await?;
        forget(&tx, extraction::Entity, of, {
            extraction::Column::TurnId.eq(&**id)
        })
        .await?;
        forget(&tx, embedding::Entity, of, {
            embedding::Column::TurnId.eq(&**id)
        })
        .await?;
        deleted.quarantine = forget(&tx, quarantine::Entity, of, {
            quarantine::Column::TurnId.eq(&**id)
        })
        .await?;
        taken_away(&tx, of, row.mark).await?;
        bar(&tx, of, id).await?;
    }
    scrub::note(&tx).await?;
    tx.commit().await?;
    Ok(Some(deleted))
}

/// A write-back of the turn that began before now is not kept.
async fn bar(tx: &DatabaseTransaction, of: &UserKey, id: &TurnId) -> Result<(), DbErr> {
    use deleted_turn::Column as C;
    let now = now_ms();
    let row = deleted_turn::Model {
        tenant: of.tenant.to_string(),
        app: of.app.to_string(),
        user_id: of.user.to_string(),
        turn_id: id.to_string(),
        deleted_at: now,
    };
    let mut replace = OnConflict::columns([C::Tenant, C::App, C::UserId, C::TurnId]);
    replace.update_column(C::DeletedAt);
    let insert = deleted_turn::Entity::insert(row.into_active_model()).on_conflict(replace);
    insert.exec_without_returning(tx).await?;
    let update = user::Entity::update_many().col_expr(user::Column::DeletedAt, now.into());
    update.filter(user::Entity::of(of)).exec(tx).await?;
    Ok(())
}

/// What becomes of the slots that the turn taught.
async fn unsupported(
    tx: &DatabaseTransaction,
    of: &UserKey,
    id: &TurnId,
    profile: &mut Profile,
    deleted: &mut TurnDeleted,
) -> Result<Vec<Change>, DbErr> {
    let taught = profile.slots.iter().filter(|(_, slot)| {
        let by = matches!(&slot.source, Source::Said { turn, .. } if turn == id);
        by && slot.value.is_some()
    });
    let taught: Vec<(At, Slot)> = taught.map(|(a, s)| (a.clone(), s.clone())).collect();
    let mut changes = Vec::new();
    for (at, slot) in taught {
        let value = slot.value.clone().unwrap_or_default();
        let after = match supported(tx, of, &at, &value, slot.valid_from_ms).await? {
            Some(later) => later,
            None => {
                deleted.values += 1;
                match superseded(tx, of, id, &at, slot.valid_from_ms).await? {
                    Some(earlier) => {
                        deleted.restored += 1;
                        earlier
                    }
                    None => Slot {
                        value: None,
                        source: Source::Put,
                        valid_from_ms: slot.valid_from_ms,
                    },
                }
            }
        };
        profile.slots.insert(at.clone(), after.clone());
        let before = None; // It never was, so it is no history.
        changes.push(Change { at, before, after });
    }
    Ok(changes)
}

/// The value as a later turn states it.
async fn supported(
    tx: &DatabaseTransaction,
    of: &UserKey,
    at: &At,
    value: &str,
    after_ms: i64,
) -> Result<Option<Slot>, DbErr> {
    let turns = turn::Entity::find_of(of)
        .filter(turn::Column::At.gte(after_ms))
        .filter(turn::Column::Query.contains(value))
        .order_by_asc(turn::Column::At);
    for row in turns.all(tx).await? {
        let said = statements(&row.query).into_iter().find(|said| {
            matches!(&said.op, Op::Set { topic, key, value: v }
                if *topic == at.0 && *key == at.1 && v == value)
        });
        if let Some(said) = said {
            return Ok(Some(Slot {
                value: Some(value.to_owned()),
                source: Source::Said {
                    turn: row.turn_id.into(),
                    quote: said.quote,
                },
                valid_from_ms: row.at,
            }));
        }
    }
    Ok(None)
}

/// The value that the turn superseded; it leaves the history.
async fn superseded(
    tx: &DatabaseTransaction,
    of: &UserKey,
    id: &TurnId,
    at: &At,
    until_ms: i64,
) -> Result<Option<Slot>, DbErr> {
    use profile_history::Column as C;
    let found = profile_history::Entity::find_of(of)
        .filter(C::Topic.eq(&at.0))
        .filter(C::Key.eq(&at.1))
        .filter(C::ValidTo.eq(until_ms))
        .filter(C::TurnId.ne(&**id))
        .order_by_desc(C::Seq)
        .one(tx);
    let Some(row) = found.await? else {
        return Ok(None);
    };
    profile_history::Entity::delete_by_id(row.seq)
        .exec(tx)
        .await?;
    Ok(Some(Slot {
        value: Some(row.value),
        source: source(row.pinned, row.turn_id, row.quote),
        valid_from_ms: row.valid_from,
    }))
}

async fn forget<E: OfUser>(
    tx: &DatabaseTransaction,
    _: E,
    of: &UserKey,
    which: impl Into<Expr>,
) -> Result<u64, DbErr> {
    let delete = E::delete_many().filter(E::of(of)).filter(which.into());
    Ok(delete.exec(tx).await?.rows_affected)
}
