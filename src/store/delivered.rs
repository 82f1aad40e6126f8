//! The outbox where profiles are kept by a remote memory: what is in it waits to be told there, and
//! leaves it once it was.

use super::{
    Delivered,
    changes::Changes,
    database::Database,
    entity::{outbox, turn},
    rows::{OfUser, lock_users},
};
use crate::memory::{Applied, Profile, Rules, Untold, UserKey, statements};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, Statement,
};

/// What waits, of everybody, in the order it was kept.
const PENDING: &str = "\
SELECT o.tenant, o.app, o.user_id, t.turn_id, t.at, t.query FROM sundynix_outbox o \
JOIN sundynix_turn t ON t.tenant = o.tenant AND t.app = o.app AND t.user_id = o.user_id \
AND t.turn_id = o.turn_id WHERE NOT o.dead ORDER BY o.seq";

/// What an earlier run, or one without a remote memory, left in the outbox.
pub async fn pending(db: &Database) -> Result<Vec<(UserKey, Untold)>, DbErr> {
    let backend = db.readers.get_database_backend();
    let pending = Statement::from_string(backend, PENDING);
    let rows = db.readers.query_all_raw(pending).await?;
    let read = rows.iter().map(|row| {
        let text = |column: &str| row.try_get::<String>("", column);
        let user = UserKey {
            tenant: text("tenant")?.into(),
            app: text("app")?.into(),
            user: text("user_id")?.into(),
        };
        let untold = Untold {
            turn: text("turn_id")?.into(),
            at_ms: row.try_get("", "at")?,
            said: statements(&text("query")?).into(),
        };
        Ok((user, untold))
    });
    read.collect()
}

/// A turn leaves the outbox, or is put aside; what of it looks like an instruction was not told,
/// and goes to quarantine.
pub async fn delivered(db: &Database, done: &Delivered, rules: &Rules) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    for (user, _) in lock_users(&tx, [&done.user].into(), 0).await? {
        let of_turn = || outbox::Entity::of(user).and(outbox::Column::TurnId.eq(&*done.turn));
        if done.dead {
            let bury = outbox::Entity::update_many().col_expr(outbox::Column::Dead, true.into());
            bury.filter(of_turn()).exec(&tx).await?;
            continue;
        }
        let gone = outbox::Entity::delete_many().filter(of_turn());
        if gone.exec(&tx).await?.rows_affected == 0 {
            continue;
        }
        let kept = turn::Entity::find_of(user).filter(turn::Column::TurnId.eq(&*done.turn));
        if let Some(turn) = kept.one(&tx).await? {
            let said = statements(&turn.query);
            let held = rules
                .apply(&mut Profile::default(), &done.turn, turn.at, &said)
                .held;
            let applied = Applied {
                held,
                ..Applied::default()
            };
            let mut writes = Changes::default();
            writes.applied(user, applied, 0);
            writes.write(&tx).await?;
        }
    }
    tx.commit().await
}
