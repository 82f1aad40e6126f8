//! The transaction that takes over values which were exported elsewhere: those of the profile, those
//! that held before, and those in quarantine.

use crate::{
    memory::{Applied, Held, Named, Profile, Rules, Slot, UserKey, masked, suspicious},
    store::{
        changes::Changes,
        entity::{profile_history, quarantine},
        rows::{OfUser, clean, from_source},
    },
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    DatabaseTransaction, DbErr,
};
use std::collections::HashSet;

/// What was exported of a user beside their turns.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// When it was asked for, Unix milliseconds: an erase that came later wins.
    pub began_ms: i64,
    /// The profile.
    pub slots: Vec<Named>,
    /// What held before, and until when; the last first.
    pub history: Vec<(Named, i64)>,
    /// What was held back.
    pub held: Vec<Named>,
}

/// Applies it; answers how many values are new in the profile.
pub async fn restore(
    tx: &DatabaseTransaction,
    user: &UserKey,
    restored: &Restored,
    profile: &mut Profile,
    rules: &Rules,
    writes: &mut Changes,
) -> Result<u64, DbErr> {
    let slots: Vec<_> = restored.slots.iter().map(plain).collect();
    let mut applied = rules.restore(profile, &slots, rules.clock.now_ms());
    let count = applied.changes.len() as u64;
    applied.held.extend(restored.held.iter().filter_map(held));
    let known = quarantine::Entity::find_of(user).all(tx).await?;
    let mut known: HashSet<_> = known
        .into_iter()
        .map(|row| (row.topic, row.key, row.value))
        .collect();
    let new = |held: &Held| {
        let (topic, key) = held.at.clone();
        known.insert((topic, key, held.value.clone()))
    };
    let held = applied.held.into_iter().filter(new).collect();
    let changes = applied.changes;
    writes.applied(user, Applied { changes, held }, profile.version);

    let known = profile_history::Entity::find_of(user).all(tx).await?;
    let mut known: HashSet<_> = known
        .into_iter()
        .map(|row| (row.topic, row.key, row.valid_from, row.valid_to))
        .collect();
    // The last to be written is the first to be listed.
    for (named, until) in restored.history.iter().rev() {
        let ((topic, key), slot) = plain(named);
        let row = (topic.clone(), key.clone(), slot.valid_from_ms, *until);
        let (Some(value), true) = (slot.value, known.insert(row)) else {
            continue;
        };
        let (pinned, turn_id, quote) = from_source(&slot.source);
        writes.past(profile_history::ActiveModel {
            seq: NotSet,
            tenant: Set(user.tenant.to_string()),
            app: Set(user.app.to_string()),
            user_id: Set(user.user.to_string()),
            topic: Set(topic),
            key: Set(key),
            value: Set(value),
            version: Set(profile.version.cast_signed()),
            pinned: Set(pinned),
            turn_id: Set(turn_id),
            quote: Set(quote),
            valid_from: Set(slot.valid_from_ms),
            valid_to: Set(*until),
        });
    }
    Ok(count)
}

/// Without secrets, and as both databases take it.
fn plain((at, slot): &Named) -> Named {
    let value = slot.value.as_deref();
    let value = value.map(|value| masked(&clean(value)).into_owned());
    (
        at.clone(),
        Slot {
            value,
            ..slot.clone()
        },
    )
}

/// Back where it was, even if no rule minds it any more: nobody has let it go.
fn held(named: &Named) -> Option<Held> {
    let (at, slot) = plain(named);
    let value = slot.value?;
    let rule = [&value, &at.1, &at.0]
        .into_iter()
        .find_map(|text| suspicious(text));
    Some(Held {
        at,
        value,
        rule: rule.unwrap_or("held back before"),
        source: slot.source,
        at_ms: slot.valid_from_ms,
    })
}
