//! One detached task: its events, framed once and shared by all who view it, on whichever worker;
//! its state; and the way to cancel it.

use crate::{
    error::Error,
    prompt::RecallReport,
    web::{
        attempts::Failed,
        exchange::{Outcome, Piece},
    },
};
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The events of one task may take so much; an answer beyond it is cut.
const LOG_BYTES: usize = 16 << 20;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It runs.
    Running,
    /// All of the answer came.
    Done,
    /// It broke off.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

/// One detached task.
pub struct Task {
    /// Its id, and its turn's.
    pub id: Arc<str>,
    /// Whose it is; nobody else sees it.
    pub owner: Option<String>,
    /// When it came, Unix milliseconds.
    pub created_ms: i64,
    log: Mutex<Log>,
    /// How many events there are; viewers wait for it to change.
    count: watch::Sender<usize>,
    cancel: watch::Sender<bool>,
}

struct Log {
    events: Vec<Bytes>,
    bytes: usize,
    fate: Fate,
}

/// What became of a task so far.
#[derive(Clone)]
pub struct Fate {
    /// Where it stands.
    pub status: Status,
    /// The answer so far.
    pub text: String,
    /// What was recalled for it.
    pub recalled: Option<RecallReport>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Why it failed.
    pub failed: Option<Failed>,
}

impl Task {
    /// A task about to run.
    pub fn new(id: Arc<str>, owner: Option<String>, created_ms: i64) -> Self {
        Task {
            id,
            owner,
            created_ms,
            log: Mutex::new(Log {
                events: Vec::new(),
                bytes: 0,
                fate: Fate {
                    status: Status::Running,
                    text: String::new(),
                    recalled: None,
                    outcome: None,
                    failed: None,
                },
            }),
            count: watch::Sender::new(0),
            cancel: watch::Sender::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends what happened. False: the log is full, and the task is to end.
    pub fn push(&self, piece: Piece) -> bool {
        let mut log = self.lock();
        if log.fate.status != Status::Running {
            return false;
        }
        let event = super::event::frame(log.events.len() + 1, &piece);
        let mut bytes = event.len() + size_of::<Bytes>();
        if let Piece::Text(text) = &piece {
            bytes += text.len();
            if log.bytes + bytes > LOG_BYTES {
                return false;
            }
        }
        match piece {
            Piece::Recalled(report, _) => log.fate.recalled = Some(report),
            Piece::Text(text) => log.fate.text.push_str(&text),
            Piece::Quiet => return true,
            Piece::Done(outcome) => {
                log.fate.status = Status::Done;
                log.fate.outcome = Some(outcome);
            }
            Piece::Failed(failed) => {
                log.fate.status = match failed.error {
                    Error::Cancelled => Status::Cancelled,
                    _ => Status::Failed,
                };
                log.fate.failed = Some(failed);
            }
        }
        log.bytes += bytes;
        log.events.push(event);
        let count = log.events.len();
        drop(log);
        self.count.send_replace(count);
        true
    }

    /// What became of it so far.
    pub fn read(&self) -> Fate {
        self.lock().fate.clone()
    }

    /// Whether it has ended.
    pub fn ended(&self) -> bool {
        self.lock().fate.status != Status::Running
    }

    /// Bytes that its events and its text take.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Events there are now.
    pub fn count(&self) -> usize {
        self.lock().events.len()
    }

    /// Told when there are more events.
    pub fn watch(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// The events after the first `seen`, `most` at once, and whether the last of all is among them
    /// or before.
    pub fn after(&self, seen: usize, most: usize) -> (Vec<Bytes>, bool) {
        let log = self.lock();
        let rest = log.events.get(seen..).unwrap_or_default();
        let events = &rest[..rest.len().min(most)];
        let ended = log.fate.status != Status::Running && events.len() == rest.len();
        (events.to_vec(), ended)
    }

    /// Resolves once the task has ended.
    pub async fn end(&self) {
        let mut count = self.watch();
        while !self.ended() {
            if count.changed().await.is_err() {
                return;
            }
        }
    }

    /// Its user was erased: it ends, and nothing of it is left for those who view it.
    pub fn erase(&self) {
        self.push(Piece::Failed(Error::Cancelled.into()));
        let mut log = self.lock();
        log.fate.text = String::new();
        log.fate.recalled = None;
        // Viewers count events; the text is in none of them any more.
        let last = log.events.len().saturating_sub(1);
        log.events[..last]
            .iter_mut()
            .for_each(|event| *event = Bytes::from_static(b": erased\n\n"));
        drop(log);
        self.cancel();
    }

    /// Asks it to end.
    pub fn cancel(&self) {
        self.cancel.send_replace(true);
    }

    /// Resolves when somebody has asked it to end.
    pub async fn cancelled(&self) {
        let mut cancel = self.cancel.subscribe();
        // The sender is ours: it outlives the wait.
        let _ = cancel.wait_for(|cancelled| *cancelled).await;
    }
}
