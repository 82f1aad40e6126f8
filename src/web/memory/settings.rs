//! `/api/v1/memory/settings`: what a user wants of their memory. It holds from the next request on,
//! on every replica; the strictest of server, request and user wins.

use super::{audit, private};
use crate::{
    error::Error,
    graph::Graph,
    memory::{MemoryMode, UserKey},
    state::State,
    store::{Ask, Done},
    web::{
        body, fault::Fault, identity, json, openapi::Known, openapi::Memory, query::Query,
        server::graph,
    },
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

/// What a user wants.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Wishes {
    /// What memory does for them.
    #[schema(value_type = Memory)]
    pub mode: MemoryMode,
    /// They have said so; else it is what the operator takes for granted.
    pub explicit: bool,
}

/// The body of a `PUT`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// `on`: recall and remember; `read`: recall only; `off`: neither.
    #[schema(value_type = Memory)]
    mode: MemoryMode,
}

/// A user's settings.
pub async fn wishes(state: &State, user: &UserKey) -> Result<Wishes, Error> {
    let settings = state.store.settings(user).await;
    let settings = settings.map_err(|_| Error::StoreDown)?;
    Ok(Wishes {
        mode: settings.mode(state.config.memory.consent),
        explicit: settings.mode.is_some(),
    })
}

/// `GET /api/v1/memory/settings`
#[utoipa::path(
    get, path = "/api/v1/memory/settings", tag = "memory", operation_id = "read_settings",
    summary = "What the user wants of their memory",
    params(Known),
    responses((status = 200, description = "The settings", body = Wishes)),
)]
pub async fn read(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    let reading = async {
        Query::read(&req, &[])?;
        let user = audit::acting(&graph, &req, "read settings").await?;
        let wishes = wishes(&graph.state, &UserKey::local(&user)).await?;
        Ok(HttpResponse::Ok().json(wishes))
    };
    reading.await.map_err(Fault::native)
}

/// `PUT /api/v1/memory/settings`
#[utoipa::path(
    put, path = "/api/v1/memory/settings", tag = "memory", operation_id = "write_settings",
    summary = "Say what the user wants of their memory",
    description = "Holds from the next request on, and for answers that are under way: what is written back \
        after this is kept only if memory is on. Server, request and user: the strictest wins.",
    request_body = Wanted,
    params(Known),
    responses((status = 200, description = "The settings as they now are", body = Wishes)),
)]
pub async fn set(req: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    put(&graph, &req, payload).await.map_err(Fault::native)
}

async fn put(
    graph: &Graph,
    req: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    Query::read(req, &[])?;
    let user = identity::some_user(req)?;
    let body = body::read(req, payload, graph.state.config.limits.body_bytes).await?;
    let Wanted { mode } = json::parse(&body)?;
    audit::note(graph, req, &user, "write settings").await?;
    let ask = Ask::Mode(UserKey::local(&user), mode);
    match private(&graph.memory, ask).await? {
        Done::Kept => {}
        _ => return Err(Error::Crashed("memory")),
    }
    Ok(HttpResponse::Ok().json(Wishes {
        mode,
        explicit: true,
    }))
}
