//! `/api/v1/memory/quarantine`: values that look like an instruction to the model. They are in no
//! prompt until somebody who has read them lets them go.

use super::{
    Shown, audit,
    etag::{on_version, tag},
    learning, not_here,
};
use crate::{
    error::Error,
    memory::{Profile, UserKey},
    remote::Remote,
    store::{
        SaidIn, Store,
        extraction::{self, Quarantined, Write, Written},
    },
    web::{
        fault::{Fault, only},
        moment::shown,
        openapi::Known,
        query::Query,
        server::graph,
    },
};
use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::Serialize;
use std::collections::BTreeMap;

/// The routes under `/api/v1`; they come before `/memory/{topic}/{key}`.
pub fn routes(app: &mut web::ServiceConfig) {
    let list = web::resource("/memory/quarantine").get(list);
    let one = web::resource("/memory/quarantine/{id}").delete(discard);
    let out = web::resource("/memory/quarantine/{id}/release").post(release);
    app.service(only("GET, HEAD", list))
        .service(only("DELETE", one))
        .service(only("POST", out));
}

/// What is held back.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Quarantine {
    quarantine: Vec<OnHold>,
}

/// One of them.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OnHold {
    /// When it was said or put.
    #[schema(format = "date-time")]
    at: String,
    #[serde(flatten)]
    value: Quarantined,
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
        let held = reading.await.map_err(|_| Error::StoreDown)?.into_iter();
        let quarantine = held.map(|value| OnHold {
            at: shown(value.at_ms),
            value,
        });
        let quarantine = quarantine.collect();
        Ok(HttpResponse::Ok().json(Quarantine { quarantine }))
    };
    reading.await.map_err(Fault::native)
}

/// `POST /api/v1/memory/quarantine/{id}/release`
#[utoipa::path(
    post, path = "/api/v1/memory/quarantine/{id}/release", tag = "memory",
    operation_id = "release_quarantined",
    summary = "Let a value into the profile",
    description = "It counts as of when it was said or put: a later word stands. Where another \
        server keeps the profile (`memory.mcp`) it is told the value, and until it has taken it the \
        value stays here.",
    params(
        Known,
        ("id" = i64, Path),
        ("If-Match" = Option<String>, Header, pattern = r#"^((W/)?"\d+"|\*)$"#, description = "Only if the profile is still at this version"),
    ),
    responses((status = 200, description = "The profile as it now is", body = Shown,
        headers(("ETag" = String, description = "The version")))),
)]
pub async fn release(req: HttpRequest, id: web::Path<String>) -> Result<HttpResponse, Fault> {
    let releasing = async {
        let graph = graph(&req);
        let action = "release quarantined";
        let on_version = on_version(&req)?;
        let (user, profile) = match &graph.state.remote {
            None => {
                let write = |id| Write::Release(id, on_version);
                let (user, written) = ask(&req, &id, write, action).await?;
                (user, written.profile)
            }
            Some(_) if on_version.is_some() => return Err(not_here()),
            Some(remote) => {
                Query::read(&req, &[])?;
                let user = audit::acting(&graph, &req, action).await?;
                let (held, profile) = tell(&graph.state.store, remote, &user, &id).await?;
                learning(&graph, &user, Write::Discard(held)).await?;
                (user, Some(profile))
            }
        };
        let profile = profile.unwrap_or_default();
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

/// Tells the server that keeps the profile. Told twice it is the same there: whoever breaks off
/// between its answer and our note of it may release the value again.
async fn tell(
    store: &Store,
    remote: &Remote,
    user: &str,
    id: &str,
) -> Result<(i64, Profile), Error> {
    let user = UserKey::local(user);
    let of = user.clone();
    let reading = store.reading(move |db| async move { extraction::quarantine(&db, &of).await });
    let held = reading.await.map_err(|_| Error::StoreDown)?;
    let held = held.into_iter().find(|held| held.id.to_string() == id);
    let held = held.ok_or(Error::NotFound("quarantined value"))?;
    let said = held.turn.map(|turn| SaidIn {
        turn: turn.into(),
        at_ms: held.at_ms,
    });
    let at = (held.topic, held.key);
    let slots = BTreeMap::from([(at.clone(), Some(held.value))]);
    let profile = remote.put(&user, &slots, said).await?.profile;
    match profile.slots.contains_key(&at) {
        true => Ok((held.id, profile)),
        false => Err(Error::RemoteRefused(
            "it holds the value back as well; release it there",
        )),
    }
}

/// Whose value it was, and how it went.
async fn ask(
    req: &HttpRequest,
    id: &str,
    write: impl Fn(i64) -> Write,
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
