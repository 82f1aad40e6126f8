//! The user's own upsert: it settles first what was said before it. Secrets in it are masked, and
//! what looks like an instruction goes to quarantine.

use super::{
    HeldBack, SaidIn, Upsert, Upserted,
    changes::Changes,
    database::Database,
    entity::profile_history,
    import::not_wanted,
    now_ms,
    rows::{OfUser, clean, lock_users},
    settle::settled,
};
use crate::{
    error::Error,
    memory::{
        Applied, Held, MemoryMode, Profile, Rules, Settings, Source, TurnId, UserKey, masked,
        suspicious,
    },
};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, QueryFilter};
use std::collections::BTreeMap;

/// (topic, key) → value; `None` removes.
type Slots = BTreeMap<(String, String), Option<String>>;

/// Settles, then changes the profile as its user asked; answers with it, with what of it was held
/// back, and with the user's mark.
pub async fn upsert(
    db: &Database,
    ask: &Upsert,
    rules: &Rules,
) -> Result<Result<(Upserted, i64), Error>, DbErr> {
    let tx = db.begin().await?;
    let mut writes = Changes::default();
    let mut answer: Result<(Profile, i64), _> = Err(Error::StoreDown);
    for (user, row) in lock_users(&tx, [&ask.user].into(), 1).await? {
        let mut profile = settled(&tx, user, row.version, usize::MAX, rules, &mut writes).await?;
        if ask
            .on_version
            .is_some_and(|version| version != profile.version)
        {
            tx.rollback().await?;
            let current = profile.version;
            return Ok(Err(Error::Stale { current }));
        }
        let least = match ask.said {
            // A user's own word is taken, unless they want no memory at all.
            None => MemoryMode::Read,
            Some(_) => MemoryMode::On,
        };
        let adds = ask.slots.values().any(Option::is_some);
        if adds && Settings::read(&row.settings).mode(rules.consent) < least {
            tx.rollback().await?;
            return Ok(Err(not_wanted()));
        }
        let (mut slots, mut held) = sorted(&ask.slots, ask.said.as_ref());
        let mut changes = match &ask.said {
            None => profile.put(&slots, now_ms()),
            // Said before the user was erased: nothing of it comes back.
            Some(said) if said.at_ms <= row.epoch => {
                held.clear();
                Vec::new()
            }
            Some(said) => {
                for at in taught(&tx, user, &said.turn).await? {
                    slots.remove(&at);
                }
                profile.told(&slots, &said.turn, said.at_ms)
            }
        };
        changes.extend(profile.evict(rules.max_slots, now_ms()));
        if profile.pinned() > rules.max_slots {
            tx.rollback().await?;
            let detail = format!("a profile holds at most {} values", rules.max_slots);
            return Ok(Err(Error::invalid("preferences", detail)));
        }
        writes.applied(user, Applied { changes, held }, profile.version);
        writes.version(user, row.version, &profile);
        answer = Ok((profile, row.mark));
    }
    let held = writes.write(&tx).await?.into_iter();
    tx.commit().await?;
    // What was settled first may have held something back too.
    let turn = ask.said.as_ref().map_or("", |said| &said.turn);
    let quarantined = held.filter(|row| row.turn_id == turn).map(HeldBack::from);
    Ok(answer.map(|(profile, mark)| {
        let quarantined = quarantined.collect();
        (
            Upserted {
                profile,
                quarantined,
            },
            mark,
        )
    }))
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

/// What is taken as it is, without secrets; and what goes to quarantine.
fn sorted(asked: &Slots, said: Option<&SaidIn>) -> (Slots, Vec<Held>) {
    let (mut taken, mut held) = (Slots::new(), Vec::new());
    for (at, value) in asked {
        let value = value.as_deref().map(|v| masked(&clean(v)).into_owned());
        let rule = value.as_deref().and_then(|value| {
            let mut texts = [value, &at.1, &at.0].into_iter();
            texts.find_map(suspicious)
        });
        let (Some(rule), Some(suspect)) = (rule, &value) else {
            taken.insert(at.clone(), value);
            continue;
        };
        held.push(Held {
            at: at.clone(),
            value: suspect.clone(),
            rule,
            source: said.map_or(Source::Put, |said| Source::Said {
                turn: said.turn.clone(),
                quote: String::new(),
            }),
            at_ms: said.map_or_else(now_ms, |said| said.at_ms),
        });
    }
    (taken, held)
}
