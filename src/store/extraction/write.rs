//! Writes of extraction, each one transaction. What a model read counts only for turns that still
//! wait to be read: a row goes with what it taught, so nothing is applied twice; and a user who was
//! erased meanwhile has no rows, so nothing comes back.

use super::{
    claim::{self, Claim},
    restore::{Restored, restore},
};
use crate::{
    error::Error,
    memory::{
        Applied, Fact, MemoryMode, Profile, Rules, Settings, Source, TurnId, UserKey,
        extract::Spent,
    },
    store::{
        HeldBack,
        changes::Changes,
        database::Database,
        entity::{extraction, outbox, quarantine, turn},
        import::not_wanted,
        ledger::{Cost, spend},
        rows::{CHUNK, OfUser, clean, lock_users, source},
        settle::settled,
    },
};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use std::collections::{BTreeMap, HashSet};

/// The longest error that is kept, in bytes.
const ERROR_BYTES: usize = 300;

/// One write.
#[derive(Clone, Debug)]
pub enum Write {
    /// What a flush taught.
    Learn(Learned),
    /// A flush that came to nothing: tried again at that time, or dead.
    Fail {
        /// Rows of the flush.
        seqs: Vec<i64>,
        /// Why; shows nothing of what was said.
        error: String,
        /// When it may be tried again.
        next_at_ms: i64,
        /// A row that has failed so often is dead.
        most: i64,
        /// What it cost.
        spent: Spent,
    },
    /// These turns are about to be read, by one replica alone.
    Claim(Claim),
    /// They are not, after all.
    Unclaim(Claim),
    /// Dead turns wait again: one, or all.
    Requeue(Option<TurnId>),
    /// A value leaves quarantine for the profile; with a version only if that is what it is at.
    Release(i64, Option<u64>),
    /// A value leaves quarantine for good.
    Discard(i64),
    /// What was said too long ago ends.
    Expire,
    /// Values that were exported elsewhere are taken over.
    Restore(Restored),
}

impl Write {
    /// Whether it may change what is recalled of the user. What does not leaves their mark as it
    /// is, or every replica would read them anew.
    pub(super) fn is_about_the_user(&self) -> bool {
        !matches!(
            self,
            Write::Claim(_) | Write::Unclaim(_) | Write::Fail { .. }
        )
    }
}

/// What a flush taught.
#[derive(Clone, Debug)]
pub struct Learned {
    /// Rows of the flush.
    pub seqs: Vec<i64>,
    /// In the order they were said.
    pub facts: Vec<Fact>,
    /// What it cost.
    pub spent: Spent,
}

/// How a write went.
#[derive(Clone, Debug)]
pub struct Written {
    /// The profile after it, where it may have changed …
    pub profile: Option<Profile>,
    /// … and the user's mark.
    pub mark: i64,
    /// Rows it was about.
    pub count: u64,
    /// Something waits in the outbox.
    pub unsettled: bool,
    /// What went to quarantine.
    pub quarantined: Vec<HeldBack>,
}

/// Writes.
pub async fn write(
    db: &Database,
    of: &UserKey,
    what: &Write,
    rules: &Rules,
) -> Result<Result<Written, Error>, DbErr> {
    let tx = db.begin().await?;
    let mut writes = Changes::default();
    let mut answer = Err(Error::StoreDown);
    let raise = i64::from(what.is_about_the_user());
    for (user, row) in lock_users(&tx, [of].into(), raise).await? {
        let mut written = Written {
            profile: None,
            mark: row.mark,
            count: 0,
            unsettled: false,
            quarantined: Vec::new(),
        };
        match what {
            Write::Learn(Learned { seqs, facts, spent }) => {
                let there = still_there(&tx, user, seqs).await?;
                if !there.is_empty() {
                    let facts = facts.iter().filter(|fact| there.contains(&*fact.turn));
                    let facts: Vec<Fact> = facts.map(cleaned).collect();
                    let mut profile =
                        settled(&tx, user, row.version, usize::MAX, rules, &mut writes).await?;
                    let applied = rules.learn(&mut profile, facts);
                    writes.applied(user, applied, profile.version);
                    writes.version(user, row.version, &profile);
                    written.profile = Some(profile);
                    written.count = remove(&tx, user, seqs).await?;
                    spend(&tx, [(user, rules.clock.day(), Cost::Extraction, *spent)]).await?;
                }
            }
            Write::Fail {
                seqs,
                error,
                next_at_ms,
                most,
                spent,
            } => {
                let failed = fail(&tx, user, seqs, error, *next_at_ms, *most);
                written.count = failed.await?;
                if written.count > 0 {
                    spend(&tx, [(user, rules.clock.day(), Cost::Extraction, *spent)]).await?;
                }
            }
            Write::Claim(claim) => {
                let now = rules.clock.now_ms();
                written.count = claim::claim(&tx, user, claim, now).await?;
            }
            Write::Unclaim(claim) => written.count = claim::unclaim(&tx, user, claim).await?,
            Write::Requeue(turn) => {
                let (settling, reading) = requeue(&tx, user, turn.as_deref()).await?;
                written.count = settling + reading;
                written.unsettled = settling > 0;
            }
            // Their own word, as a `PUT` is.
            Write::Release(..)
                if Settings::read(&row.settings).mode(rules.consent) < MemoryMode::Read =>
            {
                tx.rollback().await?;
                return Ok(Err(not_wanted()));
            }
            Write::Release(id, on_version) => {
                let Some(held) = take(&tx, user, *id).await? else {
                    tx.rollback().await?;
                    return Ok(Err(Error::NotFound("quarantined value")));
                };
                let mut profile =
                    settled(&tx, user, row.version, usize::MAX, rules, &mut writes).await?;
                let current = profile.version;
                if on_version.is_some_and(|version| version != current) {
                    tx.rollback().await?;
                    return Ok(Err(Error::Stale { current }));
                }
                let mut changes = release(&mut profile, held);
                written.count = changes.len() as u64;
                changes.extend(profile.evict(rules.max_slots, rules.clock.now_ms()));
                let applied = Applied {
                    changes,
                    held: Vec::new(),
                };
                writes.applied(user, applied, profile.version);
                writes.version(user, row.version, &profile);
                written.profile = Some(profile);
            }
            Write::Discard(id) => {
                if take(&tx, user, *id).await?.is_none() {
                    tx.rollback().await?;
                    return Ok(Err(Error::NotFound("quarantined value")));
                }
                written.count = 1;
            }
            Write::Restore(restored) if restored.began_ms <= row.epoch => {
                tx.rollback().await?;
                return Ok(Err(Error::Gone("what was known of this user")));
            }
            Write::Restore(_)
                if Settings::read(&row.settings).mode(rules.consent) < MemoryMode::On =>
            {
                tx.rollback().await?;
                return Ok(Err(not_wanted()));
            }
            Write::Restore(restored) => {
                let mut profile =
                    settled(&tx, user, row.version, usize::MAX, rules, &mut writes).await?;
                let restoring = restore(&tx, user, restored, &mut profile, rules, &mut writes);
                written.count = restoring.await?;
                if profile.pinned() > rules.max_slots {
                    tx.rollback().await?;
                    let detail = format!("a profile holds at most {} values", rules.max_slots);
                    return Ok(Err(Error::invalid("profile", detail)));
                }
                writes.version(user, row.version, &profile);
                written.profile = Some(profile);
            }
            Write::Expire => {
                let profile =
                    settled(&tx, user, row.version, usize::MAX, rules, &mut writes).await?;
                writes.version(user, row.version, &profile);
                written.profile = Some(profile);
            }
        }
        answer = Ok(written);
    }
    let held = writes.write(&tx).await?.into_iter();
    tx.commit().await?;
    Ok(answer.map(|written| Written {
        quarantined: held.map(HeldBack::from).collect(),
        ..written
    }))
}

/// The turns among these rows that still wait, and are still kept.
async fn still_there(
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

fn cleaned(fact: &Fact) -> Fact {
    let plain = |text: &String| clean(text).into_owned();
    Fact {
        turn: fact.turn.clone(),
        at_ms: fact.at_ms,
        topic: plain(&fact.topic),
        key: plain(&fact.key),
        value: fact.value.as_ref().map(plain),
        quote: plain(&fact.quote),
    }
}

async fn remove(tx: &DatabaseTransaction, user: &UserKey, seqs: &[i64]) -> Result<u64, DbErr> {
    let delete = extraction::Entity::delete_many()
        .filter(extraction::Entity::of(user))
        .filter(extraction::Column::Seq.is_in(seqs.iter().copied()));
    Ok(delete.exec(tx).await?.rows_affected)
}

async fn fail(
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

async fn requeue(
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

async fn take(
    tx: &DatabaseTransaction,
    user: &UserKey,
    id: i64,
) -> Result<Option<quarantine::Model>, DbErr> {
    let held = quarantine::Entity::find_of(user).filter(quarantine::Column::Seq.eq(id));
    let held = held.one(tx).await?;
    if held.is_some() {
        quarantine::Entity::delete_many()
            .filter(quarantine::Entity::of(user))
            .filter(quarantine::Column::Seq.eq(id))
            .exec(tx)
            .await?;
    }
    Ok(held)
}

/// It counts as of when it was said or put: a later word stands.
fn release(profile: &mut Profile, held: quarantine::Model) -> Vec<crate::memory::Change> {
    let at = (held.topic, held.key);
    match source(held.pinned, held.turn_id, held.quote) {
        Source::Put => {
            let slot = profile.slots.get(&at);
            match slot.is_some_and(|slot| slot.valid_from_ms > held.valid_from) {
                true => Vec::new(),
                false => profile.put(&BTreeMap::from([(at, Some(held.value))]), held.valid_from),
            }
        }
        Source::Said { turn, quote } => profile.learn(&[Fact {
            turn,
            at_ms: held.valid_from,
            topic: at.0,
            key: at.1,
            value: Some(held.value),
            quote,
        }]),
    }
}
