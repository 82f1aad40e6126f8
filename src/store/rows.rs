//! Between rows and what memory calls them; and the lock that every writing transaction takes
//! first: the rows of its users, in the order of their keys, so that replicas never deadlock.

use super::entity::{extraction, outbox, turn, user, user_profile};
use crate::memory::{KeptTurn, Profile, Slot, Source, TurnId, TurnStatus, UserKey, Writeback};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult,
    QueryFilter, Select,
    sea_query::{Expr, ExprTrait, OnConflict, Query, SimpleExpr},
};
use std::{borrow::Cow, collections::BTreeSet};

/// Rows of one insert: databases bound the parameters of a statement.
pub const CHUNK: usize = 1_000;

/// Locks the users' rows, making those that are missing, and raises their marks by `raise`.
/// Answers in the order of the keys.
pub async fn lock_users<'a>(
    tx: &DatabaseTransaction,
    users: BTreeSet<&'a UserKey>,
    raise: i64,
) -> Result<Vec<(&'a UserKey, user::Model)>, DbErr> {
    use user::Column as C;
    // The other columns of a new row have their defaults.
    let mut insert = Query::insert();
    insert
        .into_table(user::Entity)
        .columns([C::Tenant, C::App, C::UserId, C::Mark]);
    for user in &users {
        let key = [&user.tenant, &user.app, &user.user].map(|part| Expr::val(&**part));
        insert.values_panic(key.into_iter().chain([Expr::val(raise)]));
    }
    let raised = Expr::col((user::Entity, C::Mark)).add(raise);
    let mut taken = OnConflict::columns([C::Tenant, C::App, C::UserId]);
    insert.on_conflict(taken.value(C::Mark, raised).to_owned());
    let rows = tx.query_all(insert.returning_all()).await?;
    let rows = rows
        .iter()
        .map(|row| user::Model::from_query_result(row, ""));
    let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
    rows.sort_by(|a, b| (&a.tenant, &a.app, &a.user_id).cmp(&(&b.tenant, &b.app, &b.user_id)));
    if rows.len() != users.len() {
        return Err(DbErr::Custom("a user's row is missing".into()));
    }
    Ok(users.into_iter().zip(rows).collect())
}

/// What the tables of a user's rows have in common.
pub trait OfUser: EntityTrait {
    /// (tenant, app, user_id)
    fn owner() -> (Self::Column, Self::Column, Self::Column);

    /// Whether a row is the user's.
    fn of(user: &UserKey) -> SimpleExpr {
        let (tenant, app, id) = Self::owner();
        tenant
            .eq(&*user.tenant)
            .and(app.eq(&*user.app))
            .and(id.eq(&*user.user))
    }

    /// The user's rows.
    fn find_of(user: &UserKey) -> Select<Self> {
        Self::find().filter(Self::of(user))
    }
}

macro_rules! of_user {
    ($($table:ident)*) => {$(
        impl OfUser for super::entity::$table::Entity {
            fn owner() -> (Self::Column, Self::Column, Self::Column) {
                type Column = super::entity::$table::Column;
                (Column::Tenant, Column::App, Column::UserId)
            }
        }
    )*};
}
of_user!(user user_profile profile_history turn outbox extraction quarantine ledger deleted_turn embedding);

/// Notes, under the lock, that something was taken away: whoever knows the user as of an earlier mark
/// has to read all of them anew.
pub async fn taken_away(tx: &DatabaseTransaction, user: &UserKey, mark: i64) -> Result<(), DbErr> {
    let update = user::Entity::update_many();
    let update = update.col_expr(user::Column::DeletedMark, mark.into());
    update
        .filter(user::Entity::of(user))
        .exec(tx)
        .await
        .map(drop)
}

/// Text as both databases take it: PostgreSQL knows no NUL.
pub fn clean(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => text.replace('\0', "\u{FFFD}").into(),
        false => text.into(),
    }
}

/// A write-back as it will be recalled, under `id`.
pub fn kept_turn(writeback: &Writeback, id: TurnId) -> KeptTurn {
    KeptTurn {
        id,
        conversation: writeback.conversation.clone(),
        at_ms: writeback.began_ms,
        query: writeback.query.clone(),
        answer: writeback.answer.as_str().into(),
        role: "".into(),
        status: writeback.status,
    }
}

/// The row of a turn, written at its user's `mark`.
pub fn turn_row(user: &UserKey, kept: &KeptTurn, mark: i64) -> turn::ActiveModel {
    turn::ActiveModel {
        tenant: Set(user.tenant.to_string()),
        app: Set(user.app.to_string()),
        user_id: Set(user.user.to_string()),
        turn_id: Set(kept.id.to_string()),
        conversation: Set(kept.conversation.to_string()),
        at: Set(kept.at_ms),
        query: Set(kept.query.to_string()),
        answer: Set(kept.answer.to_string()),
        role: Set(kept.role.to_string()),
        complete: Set(kept.status == TurnStatus::Complete),
        kept_at: Set(kept.at_ms),
        mark: Set(mark),
    }
}

/// A turn as it was kept.
pub fn from_turn_row(row: turn::Model) -> KeptTurn {
    KeptTurn {
        id: row.turn_id.into(),
        conversation: row.conversation.into(),
        at_ms: row.at,
        query: row.query.into(),
        answer: row.answer.into(),
        role: row.role.into(),
        status: status(row.complete),
    }
}

/// Whole or cut.
pub fn status(complete: bool) -> TurnStatus {
    match complete {
        true => TurnStatus::Complete,
        false => TurnStatus::Partial,
    }
}

/// The note that a turn is still to be settled.
pub fn outbox_row(user: &UserKey, turn: &TurnId) -> outbox::ActiveModel {
    outbox::ActiveModel {
        seq: NotSet,
        tenant: Set(user.tenant.to_string()),
        app: Set(user.app.to_string()),
        user_id: Set(user.user.to_string()),
        turn_id: Set(turn.to_string()),
        dead: Set(false),
    }
}

/// The note that a turn is still to be read by the extraction model.
pub fn extraction_row(
    user: &UserKey,
    turn: &TurnId,
    tokens: usize,
    kept_at: i64,
) -> extraction::ActiveModel {
    extraction::ActiveModel {
        seq: NotSet,
        tenant: Set(user.tenant.to_string()),
        app: Set(user.app.to_string()),
        user_id: Set(user.user.to_string()),
        turn_id: Set(turn.to_string()),
        tokens: Set(i64::try_from(tokens).unwrap_or(i64::MAX)),
        kept_at: Set(kept_at),
        attempts: Set(0),
        next_at: Set(0),
        error: Set(String::new()),
        dead: Set(false),
        claimed_by: Set(String::new()),
        claimed_until: Set(0),
    }
}

/// Where a slot's value came from, as (pinned, turn_id, quote).
pub fn from_source(source: &Source) -> (bool, String, String) {
    match source {
        Source::Put => (true, String::new(), String::new()),
        Source::Said { turn, quote } => (false, turn.to_string(), quote.clone()),
    }
}

/// And back.
pub fn source(pinned: bool, turn: String, quote: String) -> Source {
    match pinned {
        true => Source::Put,
        false => Source::Said {
            turn: turn.into(),
            quote,
        },
    }
}

/// The settled profile, tombstones included.
pub async fn profile(
    tx: &DatabaseTransaction,
    user: &UserKey,
    version: i64,
) -> Result<Profile, DbErr> {
    let rows = user_profile::Entity::find_of(user).all(tx).await?;
    let slots = rows.into_iter().map(|row| {
        let slot = Slot {
            value: row.value,
            source: source(row.pinned, row.turn_id, row.quote),
            valid_from_ms: row.valid_from,
        };
        ((row.topic, row.key), slot)
    });
    Ok(Profile {
        version: version.unsigned_abs(),
        slots: slots.collect(),
    })
}
