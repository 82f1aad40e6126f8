//! What lies in a frame of the spool, as JSON: a write-back, or an erase that waits.

use super::MOST;
use crate::{
    memory::{TurnStatus, UserKey, Writeback},
    store::{Deed, Erasure, rows::status},
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, io, sync::Arc};

/// One thing that waits.
pub enum Spooled {
    /// A turn to be kept.
    Keep(Writeback),
    /// A user to be erased.
    Erase(Erasure),
}

/// A write-back as it lies on disk.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    turn: Cow<'a, str>,
    #[serde(borrow)]
    conversation: Cow<'a, str>,
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(borrow)]
    answer: Cow<'a, str>,
    complete: bool,
    began_ms: i64,
}

/// An erase as it lies on disk.
#[derive(Serialize, Deserialize)]
struct EraseRecord<'a> {
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    erased_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deed: Option<Arc<Deed>>,
}

/// The payload of a write-back.
pub fn keep(w: &Writeback) -> io::Result<Vec<u8>> {
    let payload = serde_json::to_vec(&Record {
        tenant: (&*w.user.tenant).into(),
        app: (&*w.user.app).into(),
        user: (&*w.user.user).into(),
        turn: (&*w.turn).into(),
        conversation: (&*w.conversation).into(),
        query: (&*w.query).into(),
        answer: w.answer.as_str().into(),
        complete: w.status == TurnStatus::Complete,
        began_ms: w.began_ms,
    })?;
    match payload.len() <= MOST as usize {
        true => Ok(payload),
        false => Err(io::Error::other("a write-back is too long")),
    }
}

/// The payload of an erase.
pub fn erase(erasure: &Erasure, at_ms: i64) -> io::Result<Vec<u8>> {
    let user = &erasure.user;
    Ok(serde_json::to_vec(&EraseRecord {
        tenant: (&*user.tenant).into(),
        app: (&*user.app).into(),
        user: (&*user.user).into(),
        erased_ms: at_ms,
        deed: erasure.deed.clone(),
    })?)
}

/// Reads a payload.
pub fn parse(payload: &[u8]) -> io::Result<Spooled> {
    let Ok(record) = serde_json::from_slice::<Record>(payload) else {
        let record: EraseRecord = serde_json::from_slice(payload)?;
        return Ok(Spooled::Erase(Erasure {
            user: key(&record.tenant, &record.app, &record.user),
            on_version: None,
            asked_ms: Some(record.erased_ms),
            deed: record.deed,
        }));
    };
    Ok(Spooled::Keep(Writeback {
        user: key(&record.tenant, &record.app, &record.user),
        turn: record.turn.into(),
        conversation: record.conversation.into(),
        query: record.query.into(),
        answer: record.answer.into_owned(),
        status: status(record.complete),
        began_ms: record.began_ms,
    }))
}

fn key(tenant: &str, app: &str, user: &str) -> UserKey {
    UserKey {
        tenant: tenant.into(),
        app: app.into(),
        user: user.into(),
    }
}
