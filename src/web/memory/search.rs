//! `POST /api/v1/memory/search`: the memories that matter to a text, as recall ranks them.

use super::{audit, here};
use crate::{
    embedding::meant,
    error::Error,
    memory::{Ranked, Sight, UserKey, est_tokens, merged, rank},
    state::State,
    web::{
        body,
        exchange::now_ms,
        fault::Fault,
        identity, json,
        moment::{moment, shown},
        openapi::Known,
        query::Query,
        server::graph,
    },
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// The longest text that is searched for, in bytes: what is beyond says no more.
const QUERY_BYTES: usize = 16 << 10;
/// Most hits.
const MOST: usize = 100;
/// Messages before the query that are looked at.
const CONTEXT: usize = 4;
/// What stands around a hit in a prompt (a date, a speaker), in tokens.
const AROUND: usize = 8;

/// What is looked for.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The text.
    pub query: String,
    /// So many hits at most.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 100, default = 10)]
    pub k: usize,
    /// The chat messages before it, oldest first.
    #[serde(default)]
    pub context: Vec<Said>,
    /// What "last week" counts from: ISO 8601 or a Unix time; by default now.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub now: Option<Value>,
    /// The hits take so many tokens at most.
    #[serde(default)]
    pub max_tokens: Option<usize>,
    /// Say why each was found.
    #[serde(default)]
    pub explain: bool,
}

fn ten() -> usize {
    10
}

/// A chat message.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct Said {
    /// `user` or `assistant`.
    pub role: String,
    /// What it says.
    pub content: String,
}

/// What was found.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Found {
    /// Best first.
    pub hits: Vec<Hit>,
}

/// One memory.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Hit {
    /// What was said.
    pub text: String,
    /// The turn, or the imported item, that it was said in.
    #[schema(value_type = Vec<String>)]
    pub source_ids: [Arc<str>; 1],
    /// How much it matters, within this search.
    pub score: f64,
    /// When it was said.
    pub ts: String,
    /// What makes up the score.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub why: Option<rank::Explain>,
}

/// `POST /api/v1/memory/search`
#[utoipa::path(
    post, path = "/api/v1/memory/search", tag = "memory", operation_id = "search_memory",
    summary = "The memories that matter to a text",
    params(Known),
    request_body = Search,
    responses((status = 200, description = "The memories, best first", body = Found)),
)]
pub async fn search(req: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Fault> {
    let searching = async {
        let graph = graph(&req);
        Query::read(&req, &[])?;
        let user = identity::some_user(&req)?;
        let body = body::read(&req, payload, graph.state.config.limits.body_bytes).await?;
        let search = json::parse(&body)?;
        audit::note(&graph, &req, &user, "search").await?;
        let hits = find(&graph.state, &UserKey::local(&user), search, true).await?;
        Ok(HttpResponse::Ok().json(Found { hits }))
    };
    searching.await.map_err(Fault::native)
}

/// Searches a user's memories; `beyond`: those of the server that remembers for this one as well.
pub async fn find(
    state: &State,
    user: &UserKey,
    asked: Search,
    beyond: bool,
) -> Result<Vec<Hit>, Error> {
    if asked.query.trim().is_empty() {
        return Err(Error::invalid("query", "say what to look for"));
    }
    if !(1..=MOST).contains(&asked.k) {
        return Err(Error::invalid("k", format!("takes 1 to {MOST}")));
    }
    let now_ms = match &asked.now {
        None | Some(Value::Null) => now_ms(),
        Some(now) => moment(|| "now".into(), now)?,
    };
    let resident = here(state, user).await?;
    let (explain, most) = (asked.explain, asked.max_tokens.unwrap_or(usize::MAX));
    let memories = resident.memories.clone();
    let (text, k) = (asked.query.floor_char_boundary(QUERY_BYTES), asked.k);
    let within = Duration::from_millis(state.config.memory.recall_timeout_ms);
    let meaning = meant(state, user, &resident, &asked.query[..text], within);
    let elsewhere = async {
        match state.remote.as_ref().filter(|_| beyond) {
            // As long as its profile is waited for.
            Some(remote) => {
                let limit = Duration::from_millis(state.config.store.ack_timeout_ms);
                let finding = remote.search(user, asked.query[..text].into(), limit);
                timeout(limit, finding).await.unwrap_or_default()
            }
            None => Vec::new(),
        }
    };
    let (meant, elsewhere) = tokio::join!(meaning, elsewhere);
    let ranking = move || {
        let skipped = asked.context.len().saturating_sub(CONTEXT);
        let context: Vec<_> = asked.context[skipped..]
            .iter()
            .map(|said| (&*said.role, &*said.content))
            .collect();
        let query = rank::Query {
            text: &asked.query[..text],
            context: &context,
            now_ms,
            ..rank::Query::default()
        };
        memories.rank(&query, meant.as_ref(), asked.k, &Sight::default())
    };
    let ranked = match resident.memories.are_many() {
        false => ranking(),
        true => web::block(ranking)
            .await
            .map_err(|_| Error::Crashed("search"))?,
    };
    let (mut left, mut hits) = (most, Vec::new());
    let ranked = match elsewhere.is_empty() {
        true => ranked,
        false => merged(ranked, elsewhere, &Sight::default()),
    };
    for ranked in ranked.into_iter().take(k) {
        let hit = hit(ranked, explain);
        let Some(rest) = left.checked_sub(est_tokens(&hit.text) + AROUND) else {
            continue;
        };
        left = rest;
        hits.push(hit);
    }
    Ok(hits)
}

fn hit(ranked: Ranked, explain: bool) -> Hit {
    let turn = &ranked.turn;
    // Both sides in the order they were said, or the one that was found.
    let text = match ranked.texts.len() {
        2.. => format!("{}\n{}", turn.query, turn.answer),
        // What another server found.
        0 => turn.query.to_string(),
        _ => ranked
            .texts
            .first()
            .map(|text| text.to_string())
            .unwrap_or_default(),
    };
    Hit {
        text,
        source_ids: [turn.id.clone()],
        score: ranked.score,
        ts: shown(turn.at_ms),
        why: explain.then_some(ranked.why),
    }
}
