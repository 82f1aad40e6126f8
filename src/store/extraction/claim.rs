//! One replica reads a user's turns at a time: what a model is asked costs money, and two replicas
//! that find the same turns would both ask. A claim ends with its time, so that turns which a dead
//! replica had claimed are read by another; nothing else depends on it, for a turn that is read
//! twice still teaches once.

use crate::{
    memory::UserKey,
    store::{entity::extraction, rows::OfUser},
};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    sea_query::Expr,
};
use std::sync::Arc;

/// Turns that one replica is about to have read.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Their rows.
    pub seqs: Vec<i64>,
    /// Which replica.
    pub by: Arc<str>,
    /// Until when, Unix milliseconds.
    pub until_ms: i64,
}

/// How many rows were claimed: all, or none, where another replica reads the user's turns or some
/// are gone. The user's row is locked.
pub(super) async fn claim(
    tx: &DatabaseTransaction,
    user: &UserKey,
    claim: &Claim,
    now_ms: i64,
) -> Result<u64, DbErr> {
    use extraction::Column as C;
    let there = || extraction::Entity::find_of(user).filter(C::Dead.eq(false));
    let taken = there()
        .filter(C::ClaimedUntil.gt(now_ms))
        .filter(C::ClaimedBy.ne(&*claim.by))
        .count(tx);
    let ours = C::Seq.is_in(claim.seqs.iter().copied());
    if taken.await? > 0 || there().filter(ours.clone()).count(tx).await? != claim.seqs.len() as u64
    {
        return Ok(0);
    }
    let update = extraction::Entity::update_many()
        .col_expr(C::ClaimedBy, Expr::value(&*claim.by))
        .col_expr(C::ClaimedUntil, claim.until_ms.into())
        .filter(extraction::Entity::of(user))
        .filter(ours);
    Ok(update.exec(tx).await?.rows_affected)
}

/// They are free again, unless another replica has claimed them since.
pub(super) async fn unclaim(
    tx: &DatabaseTransaction,
    user: &UserKey,
    claim: &Claim,
) -> Result<u64, DbErr> {
    use extraction::Column as C;
    let update = extraction::Entity::update_many()
        .col_expr(C::ClaimedUntil, 0.into())
        .filter(extraction::Entity::of(user))
        .filter(C::Seq.is_in(claim.seqs.iter().copied()))
        .filter(C::ClaimedBy.eq(&*claim.by));
    Ok(update.exec(tx).await?.rows_affected)
}
