//! The right to use one backend, given back on drop.

use super::{Backend, breaker::Outcome, places::Places, ticket::Ticket};
use crate::error::Error;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// One request's place at one backend.
pub struct Lease {
    pub(super) backend: Arc<Backend>,
    /// The model as this backend knows it.
    pub(super) model: Arc<str>,
    pub(super) places: Arc<Places>,
    pub(super) ticket: Ticket,
    /// When it was given, and how many were there then, itself included; until the first word.
    pub(super) began: Option<(Instant, f64)>,
}

impl Lease {
    /// Which backend.
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// The model as this backend knows it.
    pub fn model(&self) -> &Arc<str> {
        &self.model
    }

    /// The first word of the answer has come.
    pub fn answered(&mut self) {
        if let Some((began, load)) = self.began.take() {
            let now = Instant::now();
            let took: Duration = now.saturating_duration_since(began);
            self.places.learn(&self.backend, load, took, now);
        }
        if self.ticket.answered() {
            self.places.wake(&self.backend);
        }
    }

    /// The answer is complete.
    pub fn good(&mut self) {
        self.record(Outcome::Good);
    }

    /// There is no answer, or it broke off. A lease dropped without a word says nothing of its
    /// backend: the caller went away.
    pub fn failed(&mut self, error: &Error) {
        self.record(Outcome::of(error));
    }

    /// The same, where its head was good: nobody has counted it yet.
    pub fn broke(&mut self, error: &Error) {
        self.backend.seen.failed(error);
        self.failed(error);
    }

    /// The backend does not want to be asked for this model for so long.
    pub fn rest(&self, wait: Duration) {
        self.backend.health.rest(&self.model, wait);
    }

    fn record(&mut self, outcome: Outcome) {
        if self.ticket.record(outcome) {
            self.places.wake(&self.backend);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Before the place, so that whoever is let in next finds the trial free.
        self.ticket.record(Outcome::Neutral);
        self.places.give_back(&self.backend);
    }
}
