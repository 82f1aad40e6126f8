//! The rows of turns that wait to be read by a model: noted with their turn, gone with what they
//! taught, put off where reading failed.

use crate::{
    memory::UserKey,
    store::{
        entity::{extraction, outbox, turn},
        rows::{CHUNK, OfUser, clean},
    },
};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use std::collections::HashSet;

/// The longest error that is kept, in bytes.
const ERROR_BYTES: usize = 300;

/// Notes turns to be read; one that is noted already stays as it is.
pub(in crate::store) async fn insert_unread(
    tx: &DatabaseTransaction,
    rows: &[extraction::ActiveModel],
) -> Result<(), DbErr> {
    use extraction::Column as C;
    for rows in rows.chunks(CHUNK) {
        let once = OnConflict::columns([C::Tenant, C::App, C::UserId, C::TurnId])
            .do_nothing()
            .to_owned();
        extraction::Entity::insert_many(rows.iter().cloned())
            .on_conflict(once)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// The turns among these rows that still wait, and are still kept.
pub(super) async fn still_there(
    tx: &DatabaseTransaction,
    user: &UserKey,
    seqs: &[i64],
) -> Result<HashSet<String>, DbErr> {
    let rows = extraction::Entity::find_of(user)
        .filter(extraction::Column::Seq.is_in(seqs.iter().copied()))
        .filter(extraction::Column::Dead.eq(false))
        .all(tx)
        .await?;
    let ids = rows.into_iter().map(|row| row.turn_id);
    let kept = turn::Entity::find_of(user)
        .select_only()
        .column(turn::Column::TurnId)
        .filter(turn::Column::TurnId.is_in(ids))
        .into_tuple::<String>()
        .all(tx)
        .await?;
    Ok(kept.into_iter().collect())
}

/// They have been read.
pub(super) async fn remove(
    tx: &DatabaseTransaction,
    user: &UserKey,
    seqs: &[i64],
) -> Result<u64, DbErr> {
    let delete = extraction::Entity::delete_many()
        .filter(extraction::Entity::of(user))
        .filter(extraction::Column::Seq.is_in(seqs.iter().copied()));
    Ok(delete.exec(tx).await?.rows_affected)
}

/// They are tried again at that time, or are dead; answers how many there were.
pub(super) async fn fail(
    tx: &DatabaseTransaction,
    user: &UserKey,
    seqs: &[i64],
    error: &str,
    next_at_ms: i64,
    most: i64,
) -> Result<u64, DbErr> {
    use extraction::Column as C;
    let error = &error[..error.floor_char_boundary(ERROR_BYTES)];
    let again = Expr::col(C::Attempts).add(1);
    let update = extraction::Entity::update_many()
        .col_expr(C::Dead, again.clone().gte(most))
        .col_expr(C::Attempts, again)
        .col_expr(C::NextAt, next_at_ms.into())
        .col_expr(C::Error, clean(error).into_owned().into())
        .col_expr(C::ClaimedUntil, 0.into())
        .filter(extraction::Entity::of(user))
        .filter(C::Seq.is_in(seqs.iter().copied()))
        .filter(C::Dead.eq(false));
    Ok(update.exec(tx).await?.rows_affected)
}

/// Dead ones wait again, to be settled and to be read; answers how many of each.
pub(super) async fn requeue(
    tx: &DatabaseTransaction,
    user: &UserKey,
    turn: Option<&str>,
) -> Result<(u64, u64), DbErr> {
    use extraction::Column as C;
    let mut settling = outbox::Entity::update_many()
        .col_expr(outbox::Column::Dead, false.into())
        .filter(outbox::Entity::of(user))
        .filter(outbox::Column::Dead.eq(true));
    let mut reading = extraction::Entity::update_many()
        .col_expr(C::Dead, false.into())
        .col_expr(C::Attempts, 0.into())
        .col_expr(C::NextAt, 0.into())
        .filter(extraction::Entity::of(user))
        .filter(C::Dead.eq(true));
    if let Some(turn) = turn {
        settling = settling.filter(outbox::Column::TurnId.eq(turn));
        reading = reading.filter(C::TurnId.eq(turn));
    }
    let settling = settling.exec(tx).await?.rows_affected;
    Ok((settling, reading.exec(tx).await?.rows_affected))
}
