//! What is kept of a user, read page by page: turns and history for those who look through them, and
//! all of it for an export. A page is one statement; the next begins after the last row of this one,
//! so that what is kept or deleted meanwhile neither repeats nor skips anything.

use super::{
    Store, StoreError,
    database::Database,
    entity::{profile_history, quarantine, turn, user},
    rows::{OfUser, from_turn_row},
};
use crate::memory::{KeptTurn, Settings, UserKey};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, sea_query::ExprTrait};
use std::sync::Arc;

/// Which turns.
#[derive(Clone, Debug, Default)]
pub struct TurnsWanted {
    /// Of this conversation only.
    pub conversation: Option<String>,
    /// Older than this one: when it began, and its id.
    pub after: Option<(i64, String)>,
    /// At most so many.
    pub limit: u64,
}

/// Which superseded values.
#[derive(Clone, Debug, Default)]
pub struct HistoryWanted {
    /// Of this topic only.
    pub topic: Option<String>,
    /// Of this key only.
    pub key: Option<String>,
    /// Older than this row.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: u64,
}

/// A value that held once.
pub type Superseded = profile_history::Model;
/// A value in quarantine.
pub type Quarantined = quarantine::Model;

impl Store {
    /// A user's turns, newest first.
    pub async fn turns(
        &self,
        user: &UserKey,
        wanted: TurnsWanted,
    ) -> Result<Vec<KeptTurn>, StoreError> {
        use turn::Column as C;
        let mut select = turn::Entity::find_of(user)
            .order_by_desc(C::At)
            .order_by_desc(C::TurnId)
            .limit(wanted.limit);
        if let Some(conversation) = wanted.conversation {
            select = select.filter(C::Conversation.eq(conversation));
        }
        if let Some((at, id)) = wanted.after {
            let same = C::At.eq(at).and(C::TurnId.lt(id));
            select = select.filter(Condition::any().add(C::At.lt(at)).add(same));
        }
        let read = move |db: Arc<Database>| async move { select.all(&db.readers).await };
        let rows = self.reading(read).await?;
        Ok(rows.into_iter().map(from_turn_row).collect())
    }

    /// A user's superseded and deleted values, the last first.
    pub async fn history(
        &self,
        user: &UserKey,
        wanted: HistoryWanted,
    ) -> Result<Vec<Superseded>, StoreError> {
        use profile_history::Column as C;
        let mut select = profile_history::Entity::find_of(user)
            .order_by_desc(C::Seq)
            .limit(wanted.limit);
        for (column, wanted) in [(C::Topic, wanted.topic), (C::Key, wanted.key)] {
            if let Some(wanted) = wanted {
                select = select.filter(column.eq(wanted));
            }
        }
        if let Some(after) = wanted.after {
            select = select.filter(C::Seq.lt(after));
        }
        self.reading(move |db| async move { select.all(&db.readers).await })
            .await
    }

    /// A user's values in quarantine, after a row.
    pub async fn quarantined(
        &self,
        user: &UserKey,
        after: i64,
        limit: u64,
    ) -> Result<Vec<Quarantined>, StoreError> {
        use quarantine::Column as C;
        let select = quarantine::Entity::find_of(user)
            .filter(C::Seq.gt(after))
            .order_by_asc(C::Seq)
            .limit(limit);
        self.reading(move |db| async move { select.all(&db.readers).await })
            .await
    }

    /// What a user has said of their memory.
    pub async fn settings(&self, user: &UserKey) -> Result<Settings, StoreError> {
        let select = user::Entity::find_of(user);
        let read = move |db: Arc<Database>| async move { select.one(&db.readers).await };
        let row = self.reading(read).await?;
        Ok(row.map_or_else(Settings::default, |row| Settings::read(&row.settings)))
    }
}
