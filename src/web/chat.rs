//! `POST /v1/chat/completions`: OpenAI's surface. What comes is edited only where memory goes in,
//! what goes back is the backend's own bytes; extras travel in headers and in SSE comments, for
//! clients choke on foreign events.

use super::{
    body,
    chunk::Chunk,
    exchange::{self, Opened},
    fault::{self, Fault, Surface},
    identity,
    openapi::{Attitude, Caller, ChatRequest},
    relay::{Part, Relay, Unwritten},
};
use crate::{
    actors::gateway::Submitted,
    chat::{Ask, ChatBody},
    error::Error,
    graph::Graph,
    pool::Answer,
    turn::Call,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use futures_util::stream;
use std::{convert::Infallible, rc::Rc, sync::Arc};

/// The handler.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "openai", operation_id = "chat",
    summary = "OpenAI's chat completions, with memory",
    description = "Every field passes through to the backend and back; memory is merged into `messages`. \
        A stream may carry the comment `: memory recorded` before `[DONE]`.",
    params(Caller, Attitude),
    request_body = ChatRequest,
    responses((status = 200, description = "As the backend answers", content(
        (Object = "application/json"), (String = "text/event-stream")))),
)]
pub async fn completions(req: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Fault> {
    let fault = |error| Fault::new(error, Surface::OpenAi);
    let graph = super::server::graph(&req);
    answer(graph, &req, payload).await.map_err(fault)
}

async fn answer(
    graph: Rc<Graph>,
    req: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    let head = identity::head(req, &graph.state)?;
    let user = identity::user(req)?;
    let conversation = identity::conversation(req)?;
    let body = body::read(req, payload, graph.state.config.limits.body_bytes).await?;
    let body = ChatBody::parse(body)?;
    let streams = body.stream;
    let request_id = head.request_id.clone();
    let case = exchange::case(&graph.state, head)?;
    let submitted = Submitted {
        user,
        conversation,
        model: body.model.as_ref().map(|(name, _)| name.clone()),
        ask: Ask::Chat(body),
    };
    let opened = exchange::open(&graph, case, submitted).await?;
    let mut response = HttpResponse::Ok();
    for header in &opened.extras {
        response.append_header(header.clone());
    }
    extras(&mut response, &opened.call, &request_id);
    match opened.answer {
        Answer::Whole(whole) if !streams => Ok(all(graph, opened.call, whole, response).await),
        answer => {
            let opened = Opened { answer, ..opened };
            let relay = Relay::verbatim(opened, graph.memory.clone());
            Ok(fault::sse(&mut response).streaming(parts(relay)))
        }
    }
}

/// What a caller may want to know beside the answer.
fn extras(response: &mut HttpResponseBuilder, call: &Call, request_id: &Arc<str>) {
    let attempts = call.tried.len() + 1;
    response
        .insert_header(("x-request-id", &**request_id))
        .insert_header(("x-sundynix-turn", &*call.case.turn))
        .insert_header(("x-sundynix-backend", &*call.lease.backend().name))
        .insert_header(("x-sundynix-attempts", attempts.to_string()))
        .insert_header(("x-sundynix-memory", call.recall.state.name()));
}

/// A whole answer: written back first, then told, its bytes as they came.
async fn all(
    graph: Rc<Graph>,
    call: Call,
    whole: Bytes,
    mut response: HttpResponseBuilder,
) -> HttpResponse {
    drop(call.lease);
    let text = Chunk::read(&whole).and_then(|c| c.text().map(|t| t.into_owned()));
    let mut turn = Unwritten::new(call.case, call.said, graph.memory.clone());
    turn.keep(text.unwrap_or_default()).await;
    response.content_type("application/json").body(whole)
}

/// The stream: events as they come, then how memory went, then the end.
fn parts(relay: Relay) -> impl stream::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(Some(relay), |relay| async move {
        let mut relay = relay?;
        let (bytes, relay) = match relay.part().await {
            Part::Events(events) => (events, Some(relay)),
            Part::Quiet => (Bytes::from_static(b": ping\n\n"), Some(relay)),
            Part::End(kept) => {
                let end = format!(": memory {}\n\ndata: [DONE]\n\n", kept.name());
                (end.into(), None)
            }
            Part::Failed(error) => {
                let error = fault::openai_bytes(&error);
                let event = [b"data: ", &error[..], b"\n\n"].concat();
                (event.into(), None)
            }
        };
        Some((Ok(bytes), relay))
    })
}
