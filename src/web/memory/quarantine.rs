//! `/api/v1/memory/quarantine`: values that look like an instruction to the model. They are in no
//! prompt until somebody who has read them lets them go.

use super::{Shown, audit, etag::tag, learning};
use crate::{
    error::Error,
    memory::UserKey,
    store::extraction::{self, Quarantined, Write, Written},
    web::{
        fault::{Fault, only},
        openapi::Known,
        query::Query,
        server::graph,
    },
};
use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::Serialize;

/// The routes under `/api/v1`; they come before `/memory/{topic}/{key}`.
pub fn routes(app: &mut web::ServiceConfig) {
    let list = web::resource("/memory/quarantine").get(list);
    let one = web::resource("/memory/quarantine/{id}").delete(discard);
    let out = web::resource("/memory/quarantine/{id}/release").post(release);
    app.service(only("GET", list))
        .service(only("DELETE", one))
        .service(only("POST", out));
}

/// What is held back.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Quarantine {
    quarantine: Vec<Quarantined>,
}

/// `GET /api/v1/memory/quarantine`
#[utoipa::path(
    get, path = "/api/v1/memory/quarantine", tag = "memory", operation_id = "list_quarantine",
    summary = "Values that look like an instruction to the model",
    params(Known),
    responses((status = 200, description = "In the order they came", body = Quarantine)),
)]
pub async fn list(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let reading = async {
        Query::read(&req, &[])?;
        let graph = graph(&req);
        let user = UserKey::local(&audit::acting(&graph, &req, "read quarantine").await?);
        let store = &graph.state.store;
        let reading =
            store.reading(move |db| async move { extraction::quarantine(&db, &user).await });
        let quarantine = reading.await.map_err(|_| Error::StoreDown)?;
        Ok(HttpResponse::Ok().json(Quarantine { quarantine }))
    };
    reading.await.map_err(Fault::native)
}

/// `POST /api/v1/memory/quarantine/{id}/release`
#[utoipa::path(
    post, path = "/api/v1/memory/quarantine/{id}/release", tag = "memory",
    operation_id = "release_quarantined",
    summary = "Let a value into the profile",
    description = "It counts as of when it was said or put: a later word stands.",
    params(Known, ("id" = i64, Path)),
    responses((status = 200, description = "The profile as it now is", body = Shown,
        headers(("ETag" = String, description = "The version")))),
)]
pub async fn release(req: HttpRequest, id: web::Path<String>) -> Result<HttpResponse, Fault> {
    let releasing = async {
        let (user, written) = ask(&req, &id, Write::Release, "release quarantined").await?;
        let profile = written.profile.unwrap_or_default();
        Ok(HttpResponse::Ok()
            .insert_header((header::ETAG, tag(&profile)))
            .json(Shown::of(&user, &profile)))
    };
    releasing.await.map_err(Fault::native)
}

/// `DELETE /api/v1/memory/quarantine/{id}`
#[utoipa::path(
    delete, path = "/api/v1/memory/quarantine/{id}", tag = "memory",
    operation_id = "discard_quarantined",
    summary = "Drop a value for good",
    params(Known, ("id" = i64, Path)),
    responses((status = 204, description = "It is gone")),
)]
pub async fn discard(req: HttpRequest, id: web::Path<String>) -> Result<HttpResponse, Fault> {
    let discarding = async {
        ask(&req, &id, Write::Discard, "discard quarantined").await?;
        Ok(HttpResponse::NoContent().finish())
    };
    discarding.await.map_err(Fault::native)
}

/// Whose value it was, and how it went.
async fn ask(
    req: &HttpRequest,
    id: &str,
    write: fn(i64) -> Write,
    action: &'static str,
) -> Result<(String, Written), Error> {
    Query::read(req, &[])?;
    let graph = graph(req);
    let user = audit::acting(&graph, req, action).await?;
    let id = id
        .parse()
        .map_err(|_| Error::NotFound("quarantined value"))?;
    let written = learning(&graph, &user, write(id)).await?;
    Ok((user, written))
}
