//! `POST /v1/chat/completions`: OpenAI's surface. What comes is edited only where memory goes in,
//! what goes back is the backend's own bytes; extras travel in headers and in SSE comments, for
//! clients choke on foreign events.

use super::{
    attempts::{self, Failed, Opened, Route},
    body,
    chunk::Chunk,
    exchange,
    fault::{self, Fault, Surface},
    identity,
    incoming::Incoming,
    openapi::{Attitude, Caller, ChatRequest},
    paced::{self, Paced},
    relay::{PING, Part, Relay},
    unwritten::Unwritten,
};
use crate::{
    actors::{gateway::Submitted, memory::MemoryPort},
    chat::{Ask, ChatBody},
    graph::Graph,
    turn::Case,
};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::{future::LocalBoxFuture, stream};
use std::{rc::Rc, sync::Arc, time::Duration};
use tokio::time::{Interval, interval, timeout};

/// The head of a stream waits so long for the first content: until then an error has a status of
/// its own, and headers can say who answers.
pub const HEAD: Duration = Duration::from_secs(5);

/// The handler.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "openai", operation_id = "chat",
    summary = "OpenAI's chat completions, with memory",
    description = "Every field passes through to the backend and back; memory is merged into `messages`. \
        A stream may carry the comment `: memory recorded` before `[DONE]`. Where its first content \
        takes longer than five seconds, the headers leave before it, and what they could not say \
        (`x-sundynix-backend`, `-attempts`, `-turn`, `-memory`) follows in comments.",
    params(Caller, Attitude),
    request_body = ChatRequest,
    responses((status = 200, description = "As the backend answers", content(
        (Object = "application/json"), (String = "text/event-stream")))),
)]
pub async fn completions(req: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Fault> {
    let fault = |failed| Fault::failed(failed, Surface::OpenAi);
    let graph = super::server::graph(&req);
    answer(graph, &req, payload).await.map_err(fault)
}

async fn answer(
    graph: Rc<Graph>,
    req: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Failed> {
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
    match streams {
        true => streamed(req, graph, case, submitted, &request_id).await,
        false => whole(graph, case, submitted, &request_id).await,
    }
}

/// What a caller may want to know beside the answer.
fn extras<A>(opened: &Opened<A>) -> [(&'static str, String); 4] {
    let [backend, attempts] = opened.route().headers();
    let call = &opened.call;
    [
        ("x-sundynix-turn", call.case.turn.to_string()),
        backend,
        attempts,
        ("x-sundynix-memory", call.recall.state.name().to_owned()),
    ]
}

/// A whole answer: written back first, then told, its bytes as they came.
async fn whole(
    graph: Rc<Graph>,
    case: Case,
    submitted: Submitted,
    request_id: &Arc<str>,
) -> Result<HttpResponse, Failed> {
    let opened = attempts::open::<Bytes>(&graph, case, submitted).await?;
    let mut response = HttpResponse::Ok();
    let (told, route) = (extras(&opened), opened.route());
    for header in &opened.extras {
        response.append_header(header.clone());
    }
    response.insert_header(("x-request-id", &**request_id));
    for header in told {
        response.insert_header(header);
    }
    let Opened { call, answer, .. } = opened;
    drop(call.lease);
    let mut turn = Unwritten::new(call.case, call.said, graph.memory.clone());
    let chunk = Chunk::read(&answer).unwrap_or_default();
    let reason = chunk.finish_reason().unwrap_or_default();
    turn.report(
        &route,
        Ok(reason),
        chunk.usage.map(|usage| usage.get().as_bytes()),
    );
    let text = chunk.text().map(|text| text.into_owned());
    turn.keep(text.unwrap_or_default()).await;
    Ok(response.content_type("application/json").body(answer))
}

type Opening = LocalBoxFuture<'static, Result<Opened<Incoming>, Failed>>;

/// A stream: its head waits for the first content, for as long as a head may.
async fn streamed(
    req: &HttpRequest,
    graph: Rc<Graph>,
    case: Case,
    submitted: Submitted,
    request_id: &Arc<str>,
) -> Result<HttpResponse, Failed> {
    let memory = graph.memory.clone();
    let mut opening: Opening =
        Box::pin(async move { attempts::open(&graph, case, submitted).await });
    let mut response = HttpResponse::Ok();
    response.insert_header(("x-request-id", &**request_id));
    let from = match timeout(HEAD, &mut opening).await {
        Ok(opened) => {
            let opened = opened?;
            for header in &opened.extras {
                response.append_header(header.clone());
            }
            for header in extras(&opened) {
                response.insert_header(header);
            }
            At::Relay(Box::new(Relay::verbatim(opened, memory)))
        }
        // The first tick of the interval is at once: the head leaves with it.
        Err(_slow) => At::Opening(opening, interval(PING), memory),
    };
    Ok(paced::answer(req, fault::sse(&mut response), parts(from)))
}

/// Where a stream is.
enum At {
    /// The head has left, and no content has come yet.
    Opening(Opening, Interval, MemoryPort),
    /// It comes.
    Relay(Box<Relay>),
}

/// The stream: events as they come, then how memory went, then the end.
fn parts(from: At) -> impl stream::Stream<Item = Paced> {
    stream::unfold(Some(from), |at| async move {
        let (bytes, count, at) = match at? {
            At::Opening(mut opening, mut ping, memory) => tokio::select! {
                biased;
                opened = &mut opening => match opened {
                    Ok(opened) => {
                        let told = extras(&opened).map(|(name, value)| format!(": {name}: {value}\n"));
                        let relay = Box::new(Relay::verbatim(opened, memory));
                        (Bytes::from(told.concat() + "\n"), 1, Some(At::Relay(relay)))
                    }
                    Err(failed) => (error_event(&failed), 1, None),
                },
                _ = ping.tick() => (QUIET, 1, Some(At::Opening(opening, ping, memory))),
            },
            At::Relay(mut relay) => match relay.part().await {
                Part::Events(events, count) => (events, count, Some(At::Relay(relay))),
                Part::Quiet => (QUIET, 1, Some(At::Relay(relay))),
                Part::End(kept) => {
                    let end = format!(": memory {}\n\ndata: [DONE]\n\n", kept.name());
                    (end.into(), 1, None)
                }
                Part::Failed(failed) => (error_event(&failed), 1, None),
            },
        };
        Some(((bytes, count), at))
    })
}

const QUIET: Bytes = Bytes::from_static(b": ping\n\n");

/// An error once the head has left; who was asked goes along where no header could say it.
fn error_event(failed: &Failed) -> Bytes {
    let mut event = String::new();
    for (name, value) in failed.route.iter().flat_map(Route::headers) {
        event += &format!(": {name}: {value}\n");
    }
    let error = fault::openai_bytes(&failed.error);
    [event.as_bytes(), b"data: ", &error[..], b"\n\n"]
        .concat()
        .into()
}
