//! `/mcp`: memory as an MCP server (Streamable HTTP, stateless), for agents and for other programs
//! that keep their users' memory here. The protocol is `rmcp`'s: 2026-07-28, and the revisions with
//! a handshake before it. What the tools do is what `/api/v1/memory` does.
//!
//! Between actix and `rmcp` stand two revisions of the `http` crate. `rmcp-actix-web` bridges them
//! too, but makes every JSON object of the whole program keep its order, and would read bodies past
//! our limits.

mod arguments;
mod handler;
mod message;
mod tools;

use super::{
    body,
    fault::{Fault, only},
    identity,
    memory::audit::Acting,
    query::Query,
    server::graph,
};
use crate::{
    error::Error,
    graph::Graph,
    remote::{PASSED_ON, Way},
};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use bytes::Bytes;
use handler::Memory;
use http_body_util::{BodyExt, Full};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use std::sync::Arc;

/// The route.
pub fn routes(app: &mut web::ServiceConfig) {
    app.service(only("POST", web::resource("/mcp").post(post)));
}

/// What the head of the request says of who calls. It rides with the request to the tool.
#[derive(Clone)]
pub struct Caller {
    /// The user that it names.
    pub user: Option<String>,
    /// Who acts for them.
    pub acting: Acting,
    /// It is another sundynix that asks for its own user, and what it has come through. A search is
    /// told what is kept here, for two that remember for each other would ask in circles.
    pub passed_on: Option<Way>,
}

/// `POST /mcp`
#[utoipa::path(
    post, path = "/mcp", tag = "mcp", operation_id = "mcp",
    summary = "Memory as an MCP server",
    description = "Streamable HTTP, stateless: one JSON-RPC message a request. Tools: `memory_get`, \
        `memory_upsert`, `memory_search`, `memory_history`, `memory_delete`.",
    request_body = Object,
    params(
        super::openapi::Caller,
        ("MCP-Protocol-Version" = Option<String>, Header, description = "The protocol's revision, as 2026-07-28"),
    ),
    responses(
        (status = 200, description = "The JSON-RPC answer", body = Object),
        (status = 202, description = "A notification was taken"),
    ),
)]
pub async fn post(req: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    serve(&graph, &req, payload).await.map_err(Fault::native)
}

async fn serve(
    graph: &Graph,
    req: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    Query::read(req, &[])?;
    let caller = Caller {
        user: identity::user(req)?,
        acting: Acting::of(req)?,
        passed_on: passed_on(req),
    };
    let limit = graph.state.config.limits.body_bytes;
    let body = body::read(req, payload, limit).await?;
    if let Some(refused) = message::refused(&body) {
        return Ok(refused);
    }
    let memory = Memory::new(graph.state.clone(), graph.memory.clone());
    // `Host` and `Origin` were checked by the guard, as everywhere.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(limit)
        .disable_allowed_hosts();
    let sessions = Arc::new(NeverSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(memory.clone()), sessions, config);
    let answer = service.handle(request(req, body, caller)?).await;

    let (head, mut body) = answer.into_parts();
    let status = StatusCode::from_u16(head.status.as_u16());
    let mut response = HttpResponse::build(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in &head.headers {
        response.append_header((name.as_str(), value.as_bytes()));
    }
    // One piece, unless a tool sends notifications; none does.
    let mut whole = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        whole.extend(frame.into_data().unwrap_or_default());
    }
    Ok(response.body(whole))
}

/// The way on which the request has come from another sundynix.
fn passed_on(req: &HttpRequest) -> Option<Way> {
    let way = req.headers().get(PASSED_ON.as_str())?;
    let way = http::HeaderValue::from_bytes(way.as_bytes());
    Some(way.as_ref().map(Way::read).unwrap_or_default())
}

/// What `rmcp` is told that the caller takes. It wants both kinds of answer named; but ours are JSON,
/// always, and so whoever takes that will do: `curl` says `*/*`, others `application/json` alone.
fn accepted(req: &HttpRequest) -> Vec<&[u8]> {
    let all = req
        .headers()
        .get_all("accept")
        .map(|value| value.as_bytes());
    let is_json = |kind: &[u8]| {
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
        let kind = kind.trim_ascii().to_ascii_lowercase();
        matches!(&*kind, b"*/*" | b"application/*" | b"application/json")
    };
    match all
        .clone()
        .any(|all| all.split(|byte| *byte == b',').any(is_json))
    {
        true => vec![b"application/json, text/event-stream"],
        false => all.collect(),
    }
}

/// The same request, as `rmcp` takes it. Our own headers and credentials stay here.
fn request(
    req: &HttpRequest,
    body: Bytes,
    caller: Caller,
) -> Result<http::Request<Full<Bytes>>, Error> {
    let mut request = http::Request::post("/mcp");
    for (name, value) in req.headers() {
        let name = name.as_str();
        if name.starts_with("mcp-") || matches!(name, "content-type" | "host") {
            request = request.header(name, value.as_bytes());
        }
    }
    for accept in accepted(req) {
        request = request.header("accept", accept);
    }
    let request = request.extension(caller).body(Full::new(body));
    request.map_err(|_| Error::invalid("the header", "an MCP header cannot be read"))
}
