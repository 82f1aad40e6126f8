//! The transaction that keeps a group of turns, with a note in the outbox for each that teaches
//! something. A turn that is there already, and under an hour old, is the same turn: its answer is
//! replaced and nothing is learnt twice. So a repeat (a retry, a replay of the spool, a commit
//! whose outcome got lost) does no harm.

use super::{
    database::Database,
    embedding::answered_anew,
    entity::{deleted_turn, outbox, turn, user},
    extraction::insert_unread,
    rows::{
        CHUNK, OfUser, clean, extraction_row, from_turn_row, kept_turn, lock_users, outbox_row,
        turn_row,
    },
};
use crate::memory::{
    KeptTurn, MemoryMode, Rules, Settings, Statement, TurnId, TurnStatus, UserKey, Writeback,
    est_tokens, statements,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryTrait,
    sea_query::{ExprTrait, OnConflict, Query},
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// The same turn id within this time is the same turn.
const SAME_MS: i64 = 3_600_000;

/// A turn to keep, and what its user states in it.
pub struct Keep {
    /// The turn.
    pub writeback: Arc<Writeback>,
    /// Read beforehand, outside of any transaction.
    pub said: Vec<Statement>,
}

impl Keep {
    /// Reads what is stated.
    pub fn new(mut writeback: Arc<Writeback>) -> Self {
        let Writeback {
            conversation,
            query,
            answer,
            ..
        } = &*writeback;
        if [&**conversation, &**query, answer.as_str()]
            .iter()
            .any(|text| text.contains('\0'))
        {
            let clean = Writeback {
                conversation: clean(conversation).into(),
                query: clean(query).into(),
                answer: clean(answer).into_owned(),
                ..(*writeback).clone()
            };
            writeback = Arc::new(clean);
        }
        let said = statements(&writeback.query);
        Keep { writeback, said }
    }
}

/// A turn that was kept.
#[derive(Clone)]
pub struct Kept {
    /// As it is in the store now.
    pub turn: Arc<KeptTurn>,
    /// It was not there before: what it states counts.
    pub fresh: bool,
    /// Its user's mark after this group.
    pub mark: i64,
}

/// Keeps a group; `None` for a turn that began before it or its user was erased, and for one of a
/// user who is not to be remembered.
pub async fn keep(
    db: &Database,
    group: &[Keep],
    rules: &Rules,
) -> Result<Vec<Option<Kept>>, DbErr> {
    let tx = db.begin().await?;
    let users: BTreeSet<_> = group.iter().map(|keep| &keep.writeback.user).collect();
    let users = lock_users(&tx, users, 1).await?;
    let users: HashMap<_, _> = users.into_iter().collect();
    let barred = barred(&tx, &users, group, rules).await?;
    let fresh = insert(&tx, &users, &barred, group).await?;
    let mut kept = Vec::with_capacity(group.len());
    let (mut notes, mut unread) = (Vec::new(), Vec::new());
    for (at, Keep { writeback, said }) in group.iter().enumerate() {
        let Some(row) = users.get(&writeback.user) else {
            continue;
        };
        if barred.contains(&at) {
            kept.push(None);
            continue;
        }
        let (turn, fresh) = match fresh.contains(&at) {
            true => (kept_turn(writeback, writeback.turn.clone()), true),
            false => again(&tx, writeback, row.mark).await?,
        };
        if fresh && !said.is_empty() {
            notes.push(outbox_row(&writeback.user, &turn.id));
        }
        if fresh && rules.extracts && writeback.says_something() {
            let (tokens, now) = (est_tokens(&turn.query), rules.clock.now_ms());
            unread.push(extraction_row(&writeback.user, &turn.id, tokens, now));
        }
        let (turn, mark) = (Arc::new(turn), row.mark);
        kept.push(Some(Kept { turn, fresh, mark }));
    }
    for notes in notes.chunks(CHUNK) {
        let insert = outbox::Entity::insert_many(notes.iter().cloned());
        insert.exec_without_returning(&tx).await?;
    }
    insert_unread(&tx, &unread).await?;
    tx.commit().await?;
    Ok(kept)
}

/// Those that are not to be kept. Asked here and not only before the answer: what the user said
/// meanwhile, at whichever replica, counts.
async fn barred(
    tx: &DatabaseTransaction,
    users: &HashMap<&UserKey, user::Model>,
    group: &[Keep],
    rules: &Rules,
) -> Result<HashSet<usize>, DbErr> {
    let mut barred = HashSet::new();
    for (at, Keep { writeback, .. }) in group.iter().enumerate() {
        let bars = match users.get(&writeback.user) {
            None => true,
            Some(row) => {
                writeback.began_ms <= row.epoch
                    || Settings::read(&row.settings).mode(rules.consent) < MemoryMode::On
                    || writeback.began_ms <= row.deleted_at && is_deleted(tx, writeback).await?
            }
        };
        if bars {
            barred.insert(at);
        }
    }
    Ok(barred)
}

/// Whether the turn was deleted after it began.
async fn is_deleted(tx: &DatabaseTransaction, writeback: &Writeback) -> Result<bool, DbErr> {
    let (id, began) = (&*writeback.turn, writeback.began_ms);
    let found = deleted_turn::Entity::find_of(&writeback.user)
        .filter(deleted_turn::Column::TurnId.is_in([id, &format!("{id}-{began}")]))
        .filter(deleted_turn::Column::DeletedAt.gte(began))
        .one(tx);
    Ok(found.await?.is_some())
}

/// Inserts all that are new in one statement; answers which those are.
async fn insert(
    tx: &DatabaseTransaction,
    users: &HashMap<&UserKey, user::Model>,
    barred: &HashSet<usize>,
    group: &[Keep],
) -> Result<HashSet<usize>, DbErr> {
    let mut at = HashMap::new();
    for (index, Keep { writeback, .. }) in group.iter().enumerate() {
        if !barred.contains(&index) {
            at.entry((&writeback.user, &writeback.turn))
                .or_insert(index);
        }
    }
    let mut order: Vec<usize> = at.values().copied().collect();
    order.sort_unstable();
    if order.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = order.iter().map(|&index| {
        let writeback = &group[index].writeback;
        let mark = users.get(&writeback.user).map_or(0, |row| row.mark);
        let kept = kept_turn(writeback, writeback.turn.clone());
        turn_row(&writeback.user, &kept, mark)
    });
    let mut insert = turn::Entity::insert_many(rows)
        .on_conflict(OnConflict::columns(KEY).do_nothing().to_owned())
        .into_query();
    let rows = tx
        .query_all(insert.returning(Query::returning().columns(KEY)))
        .await?;
    if rows.len() == order.len() {
        return Ok(order.into_iter().collect());
    }
    let mut fresh = HashSet::new();
    for row in rows {
        let user = UserKey {
            tenant: row.try_get::<String>("", "tenant")?.into(),
            app: row.try_get::<String>("", "app")?.into(),
            user: row.try_get::<String>("", "user_id")?.into(),
        };
        let turn: TurnId = row.try_get::<String>("", "turn_id")?.into();
        fresh.extend(at.get(&(&user, &turn)));
    }
    Ok(fresh)
}

/// What tells turns apart.
pub const KEY: [turn::Column; 4] = [
    turn::Column::Tenant,
    turn::Column::App,
    turn::Column::UserId,
    turn::Column::TurnId,
];

/// A turn whose id is taken: by itself, or by one that is over an hour older; then it is kept
/// under an id of its own, which a repeat finds again.
async fn again(
    tx: &DatabaseTransaction,
    writeback: &Writeback,
    mark: i64,
) -> Result<(KeptTurn, bool), DbErr> {
    let (id, began) = (&*writeback.turn, writeback.began_ms);
    let found = turn::Entity::find_of(&writeback.user)
        .filter(turn::Column::At.between(began - SAME_MS + 1, began + SAME_MS - 1))
        .filter(
            turn::Column::TurnId
                .eq(id)
                .or(turn::Column::TurnId.starts_with(format!("{id}-"))),
        )
        .all(tx)
        .await?;
    // A repeat begins after the first, but may end before it.
    let nearest = |row: &turn::Model| (row.at > began, row.at.abs_diff(began));
    let Some(row) = found.into_iter().min_by_key(nearest) else {
        let turn = kept_turn(writeback, format!("{id}-{began}").into());
        let row = turn_row(&writeback.user, &turn, mark);
        turn::Entity::insert(row).exec_without_returning(tx).await?;
        return Ok((turn, true));
    };
    let complete = writeback.status == TurnStatus::Complete;
    let worse =
        (writeback.answer.is_empty() && !row.answer.is_empty()) || (row.complete && !complete);
    let same = row.answer == writeback.answer && row.complete == complete;
    let mut turn = from_turn_row(row);
    if !worse && !same {
        turn.answer = writeback.answer.as_str().into();
        turn.status = writeback.status;
        answered_anew(tx, &writeback.user, &turn.id).await?;
        let row = turn_row(&writeback.user, &turn, mark);
        turn::Entity::update_many()
            .set(row)
            .filter(turn::Entity::of(&writeback.user))
            .filter(turn::Column::TurnId.eq(&*turn.id))
            .exec(tx)
            .await?;
    }
    Ok((turn, false))
}
