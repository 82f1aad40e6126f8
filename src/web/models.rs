//! `GET /v1/models`: what the backends serve, in OpenAI's shape.

use super::fault::{Fault, Surface};
use crate::error::Error;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

/// The list.
#[utoipa::path(
    get, path = "/v1/models", tag = "openai", operation_id = "list_models",
    summary = "What the backends serve",
    responses((status = 200, description = "As OpenAI documents it", body = Object)),
)]
pub async fn list(req: HttpRequest) -> HttpResponse {
    let graph = super::server::graph(&req);
    let data: Vec<_> = graph.state.pool.models().iter().map(shown).collect();
    HttpResponse::Ok().json(json!({"object": "list", "data": data}))
}

/// One of them; names may hold slashes.
#[utoipa::path(
    get, path = "/v1/models/{name}", tag = "openai", operation_id = "read_model",
    summary = "One model",
    params(("name" = String, Path)),
    responses((status = 200, description = "As OpenAI documents it", body = Object)),
)]
pub async fn one(req: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, Fault> {
    let graph = super::server::graph(&req);
    let models = graph.state.pool.models();
    match models.iter().find(|m| m.id == *name) {
        Some(model) => Ok(HttpResponse::Ok().json(shown(model))),
        None => Err(Fault::new(Error::NotFound("model"), Surface::OpenAi)),
    }
}

fn shown(model: &crate::pool::ModelInfo) -> serde_json::Value {
    json!({
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by.join(","),
        "context_length": model.context,
    })
}
