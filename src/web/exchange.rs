//! From a request to an open answer: the case with its permit, the one wait for the graph, and the
//! head of the backend's answer. What fails before that goes back to the model node with what was
//! tried; what comes after it is the relay's.

use super::relay::Relay;
use crate::{
    actors::{gateway::Submitted, pool_model::Prompted},
    error::Error,
    graph::{Answering, Graph},
    memory::MemoryMode,
    pool::{Answer, Extras},
    prompt::{RecallReport, RecallState},
    state::State,
    turn::{Call, Case},
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::time::timeout_at;

/// Attempts at most, each at another backend.
const ATTEMPTS: usize = 3;

/// What a request's head says of itself.
pub struct Head {
    /// In `x-request-id` and every log line.
    pub request_id: Arc<str>,
    /// What memory may do.
    pub mode: MemoryMode,
    /// What the caller sent along.
    pub meta: BTreeMap<String, String>,
}

/// Admits a request: the case it rides in, with a permit.
pub fn case(state: &State, head: Head) -> Result<Case, Error> {
    if !state.admits() {
        return Err(Error::Draining);
    }
    let busy = Error::Busy {
        what: "the gateway is at capacity",
        retry_after: 1,
    };
    let permit = state
        .admission
        .clone()
        .try_acquire_owned()
        .map_err(|_| busy)?;
    let began = Instant::now();
    let span = tracing::info_span!("turn", request_id = %head.request_id);
    Ok(Case {
        turn: uuid::Uuid::now_v7().simple().to_string().into(),
        user: None,
        mode: head.mode,
        meta: head.meta,
        request_id: head.request_id,
        began,
        began_ms: now_ms(),
        deadline: began + Duration::from_secs(state.config.limits.deadline_s),
        span,
        permit,
    })
}

/// Now, in Unix milliseconds.
pub fn now_ms() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// An answer whose head was good.
pub struct Opened {
    /// The turn, with its lease.
    pub call: Call,
    /// What comes.
    pub answer: Answer,
    /// What the backend says beside it.
    pub extras: Extras,
}

/// Walks the graph and opens the answer. Dropping the future gives everything back.
pub async fn open(graph: &Graph, case: Case, submitted: Submitted) -> Result<Opened, Error> {
    let deadline = case.deadline;
    let mut call = arrive(graph.submit(case, submitted), deadline).await?;
    loop {
        let opening = graph.client.open(call.lease.backend(), &call.request);
        let failure = match timeout_at(deadline.into(), opening).await {
            Err(_) => {
                let late = Error::Timeout("the request");
                call.lease.failed(&late);
                return Err(late);
            }
            Ok(Ok((answer, extras))) => {
                match &answer {
                    Answer::Stream(_) => call.lease.answered(),
                    Answer::Whole(_) => call.lease.good(),
                }
                return Ok(Opened {
                    call,
                    answer,
                    extras,
                });
            }
            Ok(Err(failure)) => failure,
        };
        tracing::info!(
            parent: &call.case.span,
            backend = %call.lease.backend().name, code = failure.error.code(), "a backend failed the request"
        );
        // A request that only our edit made unacceptable is not the caller's fault.
        if matches!(failure.error, Error::Refused { status: 400, .. })
            && let Some(plain) = call.request.unedited.take()
        {
            call.request.body = plain;
            call.recall.state = RecallState::Rejected;
            call.recall.items.clear();
            continue;
        }
        call.lease.failed(&failure.error);
        if !failure.elsewhere || call.tried.len() + 1 >= ATTEMPTS {
            return Err(failure.error);
        }
        call.tried.push(call.lease.backend().id);
        let again = Prompted {
            request: call.request,
            recall: call.recall,
            said: call.said,
            tried: call.tried,
        };
        drop(call.lease);
        drop(call.seat);
        call = match arrive(graph.again(call.case, again), deadline).await {
            // Nobody else to ask: what the last one said is the better answer.
            Err(Error::NoBackend(_)) => return Err(failure.error),
            other => other?,
        };
    }
}

async fn arrive(answer: Answering, deadline: Instant) -> Result<Call, Error> {
    match timeout_at(deadline.into(), answer).await {
        Ok(Ok(call)) => call,
        Ok(Err(_dropped)) => Err(Error::Crashed("graph")),
        Err(_) => Err(Error::Timeout("the request")),
    }
}

/// One thing that a native answer consists of.
pub enum Piece {
    /// What was recalled; once, first.
    Recalled(RecallReport),
    /// Text, as the backend cut it.
    Text(String),
    /// Nothing for a while: the connection wants a sign of life.
    Quiet,
    /// The end: all of it came and is durable, or is said not to be.
    Done(Outcome),
    /// The end: it broke off.
    Failed(Error),
}

/// How an answer ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Why the model stopped.
    pub finish_reason: String,
    /// Token counts, as the backend wrote them.
    pub usage: Option<Bytes>,
    /// The turn it is kept under.
    pub turn_id: Arc<str>,
    /// How the write-back ended.
    pub memory: Kept,
    /// Which backend answered.
    pub backend: Arc<str>,
}

/// How a write-back ended, as callers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// Durable in the store.
    Recorded,
    /// Durable in the spool: the store is down.
    Degraded,
    /// Not kept.
    Off,
}

impl Kept {
    /// As in SSE comments.
    pub fn name(self) -> &'static str {
        match self {
            Kept::Recorded => "recorded",
            Kept::Degraded => "degraded",
            Kept::Off => "off",
        }
    }
}

/// A native answer, piece by piece. Dropping it closes the upstream and keeps what was sent.
pub fn run(graph: Rc<Graph>, case: Case, submitted: Submitted) -> impl Stream<Item = Piece> {
    enum At {
        Start(Box<(Rc<Graph>, Case, Submitted)>),
        Relay(Box<Relay>),
        End,
    }
    let start = At::Start(Box::new((graph, case, submitted)));
    stream::unfold(start, |at| async move {
        match at {
            At::Start(start) => {
                let (graph, case, submitted) = *start;
                Some(match open(&graph, case, submitted).await {
                    Ok(opened) => {
                        let report = opened.call.recall.clone();
                        let relay = Relay::native(opened, graph.memory.clone());
                        (Piece::Recalled(report), At::Relay(Box::new(relay)))
                    }
                    Err(error) => (Piece::Failed(error), At::End),
                })
            }
            At::Relay(mut relay) => {
                let piece = relay.piece().await;
                let end = matches!(piece, Piece::Done(_) | Piece::Failed(_));
                Some((piece, if end { At::End } else { At::Relay(relay) }))
            }
            At::End => None,
        }
    })
}
