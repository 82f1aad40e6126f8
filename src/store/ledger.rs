//! The ledger: tokens that a user's memory took, by day (UTC) and by what they went for. A write
//! that costs something enters it in its own transaction (`spend`). What costs without a write, as
//! recall does, is tallied here, and written in groups by the committer: nothing is written on the
//! way to the first token, and a request has no transaction for it. A crash forgets the last second.

use super::{
    Store, StoreError,
    attempt::Failure,
    committer::Committer,
    database::Database,
    entity::ledger,
    now_ms,
    rows::{OfUser, lock_users},
};
use crate::memory::{UserKey, extract::Spent};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use serde::Serialize;
use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// Between what is tallied first and its write.
const DELAY: Duration = Duration::from_secs(1);
/// Entries of one write; and of all, which only an outage can make so many.
const PIECE: usize = 512;
const MOST: usize = 100_000;
/// Rows that are read.
const ROWS: u64 = 4_096;

/// What tokens go for. A new kind is a line here, one in `name`, and one in [`Spending::add`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cost {
    /// Calls of the extraction model.
    Extraction,
    /// What recall put into prompts; a call is a prompt.
    Recall,
    /// Texts and questions that an embedding model was asked about; a call is a batch, or a question.
    Embedding,
}

impl Cost {
    /// As it is kept.
    fn name(self) -> &'static str {
        match self {
            Cost::Extraction => "extraction",
            Cost::Recall => "recall",
            Cost::Embedding => "embedding",
        }
    }
}

/// What a user's memory took on one day, in tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Spending {
    /// The day (UTC), as 2026-01-31.
    pub day: String,
    /// Calls of the extraction model.
    pub calls: i64,
    /// Tokens of what it was asked.
    pub prompt_tokens: i64,
    /// Tokens of what it answered.
    pub completion_tokens: i64,
    /// Prompts that something was recalled into.
    pub recalls: i64,
    /// Tokens of what was recalled, profile and memories, as they are estimated for the budgets.
    pub recalled_tokens: i64,
    /// Calls of the embedding model, for what was said and for questions.
    pub embeddings: i64,
    /// Tokens of what it was asked, as estimated.
    pub embedded_tokens: i64,
}

impl Spending {
    /// What was spent on calls of the extraction model: that is what the cap holds back. What is
    /// recalled has its limit in the budgets of each prompt, and an embedding costs next to nothing.
    pub fn on_extraction(&self) -> i64 {
        self.prompt_tokens + self.completion_tokens
    }

    fn add(&mut self, row: &ledger::Model) {
        if row.kind == Cost::Recall.name() {
            self.recalls += row.calls;
            self.recalled_tokens += row.prompt_tokens;
        } else if row.kind == Cost::Embedding.name() {
            self.embeddings += row.calls;
            self.embedded_tokens += row.prompt_tokens;
        } else if row.kind == Cost::Extraction.name() {
            self.calls += row.calls;
            self.prompt_tokens += row.prompt_tokens;
            self.completion_tokens += row.completion_tokens;
        }
    }
}

/// Whose, on which day, for what.
type Item = (UserKey, i64, Cost);

/// What is to be entered: how much, and since when it waits (Unix milliseconds).
type Sums = HashMap<Item, (Spent, i64)>;

/// What was spent and is not written yet.
#[derive(Default)]
pub struct Tally {
    sums: Mutex<Sums>,
    /// There is something.
    pub some: Notify,
}

impl Tally {
    fn note(&self, item: Item, spent: Spent) {
        let mut sums = self.sums();
        if sums.len() >= MOST {
            return;
        }
        let first = sums.is_empty();
        let sum = sums
            .entry(item)
            .or_insert_with(|| (Spent::default(), now_ms()));
        sum.0 += spent;
        drop(sums);
        if first {
            self.some.notify_one();
        }
    }

    /// Nothing of an erased user is entered later.
    pub fn forget(&self, user: &UserKey) {
        self.sums().retain(|(whose, ..), _| whose != user);
    }

    fn take(&self) -> Sums {
        let mut sums = self.sums();
        let some: Vec<_> = sums.keys().take(PIECE).cloned().collect();
        let taken = some.into_iter().filter_map(|item| sums.remove_entry(&item));
        taken.collect()
    }

    fn put_back(&self, taken: &Sums) {
        let mut sums = self.sums();
        for (item, (spent, since)) in taken {
            match sums.entry(item.clone()) {
                Entry::Occupied(mut sum) => sum.get_mut().0 += *spent,
                Entry::Vacant(none) => drop(none.insert((*spent, *since))),
            }
        }
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Something was recalled into a prompt. Never blocks.
    pub fn recalled(&self, user: &UserKey, tokens: usize) {
        self.tally(user, Cost::Recall, tokens);
    }

    /// An embedding model was asked what a question means. Never blocks.
    pub fn asked(&self, user: &UserKey, tokens: usize) {
        self.tally(user, Cost::Embedding, tokens);
    }

    fn tally(&self, user: &UserKey, cost: Cost, tokens: usize) {
        let spent = Spent {
            calls: 1,
            prompt: tokens as u64,
            completion: 0,
        };
        let day = self.shared.rules.clock.day();
        self.shared.tally.note((user.clone(), day, cost), spent);
    }

    /// What a user's memory took, the latest day first; from a day (since 1970) on.
    pub async fn ledger(&self, user: &UserKey, from: i64) -> Result<Vec<Spending>, StoreError> {
        let select = ledger::Entity::find_of(user)
            .filter(ledger::Column::Day.gte(from))
            .order_by_desc(ledger::Column::Day)
            .limit(ROWS);
        let read = move |db: Arc<Database>| async move { select.all(&db.readers).await };
        let rows = self.reading(read).await?;
        let days = rows.chunk_by(|a, b| a.day == b.day).map(|rows| {
            let mut spending = Spending::default();
            for row in rows {
                let at = time::OffsetDateTime::from_unix_timestamp(row.day.saturating_mul(86_400));
                spending.day = at.map(|at| at.date().to_string()).unwrap_or_default();
                spending.add(row);
            }
            spending
        });
        Ok(days.collect())
    }
}

impl Committer {
    /// Enters what was tallied, when its time has come. What a down store does not take waits.
    pub(super) async fn enter(&mut self) -> Result<(), Failure> {
        let taken = Arc::new(self.shared.tally.take());
        self.tally_at = (taken.len() >= PIECE).then(Instant::now);
        if taken.is_empty() {
            return Ok(());
        }
        let (until, ours) = (Instant::now() + self.shared.ack_timeout, taken.clone());
        let done = self.attempt(until, move |db| {
            let taken = ours.clone();
            async move { enter(&db, &taken).await }
        });
        match done.await {
            Ok(()) => Ok(()),
            // Slow is not down: nobody waits for this.
            Err(Failure::Down) => {
                self.shared.tally.put_back(&taken);
                self.tallied();
                self.examine().await
            }
            Err(Failure::Refused) => {
                tracing::error!("the store refuses what memory cost; it is not in the ledger");
                Ok(())
            }
        }
    }

    /// There is something to enter, in a while.
    pub(super) fn tallied(&mut self) {
        self.tally_at.get_or_insert_with(|| Instant::now() + DELAY);
    }
}

/// Of a user who was erased meanwhile, at whichever replica, nothing is entered.
async fn enter(db: &Database, sums: &Sums) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let users: BTreeSet<_> = sums.keys().map(|(user, ..)| user).collect();
    let users: HashMap<_, _> = lock_users(&tx, users, 0).await?.into_iter().collect();
    let there = |user: &UserKey, since: i64| users.get(user).is_some_and(|row| since > row.epoch);
    let sums = sums
        .iter()
        .filter(|((user, ..), (_, since))| there(user, *since));
    let sums = sums.map(|((user, day, cost), (spent, _))| (user, *day, *cost, *spent));
    spend(&tx, sums).await?;
    tx.commit().await
}

/// Adds to the ledger what something took: of a user, a day and a kind once at most.
pub(super) async fn spend<'a>(
    tx: &DatabaseTransaction,
    sums: impl IntoIterator<Item = (&'a UserKey, i64, Cost, Spent)>,
) -> Result<(), DbErr> {
    use ledger::{Column as C, Entity as E};
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let sums = sums.into_iter();
    let sums = sums.filter(|(.., spent)| *spent != Spent::default());
    let rows = sums.map(|(user, day, cost, spent)| ledger::Model {
        tenant: user.tenant.to_string(),
        app: user.app.to_string(),
        user_id: user.user.to_string(),
        day,
        kind: cost.name().into(),
        calls: number(spent.calls),
        prompt_tokens: number(spent.prompt),
        completion_tokens: number(spent.completion),
    });
    let rows: Vec<_> = rows.map(IntoActiveModel::into_active_model).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let more = |column: C| {
        let more = Expr::col(("excluded", column));
        (column, Expr::col((E, column)).add(more))
    };
    let add = OnConflict::columns([C::Tenant, C::App, C::UserId, C::Day, C::Kind])
        .values([C::Calls, C::PromptTokens, C::CompletionTokens].map(more))
        .to_owned();
    let insert = E::insert_many(rows).on_conflict(add);
    insert.exec_without_returning(tx).await?;
    Ok(())
}
