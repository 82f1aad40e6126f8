//! What a remote memory finds that was said. Its answer is somebody else's: whatever stands in it
//! is shown as data like any memory, and nothing is taken without bounds.

use super::{Failure, Inner};
use crate::memory::{Explain, KeptTurn, Ranked, TurnId, TurnStatus, UserKey, excerpt};
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};
use time::{
    Date, OffsetDateTime, format_description::well_known::Iso8601,
    format_description::well_known::Rfc3339,
};

/// Memories asked for, and taken.
const MOST: usize = 10;
/// The longest text that is taken, in characters, and the longest question that is sent.
const CHARS: usize = 2_000;
/// The longest id or speaker, in bytes.
const NAME_BYTES: usize = 128;
/// Who says it, where the server does not tell.
const SPEAKER: &str = "memory";

impl Inner {
    /// What it finds, best first; nothing where it has no tool for that.
    pub(super) async fn search(
        &self,
        user: &UserKey,
        query: &str,
        limit: Duration,
    ) -> Result<Vec<Ranked>, Failure> {
        let server = self.link.server().ok_or(Failure::Unreachable)?;
        let Some(number) = server.tools.search else {
            return Ok(Vec::new());
        };
        let mut arguments = Map::new();
        arguments.insert("query".into(), excerpt(query, CHARS).into());
        if let Some(number) = number {
            arguments.insert(number.into(), MOST.into());
        }
        let tool = &self.config.search_tool;
        Ok(found(&self.link.call(tool, user, arguments, limit).await?))
    }
}

/// Reads `{hits: [{text, source_ids, score, ts}]}`, and what other servers make of it: a list under
/// another name, texts under another name, bare texts, no scores.
fn found(answer: &Value) -> Vec<Ranked> {
    let list = ["hits", "results", "memories", "result"]
        .into_iter()
        .find_map(|name| answer.get(name)?.as_array())
        .or_else(|| answer.as_array());
    let mut found: Vec<_> = (list.into_iter().flatten().take(MOST).enumerate())
        .filter_map(|(at, hit)| memory(at, hit))
        .collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found
}

fn memory(at: usize, hit: &Value) -> Option<Ranked> {
    let text = ["text", "memory", "content"]
        .into_iter()
        .find_map(|name| hit.get(name)?.as_str())
        .or_else(|| hit.as_str())?
        .trim();
    let name = |value: &Value| {
        let name = value.as_str()?;
        (1..=NAME_BYTES)
            .contains(&name.len())
            .then(|| name.to_owned())
    };
    let id = hit.get("id").and_then(name);
    let id = id.or_else(|| name(hit.get("source_ids")?.get(0)?));
    let id: TurnId = id.unwrap_or_else(|| format!("remote-{at}")).into();
    let role = ["role", "speaker"]
        .into_iter()
        .find_map(|r| name(hit.get(r)?));
    // Where there are no scores the order counts.
    let score = hit.get("score").and_then(Value::as_f64);
    let score = score.filter(|score| score.is_finite() && *score > 0.0);
    let turn = KeptTurn {
        id,
        conversation: "".into(),
        at_ms: said_at(hit).unwrap_or(0),
        query: excerpt(text, CHARS).into(),
        answer: "".into(),
        role: role.as_deref().unwrap_or(SPEAKER).into(),
        status: TurnStatus::Complete,
    };
    (!text.is_empty()).then(|| Ranked {
        turn: Arc::new(turn),
        score: score.unwrap_or(1.0 / (at + 1) as f64),
        why: Explain::default(),
        texts: Vec::new(),
    })
}

/// When it was said, where the server tells so in ISO 8601.
fn said_at(hit: &Value) -> Option<i64> {
    let text = ["ts", "timestamp", "created_at"]
        .into_iter()
        .find_map(|name| hit.get(name)?.as_str())?;
    let at = OffsetDateTime::parse(text, &Rfc3339).or_else(|_| {
        let day = Date::parse(text.get(..10).unwrap_or_default(), &Iso8601::DATE);
        day.map(|day| day.midnight().assume_utc())
    });
    i64::try_from(at.ok()?.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(answer: Value) -> Vec<(String, String, i64, f64)> {
        let found = found(&answer).into_iter();
        let plain = |r: Ranked| {
            (
                r.turn.id.to_string(),
                r.turn.query.to_string(),
                r.turn.at_ms,
                r.score,
            )
        };
        found.map(plain).collect()
    }

    #[test]
    fn answers_of_any_make_are_read() {
        let ours = json!({"hits": [
            {"text": "worse", "source_ids": ["t1"], "score": 0.5, "ts": "1970-01-01T00:00:01Z"},
            {"text": " better ", "source_ids": ["t2"], "score": 2.0, "ts": "1970-01-02"},
        ]});
        let better = ("t2".to_owned(), "better".to_owned(), 86_400_000, 2.0);
        let worse = ("t1".to_owned(), "worse".to_owned(), 1_000, 0.5);
        assert_eq!(read(ours), [better, worse]);
        let bare =
            |at: usize, text: &str, score| (format!("remote-{at}"), text.to_owned(), 0, score);
        assert_eq!(
            read(json!({"result": ["a", "b"]})),
            [bare(0, "a", 1.0), bare(1, "b", 0.5)]
        );
        let odd = json!({"results": [7, {"memory": ""}, {"memory": "c", "score": -1, "id": 4}]});
        assert_eq!(read(odd), [bare(2, "c", 1.0 / 3.0)]);
        assert_eq!(read(json!("nothing")), []);
    }

    #[test]
    fn nothing_is_taken_without_bounds() {
        let hit = json!({"text": "字".repeat(9_000), "id": "x".repeat(500), "ts": "日本日本日本"});
        let many = found(&json!({"hits": vec![hit; 500]}));
        assert_eq!(many.len(), MOST);
        let first = &many[0].turn;
        assert_eq!(
            (first.query.chars().count(), &*first.id),
            (CHARS + 1, "remote-0")
        );
    }
}
