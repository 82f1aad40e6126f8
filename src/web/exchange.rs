//! A request admitted (the case it rides in, with its permit), and a native answer from its start
//! to its end, piece by piece.

use super::{
    attempts::{self, Failed, Route},
    relay::Relay,
    unwritten::Kept,
};
use crate::{
    actors::gateway::Submitted, error::Error, graph::Graph, memory::MemoryMode,
    prompt::RecallReport, state::State, turn::Case,
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

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
        affinity: None,
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

/// One thing that a native answer consists of.
pub enum Piece {
    /// What was recalled, and who answers; once, first.
    Recalled(RecallReport, Route),
    /// Text, as the backend cut it.
    Text(String),
    /// Nothing for a while: the connection wants a sign of life.
    Quiet,
    /// The end: all of it came and is durable, or is said not to be.
    Done(Outcome),
    /// The end: it broke off.
    Failed(Failed),
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
    pub route: Route,
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
                Some(match attempts::open(&graph, case, submitted).await {
                    Ok(opened) => {
                        let recalled = Piece::Recalled(opened.call.recall.clone(), opened.route());
                        let relay = Relay::native(opened, graph.memory.clone());
                        (recalled, At::Relay(Box::new(relay)))
                    }
                    Err(failed) => (Piece::Failed(failed), At::End),
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
