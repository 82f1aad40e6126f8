//! What was done for somebody else, as it is looked through.

use super::{Store, StoreError, entity::audit};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// One deed.
pub type Noted = audit::Model;

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
