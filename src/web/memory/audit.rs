//! Who reads, changes or erases somebody else's memory leaves a note, before it is done: over HTTP and
//! over MCP, in all that this folder serves. Without keys nobody is known but by what they say: a
//! caller that acts for another names itself in `X-Sundynix-Actor`. With keys it will be the key that
//! tells. Whose memory it was is kept as a keyed hash. A chat leaves none: its way has no write before
//! the answer.

use super::{
    page::{after_number, cursor, limit},
    private,
    shown::rfc3339,
};
use crate::{
    actors::memory::MemoryPort,
    error::Error,
    graph::Graph,
    state::State,
    store::{Ask, Deed, Done, audit::Noted},
    web::{fault::Fault, guard, identity, query::Query, server::graph},
};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use std::sync::Arc;

/// Who acts in a request, as far as it says.
#[derive(Clone)]
pub struct Acting {
    /// Whoever it is that is not the user.
    actor: Option<String>,
    /// In which request.
    request_id: Arc<str>,
}

impl Acting {
    /// As the head of the request has it.
    pub fn of(req: &HttpRequest) -> Result<Self, Error> {
        Ok(Acting {
            actor: identity::actor(req)?,
            request_id: guard::request_id(req),
        })
    }

    /// Leaves a note where it is for another; without one it is not done.
    pub async fn note(
        &self,
        state: &State,
        memory: &MemoryPort,
        user: &str,
        action: &'static str,
    ) -> Result<(), Error> {
        let Some(deed) = self.deed(state, user, action) else {
            return Ok(());
        };
        match private(memory, Ask::Note(deed)).await? {
            Done::Kept => Ok(()),
            _ => Err(Error::Crashed("memory")),
        }
    }

    /// The note itself, where it is for another.
    pub fn deed(&self, state: &State, user: &str, action: &'static str) -> Option<Arc<Deed>> {
        let actor = self.actor.clone().filter(|actor| actor != user)?;
        Some(Arc::new(Deed {
            actor,
            request_id: self.request_id.to_string(),
            action: action.into(),
            subject: subject(state, user),
        }))
    }
}

/// The same, of an HTTP request.
pub async fn note(
    graph: &Graph,
    req: &HttpRequest,
    user: &str,
    action: &'static str,
) -> Result<(), Error> {
    let acting = Acting::of(req)?;
    acting.note(&graph.state, &graph.memory, user, action).await
}

/// The user of a request, once it is noted who acts for them.
pub async fn acting(
    graph: &Graph,
    req: &HttpRequest,
    action: &'static str,
) -> Result<String, Error> {
    let user = identity::some_user(req)?;
    note(graph, req, &user, action).await?;
    Ok(user)
}

/// A user as they stand in the audit: the same for the same user, on every replica.
fn subject(state: &State, user: &str) -> String {
    let key = blake3::derive_key("sundynix audit subject", &state.store.secret());
    let hash = blake3::keyed_hash(&key, user.as_bytes());
    hash.to_hex()[..32].to_owned()
}

/// A page of the audit.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Audit {
    /// The last first.
    pub audit: Vec<Entry>,
    /// The `cursor` of the next page; there is none after the last.
    pub next: Option<String>,
}

/// One deed.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Entry {
    /// When (RFC 3339).
    pub at: String,
    /// Who, as they named themselves.
    pub actor: String,
    /// In which request.
    pub request_id: String,
    /// What, as `read profile` or `erase all`.
    pub action: String,
    /// Whose memory it was: a keyed hash, the same for the same user.
    pub subject: String,
}

impl From<Noted> for Entry {
    fn from(row: Noted) -> Self {
        Entry {
            at: rfc3339(row.at),
            actor: row.actor,
            request_id: row.request_id,
            action: row.action,
            subject: row.subject,
        }
    }
}

/// `GET /api/v1/audit`
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "memory", operation_id = "audit",
    summary = "What was done for somebody else",
    description = "What was read, changed or erased by callers that named themselves in `X-Sundynix-Actor`, the last first.",
    params(
        ("user" = Option<String>, Query, description = "Of this user's memory only"),
        ("limit" = Option<u64>, Query, description = "At most so many (50)", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before"),
    ),
    responses((status = 200, description = "A page", body = Audit)),
)]
pub async fn list(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    answer(&req, &graph.state).await.map_err(Fault::native)
}

async fn answer(req: &HttpRequest, state: &State) -> Result<HttpResponse, Error> {
    let query = Query::read(req, &["user", "limit", "cursor"])?;
    let limit = limit(&query)?;
    let user = query.get("user");
    if let Some(user) = user {
        identity::check_user("user", user)?;
    }
    let subject = user.map(|user| subject(state, user));
    let rows = state
        .store
        .audit(subject, after_number(query.get("cursor"))?, limit)
        .await;
    let rows = rows.map_err(|_| Error::StoreDown)?;
    let last = rows.last().filter(|_| rows.len() as u64 == limit);
    Ok(HttpResponse::Ok().json(Audit {
        next: last.map(|row| cursor(&row.seq.to_string())),
        audit: rows.into_iter().map(Entry::from).collect(),
    }))
}
