//! `/api/v1/tasks`: the native surface. A task streams its events to the connection that asked, and
//! ends with it; or it runs by itself, and viewers come and leave, at any worker, without missing
//! an event or seeing one twice.

mod cap;
pub(super) mod event;
mod log;
mod request;
mod table;
pub(super) mod view;

pub use log::Status;
pub use request::TaskRequest;
pub use table::TaskTable;
pub use view::TaskState;

use super::{
    attempts::Failed,
    body,
    chat::HEAD,
    exchange::{self, Piece, case},
    fault::{self, Fault, Surface, only},
    identity,
    openapi::{Attitude, Caller},
    paced,
    server::graph,
};
use crate::{actors::gateway::Submitted, error::Error, graph::Graph, turn::Case};
use actix_web::{HttpRequest, HttpResponse, rt, web};
use futures_util::{FutureExt, Stream, StreamExt};
use log::Task;
use request::{Wish, idempotency_key};
use std::{panic::AssertUnwindSafe, pin::Pin, rc::Rc, sync::Arc};
use table::Begun;
use tokio::time::timeout;

/// The routes under `/api/v1`.
pub fn routes(app: &mut web::ServiceConfig) {
    let task = web::resource("/tasks/{id}")
        .get(view::state)
        .delete(view::cancel);
    app.service(only("POST", web::resource("/tasks").post(create)))
        .service(only("GET, HEAD, DELETE", task))
        .service(only(
            "GET, HEAD",
            web::resource("/tasks/{id}/events").get(view::events),
        ));
}

/// `POST /api/v1/tasks`
#[utoipa::path(
    post, path = "/api/v1/tasks", tag = "tasks", operation_id = "create_task",
    summary = "Ask something",
    description = "With `Accept: text/event-stream` the answer is the task's events, bound to the \
        connection: hanging up cancels it (with an `Idempotency-Key` it runs on, and the same \
        request gets its events again). With `Prefer: wait=30` it is the whole answer, if that is \
        there in time. Otherwise the task runs by itself, and viewers come and leave.\n\n\
        Events, each with an increasing `id`: `recalled` (a `Recalled`), `token` (`{\"text\"}`), \
        and at the end `done` (a `Done`) or `error` (a `Problem`).",
    params(
        Caller, Attitude,
        ("Prefer" = Option<String>, Header, description = "`wait=30`: wait so many seconds for the whole answer"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, description = "The same key and body is the same task"),
    ),
    request_body = TaskRequest,
    responses(
        (status = 200, description = "The events, or the whole answer", content(
            (TaskState = "application/json"), (String = "text/event-stream"))),
        (status = 202, description = "It runs by itself", body = view::Accepted,
            headers(("Location" = String, description = "Its state"))),
    ),
)]
pub async fn create(req: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    let fault = |failed| Fault::failed(failed, Surface::Native);
    begin(graph, &req, payload).await.map_err(fault)
}

async fn begin(
    graph: Rc<Graph>,
    req: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Failed> {
    let state = graph.state.clone();
    let mut head = identity::head(req, &state)?;
    let user = identity::user(req)?;
    let wish = Wish::read(req)?;
    let key = idempotency_key(req)?.map(|key| (user.clone(), key));
    let conversation = identity::conversation(req)?;
    let bytes = body::read(req, payload, state.config.limits.body_bytes).await?;
    if let Some(key) = &key
        && let Some(known) = state.tasks.known(&state.config.limits, key, &bytes)?
    {
        return answer(req, &graph, known, wish).await;
    }
    let task = TaskRequest::read(&graph, &bytes, conversation)?;
    let (submitted, meta) = task.submitted(user.clone());
    submitted.check(&meta)?;
    head.meta = meta;
    let case = case(&state, head)?;
    if wish == Wish::Events && key.is_none() {
        return bound(req, graph, case, submitted).await;
    }
    let task = Task::new(case.turn.clone(), user, case.began_ms);
    match state.tasks.begin(task, key.map(|key| (key, &bytes[..])))? {
        Begun::Known(known) => answer(req, &graph, known, wish).await,
        Begun::New(task) => {
            rt::spawn(run(graph.clone(), task.clone(), case, submitted));
            answer(req, &graph, task, wish).await
        }
    }
}

/// The answer to whoever asked for a detached task, new or known.
async fn answer(
    req: &HttpRequest,
    graph: &Graph,
    task: Arc<Task>,
    wish: Wish,
) -> Result<HttpResponse, Failed> {
    match wish {
        Wish::Events => Ok(view::stream(req, task, 0)),
        Wish::Detached => Ok(view::accepted(graph, &task)),
        Wish::Wait(most) => {
            if timeout(most, task.end()).await.is_err() {
                return Ok(view::accepted(graph, &task));
            }
            let fate = task.read();
            if let Some(failed) = fate.failed {
                return Err(failed);
            }
            let applied = format!("wait={}", most.as_secs());
            let mut response = HttpResponse::Ok();
            for header in fate.outcome.iter().flat_map(|o| o.route.headers()) {
                response.insert_header(header);
            }
            response.insert_header(("preference-applied", applied));
            Ok(response.json(TaskState::of(graph, &task)))
        }
    }
}

/// Runs a detached task to its end, whoever watches. Its permit and its lease go with it.
async fn run(graph: Rc<Graph>, task: Arc<Task>, case: Case, submitted: Submitted) {
    let state = graph.state.clone();
    let running = async {
        let mut pieces = std::pin::pin!(exchange::run(graph, case, submitted));
        loop {
            let piece = tokio::select! {
                biased;
                () = task.cancelled() => Some(Piece::Failed(Error::Cancelled.into())),
                piece = pieces.next() => piece,
            };
            let Some(piece) = piece else { return };
            let last = matches!(piece, Piece::Done(_) | Piece::Failed(_));
            if !task.push(piece) {
                let error = Error::Upstream("its answer is longer than is kept".into());
                task.push(Piece::Failed(error.into()));
                return;
            }
            if last {
                return;
            }
        }
    };
    if AssertUnwindSafe(running).catch_unwind().await.is_err() {
        task.push(Piece::Failed(Error::Crashed("task").into()));
    }
    state.tasks.end(&state.config.limits, &task);
}

/// The events, bound to the connection: hanging up drops the pieces, and with them everything.
async fn bound(
    req: &HttpRequest,
    graph: Rc<Graph>,
    case: Case,
    submitted: Submitted,
) -> Result<HttpResponse, Failed> {
    let turn = case.turn.clone();
    let mut pieces: Pin<Box<dyn Stream<Item = Piece>>> =
        Box::pin(exchange::run(graph, case, submitted));
    let first = match timeout(HEAD, pieces.next()).await {
        Ok(Some(Piece::Failed(failed))) => return Err(failed),
        Ok(first) => first,
        Err(_slow) => None,
    };
    let mut response = HttpResponse::Ok();
    response.insert_header(("x-sundynix-turn", &*turn));
    if let Some(Piece::Recalled(_, route)) = &first {
        for header in route.headers() {
            response.insert_header(header);
        }
    }
    let events = view::framed(first, pieces);
    Ok(paced::answer(req, fault::sse(&mut response), events))
}

/// The id of the last event a viewer has seen; the header wins, for a reconnecting `EventSource`
/// repeats its URL.
fn last_event_id(req: &HttpRequest, query: Option<&str>) -> Result<usize, Error> {
    let given = match req.headers().get("last-event-id") {
        Some(value) => value.to_str().unwrap_or("?"),
        None => query.unwrap_or_default(),
    };
    let wrong = |_| Error::invalid("Last-Event-ID", "takes the id of an event of this task");
    match given {
        "" => Ok(0),
        id => id.parse().map_err(wrong),
    }
}
