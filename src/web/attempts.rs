//! From a request to an answer that has begun: the one wait for the graph, then the backend. A
//! failure before the first content goes back to the model node with what was tried, within the
//! attempts, the retry budget and the deadline; what comes after the first content is the relay's.

use super::{
    content::{First, first},
    incoming::{Incoming, unfinished},
    later::jitter,
};
use crate::{
    actors::{gateway::Submitted, pool_model::Prompted},
    chat::without_usage,
    error::Error,
    graph::{Answering, Graph},
    pool::{Answer, Extras, Failure, Tried},
    prompt::RecallState,
    turn::{Call, Case},
};
use bytes::Bytes;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout_at};

/// Attempts at most, each at another backend, or for another model of a chain.
const ATTEMPTS: usize = 3;

/// The longest pause before the third attempt. The second is made at once: another backend need
/// not be spared what this one could not do.
const PAUSE: Duration = Duration::from_millis(100);

/// A backend that has asked for a rest no longer than this may be asked again after it, where no
/// other is left: the pool lets nobody to it before.
const REST: Duration = Duration::from_secs(5);

/// Who was asked last, and the how manieth that was.
#[derive(Clone, Debug)]
pub struct Route {
    /// The backend.
    pub backend: Arc<str>,
    /// Attempts, this one included.
    pub attempts: usize,
}

impl Route {
    /// As response headers.
    pub fn headers(&self) -> [(&'static str, String); 2] {
        [
            ("x-sundynix-backend", self.backend.to_string()),
            ("x-sundynix-attempts", self.attempts.to_string()),
        ]
    }
}

/// An answer that has begun.
pub struct Opened<A> {
    /// The turn, with its lease.
    pub call: Call,
    /// What comes.
    pub answer: A,
    /// What the backend says beside it.
    pub extras: Extras,
    /// The how manieth attempt it was.
    pub attempts: usize,
}

/// What an answer may begin as: `Incoming` as a stream, [`Bytes`] as a whole.
pub trait Begin: Sized {
    /// Waits for its first content.
    fn begin(answer: Answer) -> impl Future<Output = Result<Self, Error>>;
}

impl Begin for Incoming {
    async fn begin(answer: Answer) -> Result<Self, Error> {
        let Answer::Stream(stream) = answer else {
            return Err(Error::Upstream("it does not stream".into()));
        };
        let mut incoming = Incoming::new(stream);
        incoming.begin().await?;
        Ok(incoming)
    }
}

impl Begin for Bytes {
    async fn begin(answer: Answer) -> Result<Self, Error> {
        let Answer::Whole(whole) = answer else {
            return Err(Error::Upstream("it streams where it should not".into()));
        };
        match first(&whole) {
            First::Content => Ok(whole),
            First::Nothing => Err(unfinished()),
            First::Failed(why) => Err(Error::Upstream(why)),
        }
    }
}

impl<A> Opened<A> {
    /// Who answers.
    pub fn route(&self) -> Route {
        Route {
            backend: self.call.lease.backend().name.clone(),
            attempts: self.attempts,
        }
    }
}

/// Why there is no answer, or why it broke off.
#[derive(Clone, Debug)]
pub struct Failed {
    /// What the caller is told.
    pub error: Error,
    /// Who was asked last; `None`: nobody was.
    pub route: Option<Route>,
    /// When the backend wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed {
            error,
            route: None,
            retry_after: None,
        }
    }
}

/// Walks the graph and opens the answer. Dropping the future gives everything back.
pub async fn open<A: Begin>(
    graph: &Graph,
    case: Case,
    submitted: Submitted,
) -> Result<Opened<A>, Failed> {
    let (deadline, pool) = (case.deadline, &graph.state.pool);
    pool.budget.request();
    let mut call = match arrive(graph.submit(case, submitted), deadline).await {
        Err(Error::NoBackend(model)) => {
            return Err(Failed {
                retry_after: pool.back_in(&model),
                ..Error::NoBackend(model).into()
            });
        }
        other => other?,
    };
    let mut attempts = 1;
    loop {
        let attempt = timeout_at(deadline.into(), attempt(graph, &mut call));
        let late = |_| Err(Failure::here(Error::Timeout("the request")));
        let failure = match attempt.await.unwrap_or_else(late) {
            Ok((answer, extras)) => {
                tally(graph, &call);
                return Ok(Opened {
                    call,
                    answer,
                    extras,
                    attempts,
                });
            }
            Err(failure) => failure,
        };
        tracing::info!(
            parent: &call.case.span,
            backend = %call.lease.backend().name, attempts, code = failure.error.code(),
            "a backend failed the request"
        );
        if !give_up_edits(&mut call, &failure.error) {
            call = again(graph, call, failure, attempts).await?;
            attempts += 1;
        }
    }
}

/// What was recalled into the prompt that is answered goes into its user's ledger.
fn tally(graph: &Graph, call: &Call) {
    if let (Some(user), RecallState::Hit | RecallState::Timeout, 1..) =
        (&call.case.user, call.recall.state, call.recall.tokens)
    {
        graph.state.store.recalled(user, call.recall.tokens);
    }
}

/// Sends the turn back to the model node for another backend, if it may have one.
async fn again(
    graph: &Graph,
    mut call: Call,
    failure: Failure,
    attempts: usize,
) -> Result<Call, Failed> {
    let (deadline, rest) = (call.case.deadline, failure.retry_after);
    let cost_nothing = failure.cost_nothing();
    let (backend, pool) = (call.lease.backend().clone(), &graph.state.pool);
    let model = call.lease.model().clone();
    call.lease.failed(&failure.error);
    rest.into_iter().for_each(|rest| call.lease.rest(rest));
    let failed = Failed {
        route: Some(Route {
            backend: backend.name.clone(),
            attempts,
        }),
        error: failure.error,
        retry_after: rest,
    };
    let may_retry = failure.elsewhere && attempts < ATTEMPTS;
    if !may_retry || !cost_nothing && !pool.budget.try_retry() {
        return Err(failed);
    }
    if rest.is_none_or(|rest| rest > REST) {
        call.tried.push(Tried {
            backend: backend.id,
            model: (!failure.unreached).then(|| model.clone()),
        });
    }
    let again = Prompted {
        request: call.request,
        recall: call.recall,
        said: call.said,
        tried: call.tried,
    };
    drop(call.lease);
    drop(call.seat);
    if attempts > 1 {
        sleep(jitter(PAUSE)).await;
    }
    let call = match arrive(graph.again(call.case, again), deadline).await {
        Ok(call) => call,
        // Nobody else to ask: what the last one said is the better answer.
        Err(Error::NoBackend(_) | Error::UnknownModel { .. }) => return Err(failed),
        Err(error) => return Err(Failed { error, ..failed }),
    };
    // Those whom it sent away together do not come back together.
    let same = call.lease.backend().id == backend.id && *call.lease.model() == model;
    if let Some(rest) = rest.filter(|_| same) {
        sleep(jitter(rest)).await;
    }
    Ok(call)
}

async fn arrive(answer: Answering, deadline: Instant) -> Result<Call, Error> {
    match timeout_at(deadline.into(), answer).await {
        Ok(Ok(call)) => call,
        Ok(Err(_dropped)) => Err(Error::Crashed("graph")),
        Err(_) => Err(Error::Timeout("the request")),
    }
}

/// Asks the leased backend, and waits until its answer has begun.
async fn attempt<A: Begin>(graph: &Graph, call: &mut Call) -> Result<(A, Extras), Failure> {
    let (answer, extras) = graph
        .client
        .open(call.lease.backend(), &call.request.sent_to(&call.lease))
        .await?;
    match A::begin(answer).await {
        Ok(begun) => {
            match call.request.stream {
                true => call.lease.answered(),
                false => call.lease.good(),
            }
            if !call.lease.backend().takes_memory() {
                call.recall.state = RecallState::Off;
                call.recall.items.clear();
            }
            Ok((begun, extras))
        }
        Err(error) => {
            call.lease.broke(&error);
            Err(Failure::elsewhere(error))
        }
    }
}

/// A request that only our edits made unacceptable is not the caller's fault: it is asked once
/// more without them. Whether it is to be.
fn give_up_edits(call: &mut Call, error: &Error) -> bool {
    let Error::Refused {
        status: 400 | 422,
        message,
        param,
        ..
    } = error
    else {
        return false;
    };
    let request = &mut call.request;
    let names = |text: &str| text.contains("stream_options") || text.contains("include_usage");
    if !request.show_usage
        && (names(message) || param.as_deref().is_some_and(names))
        && let Some(without) = without_usage(&request.body)
    {
        request.body = without;
        request.unedited = request.unedited.as_ref().and_then(without_usage);
        return true;
    }
    // One that takes no memory has had nothing else.
    if !call.lease.backend().takes_memory() {
        return false;
    }
    let Some(plain) = request.unedited.take() else {
        return false;
    };
    request.body = plain;
    call.recall.state = RecallState::Rejected;
    call.recall.items.clear();
    true
}
