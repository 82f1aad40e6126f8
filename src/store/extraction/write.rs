//! Writes of extraction, each one transaction. What a model read counts only for turns that still
//! wait to be read: a row goes with what it taught, so nothing is applied twice; and a user who was
//! erased meanwhile has no rows, so nothing comes back.

use super::{
    claim::{self, Claim},
    held::{release, take},
    restore::{Restored, restore},
    unread::{fail, remove, requeue, still_there},
};
use crate::{
    error::Error,
    memory::{
        Applied, Fact, MemoryMode, Profile, Rules, Settings, TurnId, UserKey, extract::Spent,
    },
    store::{
        HeldBack,
        changes::Changes,
        database::Database,
        import::not_wanted,
        ledger::{Cost, spend},
        rows::{clean, lock_users},
        settle::settled,
    },
};
use sea_orm::DbErr;

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
