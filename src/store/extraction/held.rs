//! Values that leave quarantine.

use crate::{
    memory::{Change, Fact, Profile, Source, UserKey},
    store::{
        entity::quarantine,
        rows::{OfUser, source},
    },
};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};
use std::collections::BTreeMap;

/// Takes it out of there, if it is there.
pub(super) async fn take(
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

/// Lets it into the profile. It counts as of when it was said or put: a later word stands.
pub(super) fn release(profile: &mut Profile, held: quarantine::Model) -> Vec<Change> {
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
