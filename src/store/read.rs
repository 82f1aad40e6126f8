//! Reads a user in one statement: one snapshot, one round trip. Where the caller already has the
//! user at the mark that the store has, that is all it says; at an earlier one it says what came
//! since; and to a caller in haste who they are, without what they said.

use super::{
    database::Database,
    embedding::vectors,
    rows::{source, status},
};
use crate::memory::{
    INDEXED_TURNS, KeptTurn, Memories, Profile, RECENT_TURNS, Resident, Rules, Settings, Slot,
    TurnId, Unembedded, UserKey, Vector, statements,
};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::timeout;

/// So many turns are indexed where they are read.
const INLINE: usize = 50;

/// What a text means: its turn, whether it is the answer, and its vector.
type Meaning = (TurnId, bool, Option<Vector>);

/// A user as read.
pub enum Read {
    /// The mark is the one the caller has.
    Unchanged,
    /// Another one, all that belongs to it, and how many turns were read for that.
    New(i64, Resident, usize),
}

/// The parts of a user as rows of one kind: `u`ser, `p`rofile slot, `t`urn, `o`utbox. Of turns those
/// that were written after the mark that is known.
fn sql(whole: bool) -> String {
    let owned =
        |table: &str| format!("{table}.tenant = $1 AND {table}.app = $2 AND {table}.user_id = $3");
    let changed = "EXISTS (SELECT 1 FROM u WHERE u.mark <> $4)";
    // What is new is little: no order, so that its index is used.
    let newest = match whole {
        true => format!("ORDER BY t.at DESC, t.turn_id DESC LIMIT {INDEXED_TURNS}"),
        false => String::new(),
    };
    format!(
        "WITH u AS (SELECT version, epoch, mark, settings, deleted_mark \
         FROM sundynix_user u WHERE {user}) \
         SELECT 'u' AS kind, settings AS a, CAST(deleted_mark AS TEXT) AS b, '' AS c, '' AS d, \
         '' AS e, version AS n, epoch AS m, mark AS k FROM u \
         UNION ALL SELECT 'p', p.topic, p.key, COALESCE(p.value, ''), p.turn_id, p.quote, \
         p.valid_from, CASE WHEN p.pinned THEN 1 ELSE 0 END, \
         CASE WHEN p.value IS NULL THEN 1 ELSE 0 END \
         FROM sundynix_user_profile p WHERE {slot} AND {changed} \
         UNION ALL SELECT * FROM (SELECT 't', t.turn_id, t.conversation, t.query, t.answer, t.role, \
         t.at, CASE WHEN t.complete THEN 1 ELSE 0 END, 0 \
         FROM sundynix_turn t WHERE {turn} AND t.mark > $4 {newest}) AS recent \
         UNION ALL SELECT 'o', t.turn_id, t.query, '', '', '', t.at, 0, o.seq \
         FROM sundynix_outbox o JOIN sundynix_turn t ON t.tenant = o.tenant AND t.app = o.app \
         AND t.user_id = o.user_id AND t.turn_id = o.turn_id \
         WHERE {note} AND NOT o.dead AND {changed}",
        user = owned("u"),
        slot = owned("p"),
        turn = owned("t"),
        note = owned("o"),
    )
}

/// Before every mark.
const NOTHING: i64 = -1;
/// After every mark: as if all that was said were known.
const ALL_SAID: i64 = i64::MAX;

/// A cache that has no room for so many turns of a user is none for them.
const FEW: usize = 200;
/// Of what is too heavy such a part of what might fit is kept, for turns differ.
const FIT: f64 = 0.9;

/// What the store has of a user.
#[derive(Default)]
struct Parts {
    mark: i64,
    /// The mark at which something was last taken away.
    deleted_mark: i64,
    /// All but the turns, and what they state.
    resident: Resident,
    turns: Vec<Arc<KeptTurn>>,
    /// What is not settled yet: its place in the outbox, its turn, what the user said, and when.
    pending: Vec<(i64, String, String, i64)>,
}

/// Who the user is, without what they said: for whoever cannot wait for that.
pub async fn profile(db: &Database, user: &UserKey, rules: &Rules) -> Result<Resident, DbErr> {
    let Parts {
        mut resident,
        pending,
        ..
    } = parts(db, user, ALL_SAID, false).await?;
    state(&mut resident, pending, rules);
    Ok(resident)
}

/// Reads the user, or what came since the mark that they are here at. Where something was taken away
/// since, they are read whole: what is here cannot tell what it is. Their memories take `most` bytes
/// at most. The store has to answer within `limit`; the index of much that was said may take longer.
pub async fn read(
    db: &Database,
    user: &UserKey,
    here: Option<&(i64, Arc<Resident>)>,
    rules: &Rules,
    unembedded: Option<&Unembedded>,
    most: usize,
    limit: Duration,
) -> Result<Read, DbErr> {
    let known = here.map_or(NOTHING, |(mark, _)| *mark);
    let Parts {
        mark,
        deleted_mark,
        mut resident,
        mut turns,
        pending,
    } = in_time(limit, parts(db, user, known, here.is_none())).await?;
    if here.is_some() && known == mark {
        return Ok(Read::Unchanged);
    }
    let base = here.filter(|_| known < mark && deleted_mark <= known);
    if here.is_some() && base.is_none() {
        return Box::pin(read(db, user, None, rules, unembedded, most, limit)).await;
    }
    turns.sort_by(|a, b| (a.at_ms, &a.id).cmp(&(b.at_ms, &b.id)));
    let mut meanings = Vec::new();
    if let Some(of) = unembedded {
        let vectors = vectors(db, user, &of.model, of.dims(), known);
        meanings = in_time(limit, vectors).await?;
        let sides = turns.iter().flat_map(|turn| [&turn.query, &turn.answer]);
        if meanings.len() < sides.filter(|text| !text.is_empty()).count() {
            of.note(user);
        }
    }
    let count = turns.len();
    if let Some((_, base)) = base {
        resident.turns.clone_from(&base.turns);
        resident.memories = base.memories.clone();
    }
    let mut resident = remembered(resident, turns, meanings, most).await;
    state(&mut resident, pending, rules);
    Ok(Read::New(mark, resident, count))
}

/// Whatever does not answer in time does not answer.
async fn in_time<T>(
    limit: Duration,
    asking: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    let late = |_| Err(DbErr::Custom("it does not answer".into()));
    timeout(limit, asking).await.unwrap_or_else(late)
}

/// What the store has, but of turns those only that were written after a mark.
async fn parts(db: &Database, user: &UserKey, known: i64, whole: bool) -> Result<Parts, DbErr> {
    let mut values = vec![];
    values.extend([&user.tenant, &user.app, &user.user].map(|part| (&**part).into()));
    values.push(known.into());
    let backend = db.readers.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql(whole), values);
    let rows = db.readers.query_all_raw(statement).await?;

    let mut parts = Parts::default();
    for row in rows {
        let text = |column: &str| row.try_get::<String>("", column);
        let number = |column: &str| row.try_get::<i64>("", column);
        match text("kind")?.as_str() {
            "u" => {
                parts.resident.profile.version = number("n")?.unsigned_abs();
                parts.resident.epoch_ms = number("m")?;
                parts.resident.settings = Settings::read(&text("a")?);
                parts.mark = number("k")?;
                parts.deleted_mark = text("b")?.parse().unwrap_or(i64::MAX);
            }
            "p" => slot(&row, &mut parts.resident.profile)?,
            "t" => parts.turns.push(Arc::new(KeptTurn {
                id: text("a")?.into(),
                conversation: text("b")?.into(),
                query: text("c")?.into(),
                answer: text("d")?.into(),
                role: text("e")?.into(),
                at_ms: number("n")?,
                status: status(number("m")? != 0),
            })),
            _ => {
                let pending = (number("k")?, text("a")?, text("b")?, number("n")?);
                parts.pending.push(pending);
            }
        }
    }
    Ok(parts)
}

/// What holds now: without what has ended, with what is stated and not settled yet.
fn state(resident: &mut Resident, mut pending: Vec<(i64, String, String, i64)>, rules: &Rules) {
    pending.sort();
    rules.expire(&mut resident.profile, rules.clock.now_ms());
    for (_, turn, query, at_ms) in pending {
        let said = statements(&query);
        rules.apply(&mut resident.profile, &turn.into(), at_ms, &said);
    }
}

/// The resident with these turns, and what they mean, as well. Of thousands it is no work for a
/// thread that others wait for.
async fn remembered(
    resident: Resident,
    turns: Vec<Arc<KeptTurn>>,
    meanings: Vec<Meaning>,
    most: usize,
) -> Resident {
    if turns.len() <= INLINE {
        return with(resident, turns, &meanings);
    }
    let work = move || match resident.memories.is_empty() {
        true => lightened(resident, turns, &meanings, most),
        false => with(resident, turns, &meanings),
    };
    // It fails only where the process ends.
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}

/// With as many of the newest turns as one user may hold. Who weighs more than the cache has room
/// for would be read anew by each request, and none would get what they said in time.
fn lightened(
    resident: Resident,
    mut turns: Vec<Arc<KeptTurn>>,
    meanings: &[Meaning],
    most: usize,
) -> Resident {
    loop {
        let light = with(resident.clone(), turns.clone(), meanings);
        let (bytes, all) = (light.memories.bytes(), turns.len());
        let fit = (all as f64 * FIT * most as f64 / bytes as f64) as usize;
        if bytes <= most || fit < FEW {
            return light;
        }
        turns.drain(..all - fit);
    }
}

fn with(mut resident: Resident, turns: Vec<Arc<KeptTurn>>, meanings: &[Meaning]) -> Resident {
    match resident.memories.is_empty() {
        true => {
            let latest = turns.len().saturating_sub(RECENT_TURNS);
            resident.turns.extend(turns[latest..].iter().cloned());
            resident.memories = Arc::new(Memories::of(&turns));
        }
        // Shared with whoever holds the user: they see a little more.
        false => turns.into_iter().for_each(|turn| resident.remember(turn)),
    }
    for (id, answer, vector) in meanings {
        if let Some(vector) = vector {
            resident.memories.embed_side(id, *answer, vector);
        }
    }
    resident
}

fn slot(row: &QueryResult, profile: &mut Profile) -> Result<(), DbErr> {
    let text = |column: &str| row.try_get::<String>("", column);
    let number = |column: &str| row.try_get::<i64>("", column);
    let slot = Slot {
        value: (number("k")? == 0).then_some(text("c")?),
        source: source(number("m")? != 0, text("d")?, text("e")?),
        valid_from_ms: number("n")?,
    };
    profile.slots.insert((text("a")?, text("b")?), slot);
    Ok(())
}
