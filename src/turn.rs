//! The message that walks the graph. A request becomes a `Turn<Submitted>`; each actor turns it
//! into the next stage and pushes it on; END is a [`Call`], which goes back to the web handler on
//! the channel that the turn carries. Nothing is ever asked for along the way: a turn that is
//! dropped closes its channel, and its caller gets a clean error.

use crate::{
    error::Error,
    memory::{MemoryMode, Said, TurnId, UserKey},
    pool::{Lease, Request, Tried},
    prompt::RecallReport,
    supervise::{Post, Vitals},
};
use actix::prelude::*;
use futures_util::FutureExt;
use std::{
    collections::BTreeMap,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Instant,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A stage of a turn, by the name that `GET /api/v1/graph` shows.
pub trait Stage: Send + 'static {
    /// As in `Turn<Asked>`.
    const NAME: &'static str;
}

/// What every step may need, whatever the stage.
pub struct Case {
    /// The turn's id: what was said is kept under it, once.
    pub turn: TurnId,
    /// Who asks; `None` is served without memory.
    pub user: Option<UserKey>,
    /// What memory may do for this request.
    pub mode: MemoryMode,
    /// Which backend is best, among equals: who had the same prompt's beginning before.
    pub affinity: Option<u64>,
    /// What the caller sent along, and `user_id`. Templates can read it.
    pub meta: BTreeMap<String, String>,
    /// The id in `x-request-id` and in every log line of the request.
    pub request_id: Arc<str>,
    /// When the turn began: an erase that comes later wins over its write-back.
    pub began: Instant,
    /// The same, as Unix milliseconds.
    pub began_ms: i64,
    /// After this the turn is given up wherever it is.
    pub deadline: Instant,
    /// Logs of all steps hang under it.
    pub span: tracing::Span,
    /// The place among the admitted; given back when the turn's last part is dropped.
    pub permit: OwnedSemaphorePermit,
}

/// One occupied place at a node; ops read the count as the node's depth.
pub struct Seat(Arc<Vitals>);

impl Seat {
    fn at(vitals: &Arc<Vitals>) -> Self {
        vitals.turns.fetch_add(1, Relaxed);
        Seat(vitals.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.turns.fetch_sub(1, Relaxed);
    }
}

/// One turn at one stage.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Turn<S: Stage> {
    /// What rides along unchanged in kind.
    pub case: Case,
    /// What this step works on.
    pub stage: S,
    reply: oneshot::Sender<Result<Call, Error>>,
    seat: Option<Seat>,
}

/// END: all that the web worker needs to open the upstream stream itself and to write back.
pub struct Call {
    /// Rides on until the body is dropped.
    pub case: Case,
    /// The right to use one backend, given back on drop.
    pub lease: Lease,
    /// What is sent to it.
    pub request: Request,
    /// Backends that failed this turn before.
    pub tried: Vec<Tried>,
    /// What the user said, for the write-back; `None` where nothing is to be kept.
    pub said: Option<Said>,
    /// What recall found, for the headers and the `recalled` event.
    pub recall: RecallReport,
    /// The stream still counts at the model node.
    pub seat: Option<Seat>,
}

impl<S: Stage> Turn<S> {
    /// A turn about to enter the graph, and the channel its caller waits on, once.
    pub fn start(case: Case, stage: S) -> (Self, oneshot::Receiver<Result<Call, Error>>) {
        let (reply, answer) = oneshot::channel();
        let turn = Turn {
            case,
            stage,
            reply,
            seat: None,
        };
        (turn, answer)
    }

    /// The next stage, or the end of the turn with an error for its caller.
    pub fn step<T: Stage>(
        self,
        f: impl FnOnce(&mut Case, S) -> Result<T, Error>,
    ) -> Option<Turn<T>> {
        let mut case = self.case;
        match f(&mut case, self.stage) {
            Ok(stage) => Some(Turn {
                case,
                stage,
                reply: self.reply,
                seat: self.seat,
            }),
            Err(error) => {
                // The caller may be gone; then nobody is left to tell.
                let _ = self.reply.send(Err(error));
                None
            }
        }
    }

    /// Ends the turn with an error.
    pub fn fail(self, error: Error) {
        let _ = self.reply.send(Err(error));
    }

    /// Ends the turn with a call; a caller that is gone drops the call, lease and all.
    pub fn finish(self, f: impl FnOnce(Case, S) -> Call) {
        let mut call = f(self.case, self.stage);
        call.seat = self.seat;
        let _ = self.reply.send(Ok(call));
    }

    /// Whether the caller still waits.
    pub fn wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    /// Resolves when the caller has gone.
    pub async fn abandoned(&mut self) {
        self.reply.closed().await;
    }

    /// Async work on behalf of one turn, in its own task: its panic costs this turn only.
    pub fn work<F: Future<Output = ()> + 'static>(self, f: impl FnOnce(Self) -> F) {
        actix::spawn(AssertUnwindSafe(f(self)).catch_unwind());
    }
}

/// A typed edge of the graph: miswired, it does not compile. Where the replica it leads to is
/// down, turns go to a sibling's.
pub struct Port<S: Stage> {
    post: Post<S>,
}

impl<S: Stage> Clone for Port<S> {
    fn clone(&self) -> Self {
        Port {
            post: self.post.clone(),
        }
    }
}

impl<S: Stage> Port<S> {
    /// The edge into the node that serves at `post`.
    pub fn to(post: Post<S>) -> Self {
        Port { post }
    }

    /// The node it leads to.
    pub fn node(&self) -> &'static str {
        self.post.vitals().node
    }

    /// Sends a turn on. It is never lost silently: a turn that nobody takes fails its caller.
    pub fn push(&self, mut turn: Turn<S>) {
        match self.post.pick() {
            Some((to, vitals)) => {
                turn.seat = Some(Seat::at(&vitals));
                to.do_send(turn);
            }
            None => turn.fail(Error::Crashed(self.node())),
        }
    }
}

/// One replica: where turns go, and how it is.
type Replica<S> = (Recipient<Turn<S>>, Arc<Vitals>);

/// The replicas of one node, over all workers: where a port looks when its own is down.
pub struct Siblings<S: Stage> {
    // Locked when a worker starts and on the fall-back path only.
    all: Mutex<Vec<Replica<S>>>,
}

impl<S: Stage> Default for Siblings<S> {
    fn default() -> Self {
        Siblings {
            all: Mutex::default(),
        }
    }
}

impl<S: Stage> Siblings<S> {
    /// One more replica.
    pub fn join(&self, to: Recipient<Turn<S>>, vitals: Arc<Vitals>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((to, vitals));
    }

    /// Any replica that is up.
    pub fn up(&self) -> Option<Replica<S>> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(_, v)| v.is_up()).cloned()
    }
}
