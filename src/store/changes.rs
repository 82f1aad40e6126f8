//! What a transaction is going to write, gathered while it goes through its users, and written in
//! few statements at its end.

use super::{
    entity::{outbox, profile_history, quarantine, user, user_profile},
    now_ms,
    rows::{CHUNK, OfUser, from_source},
};
use crate::memory::{Applied, Change, Held, Profile, Slot, UserKey};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult,
    IntoActiveModel, QueryFilter, QueryTrait,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use std::collections::{BTreeMap, BTreeSet};

/// See the file's head.
#[derive(Default)]
pub struct Changes {
    slots: BTreeMap<(UserKey, (String, String)), (Slot, i64)>,
    history: Vec<profile_history::ActiveModel>,
    held: Vec<quarantine::ActiveModel>,
    versions: Vec<(UserKey, i64)>,
    /// Rows of the outbox that are settled.
    pub settled: Vec<i64>,
}

impl Changes {
    /// What became of what a user said.
    pub fn applied(&mut self, user: &UserKey, applied: Applied, version: u64) {
        self.changes(user, applied.changes, version);
        let held = applied.held.into_iter().map(|held| held_row(user, held));
        self.held.extend(held);
    }

    /// A value that held before, as it was exported elsewhere.
    pub fn past(&mut self, row: profile_history::ActiveModel) {
        self.history.push(row);
    }

    /// Slots that changed.
    pub fn changes(&mut self, user: &UserKey, changes: Vec<Change>, version: u64) {
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

    /// The user's version, if it is another than before.
    pub fn version(&mut self, user: &UserKey, before: i64, profile: &Profile) {
        let version = profile.version.cast_signed();
        if version != before {
            self.versions.push((user.clone(), version));
        }
    }

    /// Writes all of it; answers with what went to quarantine.
    pub async fn write(
        mut self,
        tx: &DatabaseTransaction,
    ) -> Result<Vec<quarantine::Model>, DbErr> {
        let now = now_ms();
        let mut held_back = Vec::new();
        self.date_history(tx).await?;
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
                    held_since: slot.valid_from_ms,
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
        for held in self.held.chunks(CHUNK) {
            let mut insert = quarantine::Entity::insert_many(held.iter().cloned()).into_query();
            for row in tx.query_all(insert.returning_all()).await? {
                held_back.push(quarantine::Model::from_query_result(&row, "")?);
            }
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
        Ok(held_back)
    }
}

impl Changes {
    /// A value holds since it was first said, though its slot moves with each time it is said again.
    async fn date_history(&mut self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        use user_profile::Column as C;
        if self.history.is_empty() {
            return Ok(());
        }
        let users: BTreeSet<_> = self.slots.keys().map(|(user, _)| user.clone()).collect();
        for user in users {
            let moved = user_profile::Entity::find_of(&user)
                .filter(Expr::col(C::HeldSince).not_equals(C::ValidFrom))
                .all(tx);
            for row in moved.await? {
                let of_slot = |history: &&mut profile_history::ActiveModel| {
                    history.user_id.as_ref() == &row.user_id
                        && history.tenant.as_ref() == &row.tenant
                        && history.app.as_ref() == &row.app
                        && history.topic.as_ref() == &row.topic
                        && history.key.as_ref() == &row.key
                        && history.valid_from.as_ref() == &row.valid_from
                };
                let same = self.history.iter_mut().find(of_slot);
                same.into_iter()
                    .for_each(|history| history.valid_from = Set(row.held_since));
            }
        }
        Ok(())
    }
}

fn held_row(user: &UserKey, held: Held) -> quarantine::ActiveModel {
    let (pinned, turn_id, quote) = from_source(&held.source);
    quarantine::ActiveModel {
        seq: NotSet,
        tenant: Set(user.tenant.to_string()),
        app: Set(user.app.to_string()),
        user_id: Set(user.user.to_string()),
        topic: Set(held.at.0),
        key: Set(held.at.1),
        value: Set(held.value),
        rule: Set(held.rule.to_owned()),
        pinned: Set(pinned),
        turn_id: Set(turn_id),
        quote: Set(quote),
        valid_from: Set(held.at_ms),
    }
}

/// The same value said again holds as long as before.
const HELD_SINCE: &str = "CASE WHEN sundynix_user_profile.value = excluded.value \
    THEN sundynix_user_profile.held_since ELSE excluded.held_since END";

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
        .value(C::HeldSince, Expr::cust(HELD_SINCE))
        .to_owned()
}
