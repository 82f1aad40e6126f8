//! `/api/v1/memory/quarantine`: values that look like an instruction to the model. They are in no
//! prompt until somebody who has read them lets them go.

use super::{Shown, etag::tag, written};
use crate::{
    error::Error,
    memory::UserKey,
    store::{
        Command,
        extraction::{self, Quarantined, Write, Written},
    },
    web::{
        fault::{Fault, only},
        identity,
        openapi::Known,
        query::Query,
        server::graph,
    },
};
use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::Serialize;
use std::sync::Arc;

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
        let user = UserKey::local(&identity::some_user(&req)?);
        let store = &graph(&req).state.store;
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
        let user = identity::some_user(&req)?;
        let written = ask(&req, &user, &id, Write::Release).await?;
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
        let user = identity::some_user(&req)?;
        ask(&req, &user, &id, Write::Discard).await?;
        Ok(HttpResponse::NoContent().finish())
    };
    discarding.await.map_err(Fault::native)
}

async fn ask(
    req: &HttpRequest,
    user: &str,
    id: &str,
    write: fn(i64) -> Write,
) -> Result<Written, Error> {
    Query::read(req, &[])?;
    let id = id
        .parse()
        .map_err(|_| Error::NotFound("quarantined value"))?;
    let (graph, user, write) = (graph(req), UserKey::local(user), Arc::new(write(id)));
    let command = |reply| Command::Extraction(user.clone(), write.clone(), reply);
    written(&graph.state, graph.memory.ask(command)).await
}
