//! The events of the native surface, framed: `recalled`, `token`, `done`, `error`, each with an
//! increasing id.

use crate::{
    prompt::{RecallReport, RecallState},
    web::{
        exchange::{Outcome, Piece},
        fault::problem,
        unwritten::Kept,
    },
};
use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::value::RawValue;
use std::io::Write;

/// A connection with nothing to say gives a sign of life with this.
pub const PING: Bytes = Bytes::from_static(b": ping\n\n");

/// `recalled`
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Recalled {
    /// How recall went.
    memory: RecallState,
    /// The profile's version that went into the prompt.
    profile_version: u64,
    /// The turns that went into it.
    items: Vec<Item>,
}

/// One recalled turn.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Item {
    /// The turn.
    id: String,
    /// How much it matters; 1 is most.
    score: f64,
    /// What it takes in the prompt, roughly.
    tokens: usize,
}

impl From<&RecallReport> for Recalled {
    fn from(report: &RecallReport) -> Self {
        let item = |(id, score, tokens): &(std::sync::Arc<str>, f64, usize)| Item {
            id: id.to_string(),
            score: *score,
            tokens: *tokens,
        };
        Recalled {
            memory: report.state,
            profile_version: report.profile_version,
            items: report.items.iter().map(item).collect(),
        }
    }
}

#[derive(Serialize)]
struct Token<'a> {
    text: &'a str,
}

/// `done`
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Done<'a> {
    /// Why the model stopped, in OpenAI's words.
    finish_reason: &'a str,
    /// Token counts, as the backend wrote them.
    #[schema(value_type = Option<Object>)]
    usage: Option<Box<RawValue>>,
    /// The turn it is kept under.
    turn_id: &'a str,
    /// Whether it is kept.
    memory: Kept,
    /// Which backend answered.
    backend: &'a str,
    /// Backends that were asked, with it.
    attempts: usize,
}

/// Token counts, as the backend wrote them.
pub fn usage(outcome: &Outcome) -> Option<Box<RawValue>> {
    let usage: &RawValue = serde_json::from_slice(outcome.usage.as_ref()?).ok()?;
    // An event's data is one line.
    match usage.get().contains(['\n', '\r']) {
        false => Some(usage.to_owned()),
        true => {
            let value: serde_json::Value = serde_json::from_str(usage.get()).ok()?;
            serde_json::value::to_raw_value(&value).ok()
        }
    }
}

/// One event, whole.
pub fn frame(id: usize, piece: &Piece) -> Bytes {
    match piece {
        Piece::Recalled(report, _) => event(id, "recalled", &Recalled::from(report)),
        Piece::Text(text) => event(id, "token", &Token { text }),
        Piece::Done(outcome) => {
            let done = Done {
                finish_reason: &outcome.finish_reason,
                usage: usage(outcome),
                turn_id: &outcome.turn_id,
                memory: outcome.memory,
                backend: &outcome.route.backend,
                attempts: outcome.route.attempts,
            };
            event(id, "done", &done)
        }
        Piece::Failed(failed) => event(id, "error", &problem(&failed.error)),
        Piece::Quiet => PING,
    }
}

fn event(id: usize, name: &str, data: &impl Serialize) -> Bytes {
    let mut out = BytesMut::with_capacity(96).writer();
    // Writing into memory does not fail, and structs of strings and numbers always serialise.
    let _ = write!(out, "id: {id}\nevent: {name}\ndata: ");
    let _ = serde_json::to_writer(&mut out, data);
    let _ = out.write_all(b"\n\n");
    out.into_inner().freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn each_event_is_one_line_of_data_and_has_its_id() {
        let framed = frame(7, &Piece::Text("你\n\"好\"".into()));
        assert_eq!(
            framed,
            "id: 7\nevent: token\ndata: {\"text\":\"你\\n\\\"好\\\"\"}\n\n".as_bytes()
        );
        let framed = frame(8, &Piece::Failed(Error::Cancelled.into()));
        let framed = std::str::from_utf8(&framed).unwrap();
        assert!(
            framed.starts_with("id: 8\nevent: error\ndata: {\"type\""),
            "{framed}"
        );
        assert_eq!(framed.matches('\n').count(), 4);
    }
}
