//! The turn of an answer that is on its way: written back at most once, wholly or in part.

use super::attempts::Route;
use crate::{
    actors::memory::MemoryPort,
    error::Error,
    memory::{Ack, MemoryMode, Said, TurnStatus, Writeback, kept},
    store::Command,
    turn::Case,
};
use serde::Deserialize;
use std::sync::Arc;
use tokio::sync::oneshot;

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

/// A turn that has not been written back yet.
pub struct Unwritten {
    case: Case,
    said: Option<Said>,
    memory: MemoryPort,
    /// The id it was kept under, where the store gave it another.
    kept_as: Option<Arc<str>>,
}

impl Unwritten {
    /// The turn of a case.
    pub fn new(case: Case, said: Option<Said>, memory: MemoryPort) -> Self {
        Unwritten {
            case,
            said,
            memory,
            kept_as: None,
        }
    }

    /// The turn's id.
    pub fn id(&self) -> Arc<str> {
        self.kept_as.as_ref().unwrap_or(&self.case.turn).clone()
    }

    /// One line of the log on how it went, with what it took.
    pub fn report(&self, route: &Route, ended: Result<&str, &Error>, usage: Option<&[u8]>) {
        let usage = usage.and_then(|json| serde_json::from_slice::<Usage>(json).ok());
        let Usage {
            prompt_tokens,
            completion_tokens,
        } = usage.unwrap_or_default();
        let (finish_reason, error) = (ended.ok(), ended.err().map(Error::code));
        tracing::info!(
            parent: &self.case.span,
            backend = %route.backend, attempts = route.attempts, finish_reason, error,
            prompt_tokens, completion_tokens, ms = self.case.began.elapsed().as_millis() as u64,
            "answered"
        );
    }

    /// Writes the whole answer back and waits until it is durable, or is not going to be.
    pub async fn keep(&mut self, answer: String) -> Kept {
        let Some(writeback) = self.writeback(answer, TurnStatus::Complete) else {
            return Kept::Off;
        };
        match self.memory.keep(Arc::new(writeback)).await {
            Ack::Recorded(id) => {
                self.kept_as = Some(id);
                Kept::Recorded
            }
            Ack::Spooled => Kept::Degraded,
            Ack::Off => Kept::Off,
        }
    }

    /// Writes back what there is of it; nobody waits.
    pub fn keep_partial(&mut self, answer: String) {
        if let Some(writeback) = self.writeback(answer, TurnStatus::Partial) {
            let (ack, _nobody) = oneshot::channel();
            self.memory.send(Command::Keep(Arc::new(writeback), ack));
        }
    }

    fn writeback(&mut self, answer: String, status: TurnStatus) -> Option<Writeback> {
        let said = self.said.take()?;
        let user = self.case.user.clone()?;
        (self.case.mode == MemoryMode::On).then(|| Writeback {
            user,
            turn: self.case.turn.clone(),
            conversation: said.conversation,
            query: said.query,
            answer: kept(&answer),
            status,
            began_ms: self.case.began_ms,
        })
    }
}

/// Token counts, as far as they are logged.
#[derive(Default, Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
}
