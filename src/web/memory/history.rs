//! `GET /api/v1/memory/history`: what a user's profile held before, the last first.

use super::{
    audit,
    page::{after_number, cursor, limit},
    shown::rfc3339,
};
use crate::{
    error::Error,
    graph::Graph,
    memory::UserKey,
    state::State,
    store::pages::{HistoryWanted, Superseded},
    web::{fault::Fault, identity, openapi::Known, query::Query, server::graph},
};
use actix_web::{HttpRequest, HttpResponse};
use rmcp::schemars::{self, JsonSchema};
use serde::Serialize;

/// A page of it.
#[derive(Serialize, utoipa::ToSchema, JsonSchema)]
pub struct History {
    /// The last superseded first.
    pub history: Vec<Past>,
    /// The `cursor` of the next page; there is none after the last.
    pub next: Option<String>,
}

/// A value that held once.
#[derive(Serialize, utoipa::ToSchema, JsonSchema)]
pub struct Past {
    /// Its topic.
    pub topic: String,
    /// Its key.
    pub key: String,
    /// The value.
    pub value: String,
    /// It was set by a `PUT`.
    pub pinned: bool,
    /// The turn it was said in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// The user's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// Since when it held (RFC 3339).
    pub valid_from: String,
    /// Until when (RFC 3339).
    pub valid_to: String,
    /// The version of the profile that ended it.
    pub version: u64,
}

impl From<Superseded> for Past {
    fn from(row: Superseded) -> Self {
        Past {
            topic: row.topic,
            key: row.key,
            value: row.value,
            pinned: row.pinned,
            turn: (!row.turn_id.is_empty()).then_some(row.turn_id),
            quote: (!row.quote.is_empty()).then_some(row.quote),
            valid_from: rfc3339(row.valid_from),
            valid_to: rfc3339(row.valid_to),
            version: row.version.unsigned_abs(),
        }
    }
}

/// A page of a user's history.
pub async fn page(state: &State, user: &UserKey, wanted: HistoryWanted) -> Result<History, Error> {
    let limit = wanted.limit;
    let rows = state.store.history(user, wanted).await;
    let rows = rows.map_err(|_| Error::StoreDown)?;
    let last = rows.last().filter(|_| rows.len() as u64 == limit);
    Ok(History {
        next: last.map(|row| cursor(&row.seq.to_string())),
        history: rows.into_iter().map(Past::from).collect(),
    })
}

/// `GET /api/v1/memory/history`
#[utoipa::path(
    get, path = "/api/v1/memory/history", tag = "memory", operation_id = "memory_history",
    summary = "What the profile held before",
    description = "Values that were superseded or deleted, the last first.",
    params(
        Known,
        ("topic" = Option<String>, Query, description = "Of this topic only"),
        ("key" = Option<String>, Query, description = "Of this key only"),
        ("limit" = Option<u64>, Query, description = "At most so many (50)", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before"),
    ),
    responses((status = 200, description = "A page", body = History)),
)]
pub async fn list(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    answer(&req, &graph).await.map_err(Fault::native)
}

async fn answer(req: &HttpRequest, graph: &Graph) -> Result<HttpResponse, Error> {
    let query = Query::read(req, &["topic", "key", "limit", "cursor"])?;
    let wanted = HistoryWanted {
        topic: query.get("topic").map(str::to_owned),
        key: query.get("key").map(str::to_owned),
        after: after_number(query.get("cursor"))?,
        limit: limit(&query)?,
    };
    let user = identity::some_user(req)?;
    audit::note(graph, req, &user, "read history").await?;
    let page = page(&graph.state, &UserKey::local(&user), wanted).await?;
    Ok(HttpResponse::Ok().json(page))
}
