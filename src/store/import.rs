//! The transaction that takes over what was said elsewhere: items of a conversation, each by
//! itself. An item whose id is there already is the same item: nothing of it is kept twice.

use super::{
    attempt::Failure,
    committer::{Committer, REFUSED},
    database::Database,
    entity::{outbox, turn},
    extraction::insert_unread,
    rows::{CHUNK, extraction_row, lock_users, outbox_row, turn_row},
};
use crate::{
    error::Error,
    memory::{KeptTurn, MemoryMode, Rules, Settings, Untold, UserKey, est_tokens, statements},
};
use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, DbErr, EntityTrait, QueryTrait,
    sea_query::{OnConflict, Query},
};
use std::{collections::HashSet, sync::Arc};
use tokio::time::Instant;

/// Items to take over.
#[derive(Clone)]
pub struct Import {
    /// Whose.
    pub user: UserKey,
    /// The items.
    pub items: Arc<Vec<Arc<KeptTurn>>>,
    /// When it was asked for, Unix milliseconds: an erase that came later wins.
    pub began_ms: i64,
    /// They also teach.
    pub extract: bool,
}

/// What became of them.
pub struct Imported {
    /// Those that were not there before.
    pub fresh: Vec<Arc<KeptTurn>>,
    /// Some of them have something to settle.
    pub teaches: bool,
    /// Some of them wait for the extraction model.
    pub unread: bool,
    /// The user's mark after it.
    pub mark: i64,
}

/// Takes them over.
pub async fn import(
    db: &Database,
    ask: &Import,
    rules: &Rules,
) -> Result<Result<Imported, Error>, DbErr> {
    let tx = db.begin().await?;
    let mut mark = 0;
    for (_, row) in lock_users(&tx, [&ask.user].into(), 1).await? {
        if ask.began_ms <= row.epoch {
            tx.rollback().await?;
            return Ok(Err(Error::Gone("what was known of this user")));
        }
        if Settings::read(&row.settings).mode(rules.consent) < MemoryMode::On {
            tx.rollback().await?;
            return Ok(Err(not_wanted()));
        }
        mark = row.mark;
    }
    let mut new = HashSet::new();
    for items in ask.items.chunks(CHUNK) {
        let rows = items.iter().map(|item| turn::ActiveModel {
            // However long ago it was said.
            kept_at: Set(ask.began_ms),
            ..turn_row(&ask.user, item, mark)
        });
        let nothing = OnConflict::columns(super::keep::KEY)
            .do_nothing()
            .to_owned();
        let mut insert = turn::Entity::insert_many(rows)
            .on_conflict(nothing)
            .into_query();
        let returning = Query::returning().column(turn::Column::TurnId);
        for row in tx.query_all(insert.returning(returning)).await? {
            new.insert(row.try_get::<String>("", "turn_id")?);
        }
    }
    let fresh = ask.items.iter().filter(|item| new.remove(&*item.id));
    let fresh: Vec<_> = fresh.cloned().collect();
    let teaches = |item: &&Arc<KeptTurn>| {
        ask.extract && item.role.is_empty() && !statements(&item.query).is_empty()
    };
    let notes = fresh.iter().filter(teaches);
    let notes: Vec<_> = notes.map(|item| outbox_row(&ask.user, &item.id)).collect();
    for notes in notes.chunks(CHUNK) {
        let insert = outbox::Entity::insert_many(notes.iter().cloned());
        insert.exec_without_returning(&tx).await?;
    }
    let said = |item: &&Arc<KeptTurn>| {
        let own = ask.extract && rules.extracts && item.role.is_empty();
        own && item.query.chars().any(char::is_alphanumeric)
    };
    let now = rules.clock.now_ms();
    let row =
        |item: &Arc<KeptTurn>| extraction_row(&ask.user, &item.id, est_tokens(&item.query), now);
    let unread: Vec<_> = fresh.iter().filter(said).map(row).collect();
    insert_unread(&tx, &unread).await?;
    tx.commit().await?;
    Ok(Ok(Imported {
        unread: !unread.is_empty(),
        fresh,
        teaches: !notes.is_empty(),
        mark,
    }))
}

impl Committer {
    /// Takes items over; the very next recall sees them.
    pub(super) async fn import(
        &mut self,
        ask: &Import,
        until: Instant,
    ) -> Result<Result<usize, Error>, Failure> {
        let (of, shared) = (ask.clone(), self.shared.clone());
        let done = self.attempt(until, move |db| {
            let (of, shared) = (of.clone(), shared.clone());
            async move { import(&db, &of, &shared.rules).await }
        });
        let imported = match done.await {
            Ok(Ok(imported)) => imported,
            Ok(Err(error)) => return Ok(Err(error)),
            Err(Failure::Refused) => return Ok(Err(Error::invalid("the body", REFUSED))),
            Err(Failure::Down) => return Err(Failure::Down),
        };
        let (user, new) = (ask.user.clone(), imported.fresh.len());
        if let Some(undelivered) = self.shared.undelivered.as_ref().filter(|_| ask.extract) {
            for item in imported.fresh.iter().filter(|item| item.role.is_empty()) {
                let said = statements(&item.query);
                if !said.is_empty() {
                    let (turn, at_ms) = (item.id.clone(), item.at_ms);
                    let said = said.into();
                    undelivered.note(&user, Untold { turn, at_ms, said });
                }
            }
        }
        if imported.unread {
            self.shared.gathering.urge(&user, false);
        }
        if let Some(unembedded) = self.shared.unembedded.as_ref().filter(|_| new > 0) {
            unembedded.note(&user);
        }
        match imported.teaches && self.shared.undelivered.is_none() {
            // What it teaches is read with the rest.
            true => {
                self.shared.residents.remove(&user);
                self.unsettled.entry(user).or_insert((0, Instant::now()));
            }
            false => self
                .shared
                .residents
                .update(&user, imported.mark, |resident| {
                    for item in imported.fresh {
                        resident.remember(item);
                    }
                }),
        }
        Ok(Ok(new))
    }
}

/// The user does not want to be remembered, or has not said that they do.
pub(super) fn not_wanted() -> Error {
    let detail = "this user is not remembered: PUT /api/v1/memory/settings turns memory on";
    Error::Forbidden(detail.into())
}
