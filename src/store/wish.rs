//! The transaction that keeps what a user wants of their memory. Who wants to be remembered no more is
//! learnt from no more: what they stated outright, and have seen in their profile, is settled with the
//! wish; what waits to be read by a model, or to be told to a remote memory, is not going to be. Were
//! it held instead, it would be learnt when they say yes again, long after they said no.

use super::{
    changes::Changes,
    database::Database,
    entity::{extraction, outbox, user},
    rows::{OfUser, lock_users},
    settle::settled,
};
use crate::memory::{MemoryMode, Profile, Rules, Settings, UserKey};
use sea_orm::{DbErr, EntityTrait, QueryFilter};

/// Keeps it; answers with the user's mark, and with their profile where that was settled.
pub async fn set(
    db: &Database,
    of: &UserKey,
    settings: Settings,
    rules: &Rules,
) -> Result<(i64, Option<Profile>), DbErr> {
    let tx = db.begin().await?;
    let mut writes = Changes::default();
    let (mut mark, mut known) = (0, None);
    for (_, row) in lock_users(&tx, [of].into(), 1).await? {
        mark = row.mark;
        if settings.mode(rules.consent) < MemoryMode::On {
            let profile = settled(&tx, of, row.version, usize::MAX, rules, &mut writes).await?;
            writes.version(of, row.version, &profile);
            known = Some(profile);
        }
        let update = user::Entity::update_many();
        let update = update.col_expr(user::Column::Settings, settings.text().into());
        update.filter(user::Entity::of(of)).exec(&tx).await?;
    }
    writes.write(&tx).await?;
    if known.is_some() {
        let waiting = outbox::Entity::delete_many().filter(outbox::Entity::of(of));
        waiting.exec(&tx).await?;
        let unread = extraction::Entity::delete_many().filter(extraction::Entity::of(of));
        unread.exec(&tx).await?;
    }
    tx.commit().await?;
    Ok((mark, known))
}
