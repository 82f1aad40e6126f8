//! `/openapi.json`: the contract as data, drawn from the annotations at the handlers. Errors are
//! added here, for they are the same everywhere: each surface has one shape.

use super::{
    backends, chat,
    fault::{OpenAi, Problem, Surface, only},
    health, mcp, memory, models, tasks,
};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use std::sync::LazyLock;
use utoipa::{
    IntoParams, Modify, OpenApi, ToSchema,
    openapi::{Content, Ref, Response, ResponseBuilder, path::Operation},
};

/// Who asks.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // it documents what `identity` reads
pub struct Caller {
    /// The user; without one there is no memory.
    #[param(
        rename = "X-User-ID",
        min_length = 1,
        max_length = 128,
        example = "ada"
    )]
    user: Option<String>,
}

/// Who asks, where it must be known.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // it documents what `identity` reads
pub struct Known {
    /// The user.
    #[param(
        rename = "X-User-ID",
        min_length = 1,
        max_length = 128,
        example = "ada"
    )]
    user: String,
    /// Who asks, if it is somebody else: it is noted in the audit.
    #[param(
        rename = "X-Sundynix-Actor",
        min_length = 1,
        max_length = 128,
        nullable = false
    )]
    actor: Option<String>,
}

/// What else the head of a request may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // it documents what `identity` reads
pub struct Attitude {
    /// It can only ask for less than is configured.
    #[param(rename = "X-Sundynix-Memory", inline)]
    memory: Option<Memory>,
    /// Which conversation it belongs to.
    #[param(rename = "X-Sundynix-Conversation", min_length = 1, max_length = 256)]
    conversation: Option<String>,
}

/// What memory may do.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code)] // it documents what `identity` reads
pub enum Memory {
    /// Recall and remember.
    On,
    /// Recall only.
    Read,
    /// Neither.
    Off,
}

/// A chat request: as OpenAI documents it, and passed through as it is.
#[derive(ToSchema)]
#[allow(dead_code)] // it documents what `ChatBody` reads
pub struct ChatRequest {
    /// Which model; else the default, or the only one.
    model: Option<String>,
    /// The conversation so far.
    #[schema(value_type = Vec<Object>, min_items = 1)]
    messages: (),
    /// Whether the answer comes as a stream.
    stream: Option<bool>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "sundynix",
        description = "A streaming LLM gateway that knows each user."
    ),
    paths(
        tasks::create,
        tasks::view::state,
        tasks::view::cancel,
        tasks::view::events,
        memory::profile::read,
        memory::profile::upsert,
        memory::profile::remove,
        memory::profile::erase,
        memory::jobs::jobs,
        memory::jobs::requeue,
        memory::jobs::requeue_one,
        memory::jobs::flush,
        memory::jobs::ledger,
        memory::quarantine::list,
        memory::quarantine::release,
        memory::quarantine::discard,
        memory::import::import,
        memory::search::search,
        memory::turns::list,
        memory::turns::delete,
        memory::history::list,
        memory::export::export,
        memory::settings::read,
        memory::settings::set,
        memory::audit::list,
        mcp::post,
        chat::completions,
        models::list,
        models::one,
        health::live,
        health::ready,
        health::health,
        health::actors,
        health::actor,
        backends::list,
        backends::put,
        backends::remove,
        health::drawing,
        document
    ),
    components(schemas(
        Problem,
        OpenAi,
        memory::Detailed,
        tasks::event::Recalled,
        tasks::event::Done
    )),
    modifiers(&Faults)
)]
struct Api;

/// Each operation can fail, in its surface's shape.
struct Faults;

impl Modify for Faults {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut api.paths.paths {
            let fault = fault(Surface::of(path));
            // One handler serves PUT and PATCH; an id may stand there once.
            if let Some(id) = item.patch.as_mut().and_then(|o| o.operation_id.as_mut()) {
                id.push_str("_by_patch");
            }
            let methods = [
                &mut item.get,
                &mut item.put,
                &mut item.post,
                &mut item.patch,
                &mut item.delete,
            ];
            for operation in methods.into_iter().flatten() {
                let Operation { responses, .. } = operation;
                let all = &mut responses.responses;
                all.insert("default".into(), fault.clone().into());
            }
        }
    }
}

fn fault(surface: Surface) -> Response {
    let (schema, kind) = match surface {
        Surface::Native => ("Problem", "application/problem+json"),
        Surface::OpenAi => ("OpenAi", "application/json"),
    };
    let content = Content::new(Some(Ref::from_schema_name(schema)));
    let fault = ResponseBuilder::new().description("What went wrong, and what to do");
    fault.content(kind, content).build()
}

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    // A document of strings always serialises.
    Api::openapi().to_json().unwrap_or_default().into()
});

/// The route.
pub fn routes(app: &mut web::ServiceConfig) {
    app.service(only(
        "GET, HEAD",
        web::resource("/openapi.json").get(document),
    ));
}

/// `GET /openapi.json`
#[utoipa::path(
    get, path = "/openapi.json", tag = "health", operation_id = "openapi",
    summary = "This document",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
pub async fn document() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(DOCUMENT.clone())
}

#[cfg(test)]
mod tests;
