//! Reads of what waits, what is held back and what was spent.

use crate::{
    memory::{
        UserKey,
        extract::{FlushTurn, Gathered},
    },
    store::{
        database::Database,
        entity::{extraction, outbox, quarantine, user_profile},
        rows::OfUser,
    },
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QueryResult, QuerySelect, Statement, sea_query::ExprTrait,
};
use serde::Serialize;
use std::sync::Arc;

/// Turns looked at for one flush.
const MOST_TURNS: i64 = 64;
/// Rows that a list shows.
const MOST_ROWS: u64 = 1_000;

const ROWS: &str = "\
FROM sundynix_extraction e JOIN sundynix_turn t ON t.tenant = e.tenant AND t.app = e.app \
AND t.user_id = e.user_id AND t.turn_id = e.turn_id";
const OF_USER: &str = "e.tenant = $1 AND e.app = $2 AND e.user_id = $3";

/// A turn that waits for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Job {
    /// The turn.
    pub turn: String,
    /// What it waits for.
    pub kind: JobKind,
    /// How it is.
    pub state: JobState,
    /// How often it failed.
    pub attempts: i64,
    /// Why last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it may be tried again, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at_ms: Option<i64>,
    /// When it was kept, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_at_ms: Option<i64>,
}

/// What a turn waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// What it states outright is to be written into the profile.
    Settle,
    /// The extraction model is to read it.
    Extract,
}

/// How a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Its time has not come.
    Waiting,
    /// It failed, and is tried again.
    Retrying,
    /// It failed too often, and stays until it is queued again.
    Dead,
}

/// A value that looks like an instruction to the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Quarantined {
    /// To release or to discard it by.
    pub id: i64,
    /// Topic of the slot.
    pub topic: String,
    /// Key of the slot.
    pub key: String,
    /// The value.
    pub value: String,
    /// What it looks like.
    pub rule: String,
    /// The turn it was said in; none: it was `PUT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// The user's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// When it was said or put, Unix milliseconds.
    pub at_ms: i64,
}

/// Users with turns to read, and how much; of all, or of one.
pub async fn waiting(
    db: &Database,
    of: Option<&UserKey>,
) -> Result<Vec<(UserKey, Gathered)>, DbErr> {
    let (whose, values) = match of {
        Some(user) => (format!("AND {OF_USER}"), values(user)),
        None => (String::new(), Vec::new()),
    };
    let sql = format!(
        "SELECT e.tenant, e.app, e.user_id, CAST(SUM(e.tokens) AS BIGINT) AS tokens, \
         MAX(e.kept_at) AS last_at, MAX(e.next_at) AS next_at {ROWS} \
         WHERE NOT e.dead {whose} GROUP BY e.tenant, e.app, e.user_id"
    );
    let rows = query(db, sql, values).await?;
    let gathered = |row: &QueryResult| {
        let gathered = Gathered {
            tokens: usize::try_from(row.try_get::<i64>("", "tokens")?).unwrap_or_default(),
            last_ms: row.try_get("", "last_at")?,
            not_before_ms: row.try_get("", "next_at")?,
            ..Gathered::default()
        };
        let user = UserKey {
            tenant: row.try_get::<String>("", "tenant")?.into(),
            app: row.try_get::<String>("", "app")?.into(),
            user: row.try_get::<String>("", "user_id")?.into(),
        };
        Ok((user, gathered))
    };
    rows.iter().map(gathered).collect()
}

/// The user's next turns to read, up to about so many tokens. One that failed before is read
/// alone. `going_on`: that conversation has not ended; only what came before it is read.
pub async fn flush(
    db: &Database,
    user: &UserKey,
    tokens: usize,
    going_on: Option<&str>,
) -> Result<Vec<FlushTurn>, DbErr> {
    let sql = format!(
        "SELECT e.seq, e.tokens, e.attempts, t.turn_id, t.conversation, t.at, t.query, t.answer \
         {ROWS} WHERE {OF_USER} AND NOT e.dead ORDER BY e.seq LIMIT {MOST_TURNS}"
    );
    let (mut turns, mut sum) = (Vec::new(), 0);
    for row in query(db, sql, values(user)).await? {
        let text = |column: &str| row.try_get::<String>("", column).map(Arc::<str>::from);
        let turn = FlushTurn {
            seq: row.try_get("", "seq")?,
            id: text("turn_id")?,
            conversation: text("conversation")?,
            at_ms: row.try_get("", "at")?,
            query: text("query")?,
            answer: text("answer")?,
            attempts: row.try_get("", "attempts")?,
        };
        let ended = going_on.is_none_or(|name| *turn.conversation != *name);
        if !turns.is_empty() && (turn.attempts > 0 || !ended) {
            break;
        }
        let alone = turn.attempts > 0;
        sum += usize::try_from(row.try_get::<i64>("", "tokens")?).unwrap_or_default();
        turns.push(turn);
        if alone || sum >= tokens {
            break;
        }
    }
    Ok(turns)
}

/// Users with values that were said before the time given for their topic, and so are over.
pub async fn ended(db: &Database, topics: &[(String, i64)]) -> Result<Vec<UserKey>, DbErr> {
    use user_profile::Column as C;
    let over = topics
        .iter()
        .fold(Condition::any(), |any, (topic, before)| {
            any.add(C::Topic.eq(&**topic).and(C::ValidFrom.lte(*before)))
        });
    let rows = user_profile::Entity::find()
        .select_only()
        .columns([C::Tenant, C::App, C::UserId])
        .distinct()
        .filter(over)
        .filter(C::Value.is_not_null())
        .filter(C::Pinned.eq(false))
        .into_tuple::<(String, String, String)>()
        .all(&db.readers)
        .await?;
    let users = rows.into_iter().map(|(tenant, app, user)| UserKey {
        tenant: tenant.into(),
        app: app.into(),
        user: user.into(),
    });
    Ok(users.collect())
}

/// What waits of one user's turns, the dead included.
pub async fn jobs(db: &Database, user: &UserKey) -> Result<Vec<Job>, DbErr> {
    let settling = outbox::Entity::find_of(user).order_by_asc(outbox::Column::Seq);
    let settling = settling.limit(MOST_ROWS).all(&db.readers).await?;
    let mut jobs: Vec<Job> = settling
        .into_iter()
        .map(|row| Job {
            turn: row.turn_id,
            kind: JobKind::Settle,
            state: match row.dead {
                true => JobState::Dead,
                false => JobState::Waiting,
            },
            attempts: 0,
            error: row.dead.then(|| "the store refuses what it teaches".into()),
            next_at_ms: None,
            kept_at_ms: None,
        })
        .collect();
    let reading = extraction::Entity::find_of(user).order_by_asc(extraction::Column::Seq);
    let reading = reading.limit(MOST_ROWS).all(&db.readers).await?;
    jobs.extend(reading.into_iter().map(|row| Job {
        turn: row.turn_id,
        kind: JobKind::Extract,
        state: match (row.dead, row.attempts) {
            (true, _) => JobState::Dead,
            (false, 0) => JobState::Waiting,
            (false, _) => JobState::Retrying,
        },
        attempts: row.attempts,
        error: Some(row.error).filter(|error| !error.is_empty()),
        next_at_ms: (!row.dead && row.next_at > 0).then_some(row.next_at),
        kept_at_ms: Some(row.kept_at),
    }));
    Ok(jobs)
}

/// What is held back of one user.
pub async fn quarantine(db: &Database, user: &UserKey) -> Result<Vec<Quarantined>, DbErr> {
    let rows = quarantine::Entity::find_of(user).order_by_asc(quarantine::Column::Seq);
    let rows = rows.limit(MOST_ROWS).all(&db.readers).await?;
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let shown = rows.into_iter().map(|row| Quarantined {
        id: row.seq,
        topic: row.topic,
        key: row.key,
        value: row.value,
        rule: row.rule,
        turn: some(row.turn_id),
        quote: some(row.quote),
        at_ms: row.valid_from,
    });
    Ok(shown.collect())
}

fn values(user: &UserKey) -> Vec<sea_orm::Value> {
    let parts = [&user.tenant, &user.app, &user.user];
    parts.map(|part| (&**part).into()).to_vec()
}

async fn query(
    db: &Database,
    sql: String,
    values: Vec<sea_orm::Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    let backend = db.readers.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    db.readers.query_all_raw(statement).await
}
