//! What the store knows of vectors: which texts lack one, those that a user has, and the write that
//! keeps some. A vector is kept only for a text that is still there and still the same: one of a
//! turn that was erased, deleted or answered anew meanwhile is dropped.

use super::{
    attempt::Failure,
    committer::Committer,
    database::Database,
    entity::{embedding, turn, user},
    ledger::{Cost, spend},
    rows::{OfUser, lock_users},
};
use crate::{
    error::Error,
    memory::{
        INDEXED_TURNS, MemoryMode, Settings, TurnId, UserKey, Vector, est_tokens, extract::Spent,
    },
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QuerySelect, Statement,
    sea_query::{ExprTrait, OnConflict},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};
use tokio::time::Instant;

/// A text of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Whose.
    pub user: UserKey,
    /// The turn it belongs to.
    pub turn: TurnId,
    /// It is what was answered, and not what the user said.
    pub answer: bool,
    /// What it says.
    pub text: Arc<str>,
}

/// What some texts mean; `None`: the model refuses the text.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// Whose vectors they are.
    pub model: Arc<str>,
    /// Each with its vector.
    pub texts: Vec<(Text, Option<Vector>)>,
}

/// Of the newest turns, those of which a side has no vector.
const LACKING: &str = "\
SELECT t.turn_id, t.query, t.answer, \
CAST(CASE WHEN q.turn_id IS NULL THEN 1 ELSE 0 END AS BIGINT) AS q, \
CAST(CASE WHEN a.turn_id IS NULL THEN 1 ELSE 0 END AS BIGINT) AS a \
FROM (SELECT turn_id, query, answer, at FROM sundynix_turn \
WHERE tenant = $1 AND app = $2 AND user_id = $3 ORDER BY at DESC, turn_id DESC LIMIT $6) t \
LEFT JOIN sundynix_embedding q ON q.tenant = $1 AND q.app = $2 AND q.user_id = $3 \
AND q.turn_id = t.turn_id AND NOT q.answer AND q.model = $4 \
AND ($5 = 0 OR q.dims = 0 OR q.dims = $5) \
LEFT JOIN sundynix_embedding a ON a.tenant = $1 AND a.app = $2 AND a.user_id = $3 \
AND a.turn_id = t.turn_id AND a.answer AND a.model = $4 \
AND ($5 = 0 OR a.dims = 0 OR a.dims = $5) \
WHERE (t.query <> '' AND q.turn_id IS NULL) OR (t.answer <> '' AND a.turn_id IS NULL) \
ORDER BY t.at DESC, t.turn_id DESC LIMIT $7";

/// The user's texts that lack a vector of the model, the newest first, `most` of them or one more.
/// None of a user who wants nothing of memory.
pub async fn lacking(
    db: &Database,
    of: &UserKey,
    model: &str,
    dims: usize,
    most: usize,
    consent: crate::config::Consent,
) -> Result<Vec<Text>, DbErr> {
    let row = user::Entity::find_of(of).one(&db.readers).await?;
    let wants = row.map(|row| Settings::read(&row.settings).mode(consent));
    if wants.is_none_or(|mode| mode == MemoryMode::Off) {
        return Ok(Vec::new());
    }
    let mut values = owner(of);
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX).into();
    values.push(model.into());
    values.extend([dims, INDEXED_TURNS, most].map(number));
    let mut texts = Vec::new();
    for row in query(db, LACKING, values).await? {
        let turn: TurnId = row.try_get::<String>("", "turn_id")?.into();
        for (answer, lacks, said) in [(false, "q", "query"), (true, "a", "answer")] {
            let text: String = row.try_get("", said)?;
            if row.try_get::<i64>("", lacks)? != 0 && !text.is_empty() && texts.len() <= most {
                texts.push(Text {
                    user: of.clone(),
                    turn: turn.clone(),
                    answer,
                    text: text.into(),
                });
            }
        }
    }
    Ok(texts)
}

/// The next users after one, in the order of their keys.
pub async fn users(
    db: &Database,
    after: Option<&UserKey>,
    most: usize,
) -> Result<Vec<UserKey>, DbErr> {
    let none = UserKey {
        tenant: "".into(),
        app: "".into(),
        user: "".into(),
    };
    let sql = format!(
        "SELECT tenant, app, user_id FROM sundynix_user \
         WHERE (tenant, app, user_id) > ($1, $2, $3) \
         ORDER BY tenant, app, user_id LIMIT {most}"
    );
    let rows = query(db, &sql, owner(after.unwrap_or(&none))).await?;
    let users = rows.iter().map(|row| {
        let text = |column: &str| row.try_get::<String>("", column);
        Ok(UserKey {
            tenant: text("tenant")?.into(),
            app: text("app")?.into(),
            user: text("user_id")?.into(),
        })
    });
    users.collect()
}

/// What is known of a user's texts, as far as it was kept after a mark: (turn, whether it is the
/// answer, vector if it is not refused).
pub async fn vectors(
    db: &Database,
    of: &UserKey,
    model: &str,
    dims: usize,
    since: i64,
) -> Result<Vec<(TurnId, bool, Option<Vector>)>, DbErr> {
    let sql = "SELECT turn_id, CAST(CASE WHEN answer THEN 1 ELSE 0 END AS BIGINT) AS answer, vector \
               FROM sundynix_embedding WHERE tenant = $1 AND app = $2 AND user_id = $3 \
               AND model = $4 AND ($5 = 0 OR dims = 0 OR dims = $5) AND mark > $6";
    let mut values = owner(of);
    values.push(model.into());
    values.push(i64::try_from(dims).unwrap_or(i64::MAX).into());
    values.push(since.into());
    let rows = query(db, sql, values).await?;
    let vectors = rows.iter().map(|row| {
        let turn = row.try_get::<String>("", "turn_id")?.into();
        let vector: Vec<u8> = row.try_get("", "vector")?;
        let answer = row.try_get::<i64>("", "answer")? != 0;
        Ok((turn, answer, Vector::from_bytes(&vector)))
    });
    vectors.collect()
}

fn owner(of: &UserKey) -> Vec<sea_orm::Value> {
    let parts = [&of.tenant, &of.app, &of.user];
    parts.map(|part| (&**part).into()).to_vec()
}

async fn query(
    db: &Database,
    sql: &str,
    values: Vec<sea_orm::Value>,
) -> Result<Vec<sea_orm::QueryResult>, DbErr> {
    let backend = db.readers.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    db.readers.query_all_raw(statement).await
}

/// Each user's mark after the write, and which of the texts were kept.
type Kept = Vec<(UserKey, i64, Vec<usize>)>;

async fn write(db: &Database, embedded: &Embedded, day: i64) -> Result<Kept, DbErr> {
    let mut of_user: BTreeMap<&UserKey, Vec<usize>> = BTreeMap::new();
    for (at, (text, _)) in embedded.texts.iter().enumerate() {
        of_user.entry(&text.user).or_default().push(at);
    }
    let tx = db.begin().await?;
    let (mut kept, mut rows) = (Kept::new(), Vec::new());
    let users: BTreeSet<_> = of_user.keys().copied().collect();
    for (user, row) in lock_users(&tx, users, 1).await? {
        let mut texts = of_user.remove(user).unwrap_or_default();
        let there = there(&tx, user, &texts, embedded).await?;
        texts.retain(|&at| {
            let text = &embedded.texts[at].0;
            there
                .get(&*text.turn)
                .is_some_and(|sides| sides[usize::from(text.answer)] == *text.text)
        });
        let tokens = texts
            .iter()
            .map(|&at| est_tokens(&embedded.texts[at].0.text));
        let spent = Spent {
            calls: u64::from(!texts.is_empty()),
            prompt: tokens.sum::<usize>() as u64,
            completion: 0,
        };
        spend(&tx, [(user, day, Cost::Embedding, spent)]).await?;
        rows.extend(texts.iter().map(|&at| self::row(embedded, at, row.mark)));
        kept.push((user.clone(), row.mark, texts));
    }
    if !rows.is_empty() {
        use embedding::Column as C;
        let replace = OnConflict::columns([C::Tenant, C::App, C::UserId, C::TurnId, C::Answer])
            .update_columns([C::Model, C::Dims, C::Vector, C::Mark])
            .to_owned();
        let insert = embedding::Entity::insert_many(rows).on_conflict(replace);
        insert.exec_without_returning(&tx).await?;
    }
    tx.commit().await?;
    Ok(kept)
}

/// The turns of these texts as they are now: what was said and what was answered.
async fn there(
    tx: &DatabaseTransaction,
    user: &UserKey,
    texts: &[usize],
    embedded: &Embedded,
) -> Result<HashMap<String, [String; 2]>, DbErr> {
    use turn::Column as C;
    let turns: BTreeSet<&str> = texts
        .iter()
        .map(|&at| &*embedded.texts[at].0.turn)
        .collect();
    let rows: Vec<(String, String, String)> = turn::Entity::find_of(user)
        .select_only()
        .columns([C::TurnId, C::Query, C::Answer])
        .filter(C::TurnId.is_in(turns))
        .into_tuple()
        .all(tx)
        .await?;
    let sides = rows
        .into_iter()
        .map(|(id, query, answer)| (id, [query, answer]));
    Ok(sides.collect())
}

fn row(embedded: &Embedded, at: usize, mark: i64) -> embedding::ActiveModel {
    let (text, vector) = &embedded.texts[at];
    let dims = vector.as_ref().map_or(0, Vector::dims);
    let row = embedding::Model {
        tenant: text.user.tenant.to_string(),
        app: text.user.app.to_string(),
        user_id: text.user.user.to_string(),
        turn_id: text.turn.to_string(),
        answer: text.answer,
        model: embedded.model.to_string(),
        dims: i64::try_from(dims).unwrap_or_default(),
        vector: vector.as_ref().map(Vector::bytes).unwrap_or_default(),
        mark,
    };
    row.into_active_model()
}

/// The answer of a turn was replaced: what the old one meant goes with it.
pub async fn answered_anew(
    tx: &DatabaseTransaction,
    user: &UserKey,
    turn: &str,
) -> Result<(), DbErr> {
    use embedding::Column as C;
    let delete = embedding::Entity::delete_many().filter(embedding::Entity::of(user));
    let of_answer = C::TurnId.eq(turn).and(C::Answer.eq(true));
    delete.filter(of_answer).exec(tx).await.map(drop)
}

impl Committer {
    /// Keeps vectors; the very next recall has them. Answers with how many were kept.
    pub(super) async fn embed(
        &self,
        embedded: &Arc<Embedded>,
        until: Instant,
    ) -> Result<Result<usize, Error>, Failure> {
        let (ours, day) = (embedded.clone(), self.shared.rules.clock.day());
        let done = self.attempt(until, move |db| {
            let ours = ours.clone();
            async move { write(&db, &ours, day).await }
        });
        let kept = match done.await {
            Err(Failure::Down) => return Err(Failure::Down),
            Err(Failure::Refused) => return Ok(Err(Error::StoreDown)),
            Ok(kept) => kept,
        };
        for (user, mark, texts) in &kept {
            self.shared.residents.update(user, *mark, |resident| {
                for (text, vector) in texts.iter().map(|&at| &embedded.texts[at]) {
                    if let Some(vector) = vector {
                        resident.memories.embed(&text.turn, &text.text, vector);
                    }
                }
            });
        }
        Ok(Ok(kept.iter().map(|(.., texts)| texts.len()).sum()))
    }
}
