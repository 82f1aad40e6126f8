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
    body,
    exchange::{self, Piece, case},
    fault::{self, Fault, only},
    identity,
    openapi::{Attitude, Caller},
    server::graph,
};
use crate::{actors::gateway::Submitted, error::Error, graph::Graph, turn::Case};
use actix_web::{HttpRequest, HttpResponse, rt, web};
use futures_util::{FutureExt, Stream, StreamExt};
use log::Task;
use request::{Wish, idempotency_key};
use std::{panic::AssertUnwindSafe, pin::Pin, rc::Rc, sync::Arc, time::Duration};
use table::Begun;
use tokio::time::timeout;

/// The head of a stream waits so long for the first piece, which may be an error with a status of
/// its own.
const HEAD: Duration = Duration::from_secs(5);

/// The routes under `/api/v1`.
pub fn routes(app: &mut web::ServiceConfig) {
    let task = web::resource("/tasks/{id}")
        .get(view::state)
        .delete(view::cancel);
    app.service(only("POST", web::resource("/tasks").post(create)))
        .service(only("GET, DELETE", task))
        .service(only(
            "GET",
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
    begin(graph, &req, payload).await.map_err(Fault::native)
}

async fn begin(
    graph: Rc<Graph>,
    req: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
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
        return answer(&graph, known, wish).await;
    }
    let task = TaskRequest::read(&graph, &bytes, conversation)?;
    let (submitted, meta) = task.submitted(user.clone());
    submitted.check(&meta)?;
    head.meta = meta;
    let case = case(&state, head)?;
    if wish == Wish::Events && key.is_none() {
        return bound(graph, case, submitted).await;
    }
    let task = Task::new(case.turn.clone(), user, case.began_ms);
    match state.tasks.begin(task, key.map(|key| (key, &bytes[..])))? {
        Begun::Known(known) => answer(&graph, known, wish).await,
        Begun::New(task) => {
            rt::spawn(run(graph.clone(), task.clone(), case, submitted));
            answer(&graph, task, wish).await
        }
    }
}

/// The answer to whoever asked for a detached task, new or known.
async fn answer(graph: &Graph, task: Arc<Task>, wish: Wish) -> Result<HttpResponse, Error> {
    match wish {
        Wish::Events => Ok(view::stream(task, 0)),
        Wish::Detached => Ok(view::accepted(graph, &task)),
        Wish::Wait(most) => {
            if timeout(most, task.end()).await.is_err() {
                return Ok(view::accepted(graph, &task));
            }
            if let Some(error) = task.read().error {
                return Err(error);
            }
            let applied = format!("wait={}", most.as_secs());
            let mut response = HttpResponse::Ok();
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
                () = task.cancelled() => Some(Piece::Failed(Error::Cancelled)),
                piece = pieces.next() => piece,
            };
            let Some(piece) = piece else { return };
            let last = matches!(piece, Piece::Done(_) | Piece::Failed(_));
            if !task.push(piece) {
                task.push(Piece::Failed(Error::Upstream(
                    "its answer is longer than is kept".into(),
                )));
                return;
            }
            if last {
                return;
            }
        }
    };
    if AssertUnwindSafe(running).catch_unwind().await.is_err() {
        task.push(Piece::Failed(Error::Crashed("task")));
    }
    state.tasks.end(&state.config.limits, &task);
}

/// The events, bound to the connection: hanging up drops the pieces, and with them everything.
async fn bound(graph: Rc<Graph>, case: Case, submitted: Submitted) -> Result<HttpResponse, Error> {
    let turn = case.turn.clone();
    let mut pieces: Pin<Box<dyn Stream<Item = Piece>>> =
        Box::pin(exchange::run(graph, case, submitted));
    let first = match timeout(HEAD, pieces.next()).await {
        Ok(Some(Piece::Failed(error))) => return Err(error),
        Ok(first) => first,
        Err(_slow) => None,
    };
    let mut response = HttpResponse::Ok();
    response.insert_header(("x-sundynix-turn", &*turn));
    Ok(fault::sse(&mut response).streaming(view::framed(first, pieces)))
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
