//! `/api/v1/memory/turns`: what was said, newest first, and the deletion of one turn with what only it
//! supported.

use super::{
    audit,
    page::{after, cursor, limit, no_cursor},
    private,
    shown::rfc3339,
};
use crate::{
    actors::memory::MemoryPort,
    error::Error,
    graph::Graph,
    memory::{KeptTurn, TurnStatus, UserKey},
    state::State,
    store::{Ask, Done, TurnDeleted, pages::TurnsWanted},
    web::{fault::Fault, identity, openapi::Known, query::Query, server::graph},
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

/// A page of turns.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Turns {
    /// Newest first.
    pub turns: Vec<Turn>,
    /// The `cursor` of the next page; there is none after the last.
    pub next: Option<String>,
}

/// A turn.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Turn {
    /// Its id.
    pub id: String,
    /// Its conversation.
    pub conversation: String,
    /// When it began (RFC 3339).
    pub at: String,
    /// Who said it, where it was neither the user nor the assistant.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub role: String,
    /// What the user said.
    pub query: String,
    /// What was answered.
    pub answer: String,
    /// The whole answer is there.
    pub complete: bool,
}

impl From<&KeptTurn> for Turn {
    fn from(turn: &KeptTurn) -> Self {
        Turn {
            id: turn.id.to_string(),
            conversation: turn.conversation.to_string(),
            at: rfc3339(turn.at_ms),
            role: turn.role.to_string(),
            query: turn.query.to_string(),
            answer: turn.answer.to_string(),
            complete: turn.status == TurnStatus::Complete,
        }
    }
}

/// A page of a user's turns.
pub async fn page(state: &State, user: &UserKey, wanted: TurnsWanted) -> Result<Turns, Error> {
    let limit = wanted.limit;
    let rows = state.store.turns(user, wanted).await;
    let rows = rows.map_err(|_| Error::StoreDown)?;
    let last = rows.last().filter(|_| rows.len() as u64 == limit);
    Ok(Turns {
        next: last.map(|turn| cursor(&format!("{} {}", turn.at_ms, turn.id))),
        turns: rows.iter().map(Turn::from).collect(),
    })
}

/// Deletes a turn, and what only it supported.
pub async fn delete_turn(
    memory: &MemoryPort,
    user: UserKey,
    turn: &str,
) -> Result<TurnDeleted, Error> {
    match private(memory, Ask::DeleteTurn(user, turn.into())).await? {
        Done::TurnDeleted(deleted) => Ok(deleted),
        _ => Err(Error::Crashed("memory")),
    }
}

/// `GET /api/v1/memory/turns`
#[utoipa::path(
    get, path = "/api/v1/memory/turns", tag = "memory", operation_id = "list_turns",
    summary = "What was said, newest first",
    params(
        Known,
        ("conversation" = Option<String>, Query, description = "Of this conversation only"),
        ("limit" = Option<u64>, Query, description = "At most so many (50)", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before"),
    ),
    responses((status = 200, description = "A page", body = Turns)),
)]
pub async fn list(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    answer(&req, &graph).await.map_err(Fault::native)
}

async fn answer(req: &HttpRequest, graph: &Graph) -> Result<HttpResponse, Error> {
    let query = Query::read(req, &["conversation", "limit", "cursor"])?;
    let after = match after(&query)? {
        None => None,
        Some(row) => {
            let (at, id) = row.split_once(' ').ok_or_else(no_cursor)?;
            Some((at.parse().map_err(|_| no_cursor())?, id.to_owned()))
        }
    };
    let wanted = TurnsWanted {
        conversation: query.get("conversation").map(str::to_owned),
        after,
        limit: limit(&query)?,
    };
    let user = identity::some_user(req)?;
    audit::note(graph, req, &user, "read turns").await?;
    let page = page(&graph.state, &UserKey::local(&user), wanted).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// `DELETE /api/v1/memory/turns/{id}`
#[utoipa::path(
    delete, path = "/api/v1/memory/turns/{id}", tag = "memory", operation_id = "delete_turn",
    summary = "Delete a turn, and what only it supported",
    description = "A value that the turn taught stays where a later turn states it too; else the value before it \
        comes back; else it is gone.",
    params(Known, ("id" = String, Path)),
    responses((status = 200, description = "What was deleted, in numbers", body = TurnDeleted)),
)]
pub async fn delete(req: HttpRequest, id: web::Path<String>) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    let deleting = async {
        Query::read(&req, &[])?;
        let user = identity::some_user(&req)?;
        audit::note(&graph, &req, &user, "delete turn").await?;
        let deleted = delete_turn(&graph.memory, UserKey::local(&user), &id).await?;
        Ok(HttpResponse::Ok().json(deleted))
    };
    deleting.await.map_err(Fault::native)
}
