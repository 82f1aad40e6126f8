//! Looking at a task: its state, its events from wherever the viewer was, and its end by `DELETE`.

use super::{
    cap,
    event::{self, PING, Recalled},
    last_event_id,
    log::{Status, Task},
    table::Viewer,
};
use crate::{
    error::Error,
    graph::Graph,
    web::{
        exchange::Piece,
        fault::{self, Fault, Problem, problem},
        identity,
        openapi::Caller,
        paced::{self, Paced, UNWRITTEN},
        query::Query,
        server::graph,
        unwritten::Kept,
    },
};
use actix_web::{HttpRequest, HttpResponse, http::header, web};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use serde_json::value::RawValue;
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, Interval, interval_at, timeout},
};

/// A silent connection gets a sign of life this often.
const QUIET: Duration = Duration::from_secs(15);

/// A browser comes back so soon after a cut (by itself it waits three seconds or more); in front of
/// a stream's first event.
const RETRY: &[u8] = b"retry: 1000\n";

/// A cancelled task is waited for so long, to tell its last state.
const CANCELLING: Duration = Duration::from_secs(1);

/// A task's state.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TaskState {
    task_id: String,
    status: Status,
    /// Where its events are; the URL can be read without headers for a while.
    events: String,
    /// When it came, Unix milliseconds.
    created_ms: i64,
    /// The answer so far.
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    recalled: Option<Recalled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    usage: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Kept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Problem>)]
    error: Option<serde_json::Value>,
}

impl TaskState {
    /// As it is now.
    pub fn of(graph: &Graph, task: &Task) -> Self {
        let fate = task.read();
        let outcome = fate.outcome.as_ref();
        TaskState {
            task_id: task.id.to_string(),
            status: fate.status,
            events: events_url(graph, task),
            created_ms: task.created_ms,
            recalled: fate.recalled.as_ref().map(Recalled::from),
            finish_reason: outcome.map(|o| o.finish_reason.clone()),
            usage: outcome.and_then(event::usage),
            turn_id: outcome.map(|o| o.turn_id.to_string()),
            memory: outcome.map(|o| o.memory),
            error: fate
                .failed
                .and_then(|failed| serde_json::to_value(problem(&failed.error)).ok()),
            text: fate.text,
        }
    }
}

/// Where a task's events are, with the capability to read them for as long as they can be there.
fn events_url(graph: &Graph, task: &Task) -> String {
    let limits = &graph.state.config.limits;
    let until = cap::now() + limits.deadline_s + limits.task_keep_s;
    let cap = cap::make(&graph.state.secret, &task.id, until);
    format!("/api/v1/tasks/{}/events?cap={cap}", task.id)
}

/// A task that runs by itself.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Accepted {
    task_id: String,
    status: Status,
    /// Where its events are; the URL can be read without headers for a while.
    events: String,
}

/// 202: it runs by itself.
pub(super) fn accepted(graph: &Graph, task: &Task) -> HttpResponse {
    HttpResponse::Accepted()
        .insert_header((header::LOCATION, format!("/api/v1/tasks/{}", task.id)))
        .json(Accepted {
            task_id: task.id.to_string(),
            status: task.read().status,
            events: events_url(graph, task),
        })
}

/// `GET /api/v1/tasks/{id}`
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}", tag = "tasks", operation_id = "read_task",
    summary = "A task's state, with the answer so far",
    params(Caller, ("id" = String, Path, description = "`task_id`")),
    responses((status = 200, description = "Its state", body = TaskState)),
)]
pub async fn state(req: HttpRequest, id: web::Path<String>) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    let task = own(&req, &graph, &id).map_err(Fault::native)?;
    Ok(HttpResponse::Ok().json(TaskState::of(&graph, &task)))
}

/// `DELETE /api/v1/tasks/{id}`: cancels it; what has ended stays as it is.
#[utoipa::path(
    delete, path = "/api/v1/tasks/{id}", tag = "tasks", operation_id = "cancel_task",
    summary = "Cancel a task",
    description = "The upstream is closed; what was answered so far is kept. A task that has ended stays as it is.",
    params(Caller, ("id" = String, Path, description = "`task_id`")),
    responses((status = 200, description = "Its state", body = TaskState)),
)]
pub async fn cancel(req: HttpRequest, id: web::Path<String>) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    let task = own(&req, &graph, &id).map_err(Fault::native)?;
    task.cancel();
    // Its worker may be busy: then its state says running still, and it ends a little later.
    let _ = timeout(CANCELLING, task.end()).await;
    Ok(HttpResponse::Ok().json(TaskState::of(&graph, &task)))
}

/// The task, if it is the caller's.
fn own(req: &HttpRequest, graph: &Graph, id: &str) -> Result<Arc<Task>, Error> {
    let user = identity::user(req)?;
    let (tasks, limits) = (&graph.state.tasks, &graph.state.config.limits);
    tasks.get(limits, id, Viewer::User(user.as_deref()))
}

/// `GET /api/v1/tasks/{id}/events`
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/events", tag = "tasks", operation_id = "watch_task",
    summary = "A detached task's events",
    description = "From the first one, or from the one after `Last-Event-ID`, without a gap or a repeat.",
    params(
        Caller,
        ("id" = String, Path, description = "`task_id`"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was seen"),
        ("last_event_id" = Option<String>, Query, description = "The same, for the first request of an `EventSource`"),
        ("cap" = Option<String>, Query, description = "The right to read, from the `events` URL"),
    ),
    responses(
        (status = 200, description = "The events", content_type = "text/event-stream", body = String),
        (status = 204, description = "The end has been seen already"),
    ),
)]
pub async fn events(req: HttpRequest, id: web::Path<String>) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    view(&req, &graph, &id).map_err(Fault::native)
}

fn view(req: &HttpRequest, graph: &Graph, id: &str) -> Result<HttpResponse, Error> {
    let query = Query::read(req, &["cap", "last_event_id"])?;
    let state = &graph.state;
    let task = match query.get("cap") {
        None => own(req, graph, id)?,
        Some(cap) if cap::opens(&state.secret, id, cap) => {
            state.tasks.get(&state.config.limits, id, Viewer::Capable)?
        }
        Some(_) => {
            let detail = "this events URL is not valid any more: GET the task for a new one";
            return Err(Error::Forbidden(detail.into()));
        }
    };
    let seen = last_event_id(req, query.get("last_event_id"))?;
    let (after, ended) = task.after(seen, 1);
    if seen > task.count() {
        let detail = "this task has no such event";
        return Err(Error::invalid("Last-Event-ID", detail));
    }
    match ended && after.is_empty() {
        // An `EventSource` stops here.
        true => Ok(HttpResponse::NoContent().finish()),
        false => Ok(stream(req, task, seen)),
    }
}

/// A viewer of a task, who has seen the first `seen` events.
pub(super) fn stream(req: &HttpRequest, task: Arc<Task>, seen: usize) -> HttpResponse {
    struct At {
        task: Arc<Task>,
        seen: usize,
        more: watch::Receiver<usize>,
        ping: Interval,
        begun: bool,
    }
    let at = At {
        more: task.watch(),
        task,
        seen,
        ping: interval_at(Instant::now() + QUIET, QUIET),
        begun: false,
    };
    let events = stream::unfold(Some(at), |at| async move {
        let mut at = at?;
        loop {
            at.more.mark_unchanged();
            let (events, ended) = at.task.after(at.seen, UNWRITTEN);
            if !events.is_empty() {
                let count = events.len();
                at.seen += count;
                at.ping.reset();
                let start = if at.begun { &[][..] } else { RETRY };
                at.begun = true;
                return Some(((joined(start, events), count), (!ended).then_some(at)));
            }
            tokio::select! {
                more = at.more.changed() => more.ok()?,
                _ = at.ping.tick() => return Some(((PING, 1), Some(at))),
            }
        }
    });
    paced::answer(req, fault::sse(&mut HttpResponse::Ok()), events)
}

fn joined(start: &[u8], mut events: Vec<Bytes>) -> Bytes {
    if start.is_empty() && events.len() == 1 {
        return events.swap_remove(0);
    }
    let mut all = BytesMut::from(start);
    events.iter().for_each(|event| all.extend_from_slice(event));
    all.freeze()
}

/// The pieces of a task that is bound to its connection, framed as they come.
pub(super) fn framed(
    first: Option<Piece>,
    pieces: Pin<Box<dyn Stream<Item = Piece>>>,
) -> impl Stream<Item = Paced> {
    let ping = interval_at(Instant::now() + QUIET, QUIET);
    stream::unfold(
        (first, pieces, ping, 1),
        |(first, mut pieces, mut ping, id)| async move {
            let piece = match first {
                Some(piece) => piece,
                None => tokio::select! {
                    biased;
                    piece = pieces.next() => piece?,
                    _ = ping.tick() => Piece::Quiet,
                },
            };
            let next = match piece {
                Piece::Quiet => id,
                _ => {
                    ping.reset();
                    id + 1
                }
            };
            let event = event::frame(id, &piece);
            Some(((event, 1), (None, pieces, ping, next)))
        },
    )
}
