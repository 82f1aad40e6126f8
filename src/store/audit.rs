//! What was done for somebody else, as it is looked through.

use super::{Deed, Store, StoreError, entity::audit, now_ms};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

/// One deed.
pub type Noted = audit::Model;

/// Enters a deed.
pub(super) async fn enter(db: &impl ConnectionTrait, deed: &Deed) -> Result<(), DbErr> {
    let row = audit::ActiveModel {
        seq: NotSet,
        at: Set(now_ms()),
        tenant: Set("default".into()),
        actor: Set(deed.actor.clone()),
        request_id: Set(deed.request_id.clone()),
        action: Set(deed.action.to_string()),
        subject: Set(deed.subject.clone()),
    };
    let insert = audit::Entity::insert(row);
    insert.exec_without_returning(db).await.map(drop)
}

impl Store {
    /// The last first; of one subject only, older than a row, where asked.
    pub async fn audit(
        &self,
        subject: Option<String>,
        after: Option<i64>,
        limit: u64,
    ) -> Result<Vec<Noted>, StoreError> {
        use audit::Column as C;
        let mut select = audit::Entity::find().order_by_desc(C::Seq).limit(limit);
        if let Some(subject) = subject {
            select = select.filter(C::Subject.eq(subject));
        }
        if let Some(after) = after {
            select = select.filter(C::Seq.lt(after));
        }
        self.reading(move |db| async move { select.all(&db.readers).await })
            .await
    }
}
