//! The transaction that erases all of a user. What is still under way for them began before the new
//! epoch, and will be dropped wherever it comes from. Of the user's own row stay the id, version,
//! epoch and a wish not to be remembered: without them a late write-back would bring them back, a
//! version would be given twice, and who did not want to be remembered would be.

use super::{
    Erased, Erasure,
    audit::enter,
    changes::Changes,
    database::Database,
    entity::{
        deleted_turn, embedding, extraction, ledger, outbox, profile_history, quarantine, turn,
        user, user_profile,
    },
    now_ms,
    rows::{OfUser, lock_users},
    scrub,
    settle::settled,
};
use crate::{
    error::Error,
    memory::{Rules, Settings, UserKey},
};
use sea_orm::{DatabaseTransaction, DbErr, EntityTrait, QueryFilter};

/// Erases, as it was asked for. `settles`: what waits is settled here and not at a remote memory.
pub async fn erase(
    db: &Database,
    erasure: &Erasure,
    settles: bool,
    rules: &Rules,
) -> Result<Result<Erased, Error>, DbErr> {
    let of = &erasure.user;
    let most = if settles { usize::MAX } else { 0 };
    let tx = db.begin().await?;
    let mut erased = Erased::default();
    for (_, row) in lock_users(&tx, [of].into(), 1).await? {
        // It waited in the spool, and has been done before: what was kept since is not meant.
        if erasure.asked_ms.is_some_and(|asked| asked <= row.epoch) {
            tx.rollback().await?;
            return Ok(Ok(erased));
        }
        // Callers have seen what is not settled yet, under versions that must not come again.
        let mut unwritten = Changes::default();
        let profile = settled(&tx, of, row.version, most, rules, &mut unwritten).await?;
        if erasure
            .on_version
            .is_some_and(|version| version != profile.version)
        {
            tx.rollback().await?;
            let current = profile.version;
            return Ok(Err(Error::Stale { current }));
        }
        let values = profile.slots.values().filter(|slot| slot.value.is_some());
        erased.profile = values.count() as u64;
        delete(&tx, user_profile::Entity, of).await?;
        erased.history = delete(&tx, profile_history::Entity, of).await?;
        erased.outbox = delete(&tx, outbox::Entity, of).await?;
        erased.extraction = delete(&tx, extraction::Entity, of).await?;
        erased.quarantine = delete(&tx, quarantine::Entity, of).await?;
        erased.ledger = delete(&tx, ledger::Entity, of).await?;
        erased.embeddings = delete(&tx, embedding::Entity, of).await?;
        erased.turns = delete(&tx, turn::Entity, of).await?;
        delete(&tx, deleted_turn::Entity, of).await?;
        let version = profile.version + u64::from(erased.profile > 0);
        let settings = Settings::read(&row.settings).after_erase();
        let epoch = erasure.asked_ms.unwrap_or_else(now_ms).max(row.epoch + 1);
        user::Entity::update_many()
            .col_expr(user::Column::Version, version.cast_signed().into())
            .col_expr(user::Column::Epoch, epoch.into())
            .col_expr(user::Column::Settings, settings.text().into())
            .col_expr(user::Column::DeletedAt, 0.into())
            .col_expr(user::Column::DeletedMark, row.mark.into())
            .filter(user::Entity::of(of))
            .exec(&tx)
            .await?;
    }
    if let Some(deed) = &erasure.deed {
        enter(&tx, deed).await?;
    }
    scrub::note(&tx).await?;
    tx.commit().await?;
    Ok(Ok(erased))
}

async fn delete<E: OfUser>(tx: &DatabaseTransaction, _: E, user: &UserKey) -> Result<u64, DbErr> {
    let delete = E::delete_many().filter(E::of(user));
    Ok(delete.exec(tx).await?.rows_affected)
}
