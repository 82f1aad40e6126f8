//! `/api/v1/backends`: the backends as they are now, and their change while requests run. What is
//! set here holds until the next start; what is to stay belongs into the settings.

use super::{
    body,
    fault::{Fault, only},
    json,
    server::graph,
};
use crate::{
    config::BackendConfig,
    error::Error,
    pool::{BackendStatus, BadBackend, Reload},
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

/// The largest description of one.
const BYTES: usize = 64 << 10;

/// The routes.
pub fn routes(app: &mut web::ServiceConfig) {
    app.service(only("GET, HEAD", web::resource("/backends").get(list)));
    let one = web::resource("/backends/{name:.+}").put(put).delete(remove);
    app.service(only("PUT, DELETE", one));
}

/// Every backend, and how the settings were last read.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Backends {
    backends: Vec<BackendStatus>,
    /// Of the settings file, while the server runs.
    reload: Reload,
}

/// `GET /api/v1/backends`
#[utoipa::path(
    get, path = "/api/v1/backends", tag = "health", operation_id = "list_backends",
    summary = "Every backend",
    responses((status = 200, description = "As it is now", body = Backends)),
)]
pub async fn list(req: HttpRequest) -> HttpResponse {
    let pool = &graph(&req).state.pool;
    HttpResponse::Ok().json(Backends {
        backends: pool.status(),
        reload: pool.last_reload(),
    })
}

/// `PUT /api/v1/backends/{name}`
#[utoipa::path(
    put, path = "/api/v1/backends/{name}", tag = "health", operation_id = "put_backend",
    summary = "Adds a backend, or gives it other settings, until the next start",
    description = "The body has the members of `[[backend]]`; those that it leaves out have their defaults. Requests that are under way go on where they are.",
    params(("name" = String, Path)),
    request_body = BackendConfig,
    responses(
        (status = 200, description = "It has these settings now", body = BackendStatus),
        (status = 201, description = "It is new", body = BackendStatus),
    ),
)]
pub async fn put(
    req: HttpRequest,
    name: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Fault> {
    set(&req, name.into_inner(), payload)
        .await
        .map_err(Fault::native)
}

async fn set(
    req: &HttpRequest,
    name: String,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    let graph = graph(req);
    let bytes = body::read(req, payload, BYTES).await?;
    let mut config: BackendConfig = json::parse(&bytes)?;
    if !config.name.is_empty() && config.name != name {
        let detail = "the path names another; leave `name` out";
        return Err(Error::invalid("name", detail));
    }
    config.name = name;
    let put = graph.state.pool.put(&graph.client, config).await;
    let (new, status) = put.map_err(|BadBackend { key, detail }| Error::invalid(key, detail))?;
    Ok(match new {
        true => HttpResponse::Created().json(status),
        false => HttpResponse::Ok().json(status),
    })
}

/// `DELETE /api/v1/backends/{name}`
#[utoipa::path(
    delete, path = "/api/v1/backends/{name}", tag = "health", operation_id = "remove_backend",
    summary = "Takes a backend out, until the next start",
    description = "What is under way there goes on; until it has ended the backend is listed as `draining`.",
    params(("name" = String, Path)),
    responses((status = 200, description = "It gets nothing new", body = BackendStatus)),
)]
pub async fn remove(req: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    let removed = graph.state.pool.remove(&graph.client, &name).await;
    match removed {
        Some(status) => Ok(HttpResponse::Ok().json(status)),
        None => Err(Fault::native(Error::NotFound("backend"))),
    }
}
