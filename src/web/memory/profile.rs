//! `/api/v1/memory` itself: the profile, read, set and removed; and the end of all that is known.

use super::{
    Detailed, Ended, Pending, Shown, Slots, audit,
    etag::{is_known, on_version, tag},
    known,
    page::as_of,
    shown::{Answer, Past},
    slots, write,
};
use crate::{
    error::Error,
    graph::Graph,
    memory::UserKey,
    state::State,
    store::{Erased, Upsert},
    web::{body, fault::Fault, identity, json, openapi::Known, query::Query, server::graph},
};
use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::rc::Rc;

/// `GET /api/v1/memory`
#[utoipa::path(
    get, path = "/api/v1/memory", tag = "memory", operation_id = "read_memory",
    summary = "What is known of the user",
    params(
        Known,
        ("detail" = Option<bool>, Query, description = "With the origin of each value"),
        ("as_of" = Option<String>, Query, description = "As it was then (ISO 8601, or a Unix time); without a version"),
        ("If-None-Match" = Option<String>, Header, description = "The version that is known already"),
    ),
    responses(
        (status = 200, description = "The profile, empty for a user who is not known", body = Answer,
            headers(("ETag" = String, description = "The version; not with `as_of`"))),
        (status = 304, description = "It is still at this version"),
    ),
)]
pub async fn read(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    answer(&req, &graph).await.map_err(Fault::native)
}

async fn answer(req: &HttpRequest, graph: &Graph) -> Result<HttpResponse, Error> {
    let state = &graph.state;
    let query = Query::read(req, &["detail", "as_of"])?;
    let detail = query.flag("detail")?;
    let as_of = query.get("as_of").map(as_of).transpose()?;
    let user = identity::some_user(req)?;
    audit::note(graph, req, &user, "read profile").await?;
    if let Some(as_of) = as_of {
        return past(state, &user, as_of, detail).await;
    }
    let resident = known(state, &UserKey::local(&user)).await?;
    let profile = &resident.profile;
    let tag = tag(profile);
    if is_known(req, &tag) {
        return Ok(HttpResponse::NotModified()
            .insert_header((header::ETAG, tag))
            .finish());
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((header::ETAG, tag));
    Ok(match detail {
        true => response.json(Detailed::of(&user, profile)),
        false => response.json(Shown::of(&user, profile)),
    })
}

/// The profile as it was.
async fn past(state: &State, user: &str, as_of: i64, detail: bool) -> Result<HttpResponse, Error> {
    if state.remote.is_some() {
        let detail =
            "the profile is kept by another server (memory.mcp), which does not tell its past";
        return Err(Error::invalid("as_of", detail));
    }
    let past = state.store.past(&UserKey::local(user), as_of).await;
    let profile = past.map_err(|_| Error::StoreDown)?;
    Ok(match detail {
        true => HttpResponse::Ok().json(Past::detailed(user, as_of, &profile)),
        false => HttpResponse::Ok().json(Past::of(user, as_of, &profile)),
    })
}

/// The body of a `PUT`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// topic → key → value; `null` removes. A value without a topic goes to `general`.
    #[schema(value_type = Object, example = json!({"language": "中文", "style": {"tone": "concise"}}))]
    preferences: Map<String, Value>,
}

/// `PUT` and `PATCH /api/v1/memory`
#[utoipa::path(
    method(put, patch), path = "/api/v1/memory", tag = "memory", operation_id = "write_memory",
    summary = "Set, change or remove preferences",
    description = "What is named is set, `null` removes, the rest stays. What is set here is pinned: only a \
        later statement of the user's own changes it.",
    request_body = Preferences,
    params(
        Known,
        ("If-Match" = Option<String>, Header, pattern = r#"^((W/)?"\d+"|\*)$"#, description = "Only if the profile is still at this version"),
        ("If-None-Match" = Option<String>, Header, pattern = r"^\*$", description = "`*`: only if nobody has written the profile yet"),
    ),
    responses(
        (status = 200, description = "The profile as it now is, and what of the request is held back", body = Shown,
            headers(("ETag" = String, description = "The version"))),
    ),
)]
pub async fn upsert(req: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    put(graph, &req, payload).await.map_err(Fault::native)
}

async fn put(
    graph: Rc<Graph>,
    req: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    Query::read(req, &[])?;
    let user = identity::some_user(req)?;
    let on_version = on_version(req)?;
    let body = body::read(req, payload, graph.state.config.limits.body_bytes).await?;
    let asked: Preferences = json::parse(&body)?;
    let slots = slots(asked.preferences)?;
    audit::note(&graph, req, &user, "write values").await?;
    change(&graph, user, slots, on_version).await
}

/// `DELETE /api/v1/memory/{topic}/{key}`
#[utoipa::path(
    delete, path = "/api/v1/memory/{topic}/{key}", tag = "memory", operation_id = "remove_memory",
    summary = "Remove one value",
    params(
        Known,
        ("topic" = String, Path), ("key" = String, Path),
        ("If-Match" = Option<String>, Header, pattern = r#"^((W/)?"\d+"|\*)$"#, description = "Only if the profile is still at this version"),
    ),
    responses(
        (status = 200, description = "The profile as it now is; older turns never teach the value again",
            body = Shown, headers(("ETag" = String, description = "The version"))),
    ),
)]
pub async fn remove(
    req: HttpRequest,
    at: web::Path<(String, String)>,
) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    let removing = async {
        Query::read(&req, &[])?;
        let user = audit::acting(&graph, &req, "delete value").await?;
        let slots = Slots::from([(at.into_inner(), None)]);
        change(&graph, user, slots, on_version(&req)?).await
    };
    removing.await.map_err(Fault::native)
}

/// Writes, and answers with the profile as it now is.
async fn change(
    graph: &Graph,
    user: String,
    slots: Slots,
    on_version: Option<u64>,
) -> Result<HttpResponse, Error> {
    let upsert = Upsert {
        user: UserKey::local(&user),
        slots,
        on_version,
        said: None,
    };
    let upserted = write(&graph.state, &graph.memory, upsert).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::ETAG, tag(&upserted.profile)))
        .json(Shown::after(&user, &upserted)))
}

/// `DELETE /api/v1/memory`: all of the user, answered with a receipt.
#[utoipa::path(
    delete, path = "/api/v1/memory", tag = "memory", operation_id = "erase_memory",
    summary = "Erase all of the user",
    description = "Profile, history, turns, what waits for them, quarantine, ledger, detached tasks; and what is \
        still under way. While the store is down it waits, in the order of what was said, and survives a crash; \
        with `If-Match` it does not. The user's id and version stay, and a wish not to be remembered; a consent does not.",
    params(
        Known,
        ("If-Match" = Option<String>, Header, pattern = r#"^((W/)?"\d+"|\*)$"#, description = "Only if the profile is still at this version"),
    ),
    responses(
        (status = 200, description = "What was erased, in numbers", body = Erased),
        (status = 202, description = "The store is down. The erase is kept, and done before the store is used again", body = Pending),
    ),
)]
pub async fn erase(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    let erasing = async {
        Query::read(&req, &[])?;
        let user = identity::some_user(&req)?;
        let on_version = on_version(&req)?;
        let acting = audit::Acting::of(&req)?;
        let ended = super::erase(&graph.state, &graph.memory, &user, on_version, &acting).await?;
        Ok(match ended {
            Ended::Erased(erased) => HttpResponse::Ok().json(erased),
            Ended::Pending(pending) => HttpResponse::Accepted().json(pending),
        })
    };
    erasing.await.map_err(Fault::native)
}
