//! A profile as it was: of each slot the value that held at a moment, among those that hold now, those
//! that were superseded, and those that are not settled yet.

use super::{
    Store, StoreError,
    database::Database,
    entity::{profile_history, user_profile},
    rows::{OfUser, source},
};
use crate::memory::{Profile, Slot, UserKey};
use sea_orm::{ColumnTrait, QueryFilter};
use std::{collections::BTreeMap, sync::Arc};

/// (topic, key) → since when it holds, the slot, and until when.
type Latest = BTreeMap<(String, String), (i64, Slot, Option<i64>)>;

impl Store {
    /// A user's profile as of a moment, Unix milliseconds. Its version is not known any more.
    pub async fn past(&self, user: &UserKey, at_ms: i64) -> Result<Profile, StoreError> {
        let now = self.resident(user).await?;
        let slots = user_profile::Entity::find_of(user);
        let history = profile_history::Entity::find_of(user)
            .filter(profile_history::Column::ValidFrom.lte(at_ms));
        let read = move |db: Arc<Database>| async move {
            let slots = slots.all(&db.readers).await?;
            Ok((slots, history.all(&db.readers).await?))
        };
        let (slots, history) = self.reading(read).await?;

        let mut latest = Latest::new();
        let mut enter = |at: (String, String), since: i64, slot: Slot, until: Option<i64>| {
            if since > at_ms {
                return;
            }
            match latest.get(&at) {
                Some((known, ..)) if *known > since => {}
                _ => drop(latest.insert(at, (since, slot, until))),
            }
        };
        for row in history {
            let slot = Slot {
                value: Some(row.value),
                source: source(row.pinned, row.turn_id, row.quote),
                valid_from_ms: row.valid_from,
            };
            enter(
                (row.topic, row.key),
                row.valid_from,
                slot,
                Some(row.valid_to),
            );
        }
        for row in slots {
            let slot = Slot {
                value: row.value,
                source: source(row.pinned, row.turn_id, row.quote),
                valid_from_ms: row.held_since,
            };
            enter((row.topic, row.key), row.held_since, slot, None);
        }
        for (at, slot) in &now.profile.slots {
            enter(at.clone(), slot.valid_from_ms, slot.clone(), None);
        }
        let held = latest.into_iter().filter(|(_, (_, slot, until))| {
            slot.value.is_some() && until.is_none_or(|until| at_ms < until)
        });
        Ok(Profile {
            version: 0,
            slots: held.map(|(at, (_, slot, _))| (at, slot)).collect(),
        })
    }
}
