//! Whether a backend can be routed to, and what it says of its own load: the verdict of the
//! requests it got (a breaker a model) and of the probes, and what was scraped from it. A lock for
//! each, held for a few instructions; nothing here asks a backend anything.

use super::{
    breaker::{Breaker, Change, Periods},
    circuit::Circuit,
    condition::Condition,
    ticket::Ticket,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// What a backend said of itself counts for so long.
const FRESH: Duration = Duration::from_secs(5);
/// So many failed probes in a row take it out …
const DOWN: u32 = 3;
/// … and so many good ones bring it back.
const UP: u32 = 2;

/// See the file's head.
pub struct Health {
    /// As in logs.
    name: Arc<str>,
    verdict: Mutex<Verdict>,
    said: Mutex<Said>,
    periods: Periods,
    /// A model of its gets no requests for a while: its breaker has opened, or it rests.
    opened: Notify,
}

struct Verdict {
    /// What the requests for each model came to: one that cannot be loaded, or that is asked too
    /// much, takes no other of the same server with it. None yet: nothing is known against it.
    circuits: HashMap<Arc<str>, Circuit>,
    probed: Probed,
    /// Probes in a row that contradict `probed`.
    against: u32,
    /// What the last one found wrong, in our own words.
    complaint: Option<String>,
}

/// What the probes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Probed {
    /// Not enough of them yet: it is tried.
    Unknown,
    /// It answers.
    Up,
    /// It does not: it gets no requests.
    Down,
}

/// What a backend says of its load.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct Reported {
    /// Requests it works at.
    pub running: u32,
    /// Requests that wait inside it.
    pub waiting: u32,
    /// How much of its KV cache is used, 0 to 1; `null`: it does not say.
    pub kv_used: Option<f32>,
}

#[derive(Default)]
struct Said {
    load: Option<(Instant, Reported)>,
    /// What is in memory; `None`: it has not said, or its kind has nothing to load.
    loaded: Option<(Instant, HashSet<String>)>,
}

impl Health {
    pub(super) fn new(name: Arc<str>, periods: Periods) -> Arc<Self> {
        Arc::new(Health {
            name,
            verdict: Mutex::new(Verdict {
                circuits: HashMap::new(),
                probed: Probed::Unknown,
                against: 0,
                complaint: None,
            }),
            periods,
            said: Mutex::default(),
            opened: Notify::new(),
        })
    }

    /// Lets a request for the model through; `None` while its breaker is open or the one trial is
    /// out, while it rests, and while the backend is probed down.
    pub fn try_enter(self: &Arc<Self>, model: &Arc<str>, now: Instant) -> Option<Ticket> {
        let mut verdict = self.verdict();
        if verdict.probed == Probed::Down {
            return None;
        }
        let era = verdict.circuit(model, self.periods).enter(now)?;
        Some(Ticket::new(self.clone(), model.clone(), era))
    }

    /// Whether `try_enter` would let one through.
    pub fn routable(&self, model: &str, now: Instant) -> bool {
        let verdict = self.verdict();
        let circuit = verdict.circuits.get(model);
        verdict.probed != Probed::Down && circuit.is_none_or(|c| c.admits(now))
    }

    /// It has asked not to be asked for the model for so long (`Retry-After`).
    pub fn rest(&self, model: &Arc<str>, wait: Duration) {
        let until = Instant::now() + wait;
        self.verdict().circuit(model, self.periods).rest(until);
        self.opened.notify_one();
    }

    /// How long until a model that certainly gets no request now may get one again, as far as that
    /// is not for the probes to say.
    pub(super) fn away(&self, now: Instant) -> Option<Duration> {
        let verdict = self.verdict();
        let away = verdict.circuits.values().map(|circuit| circuit.away(now));
        away.filter(|away| !away.is_zero()).min()
    }

    /// How long until a request for the model may be let through: zero where one is now, or where
    /// that is worth waiting for; `None` where only probes can tell.
    pub fn wait(&self, model: &str, now: Instant) -> Option<Duration> {
        let verdict = self.verdict();
        if verdict.probed == Probed::Down {
            return None;
        }
        let circuit = verdict.circuits.get(model);
        Some(circuit.map_or(Duration::ZERO, |circuit| circuit.wait(now)))
    }

    /// What it said of its load, if lately.
    pub fn reported(&self, now: Instant) -> Option<Reported> {
        let said = self.said();
        said.load.filter(|(at, _)| fresh(*at, now)).map(|(_, r)| r)
    }

    /// Whether it said lately that the model is in memory. Only an Ollama says so; whoever has
    /// nothing to load is always ready.
    pub fn loaded(&self, now: Instant, model: &str) -> bool {
        match &self.said().loaded {
            Some((at, models)) => fresh(*at, now) && models.contains(model),
            None => true,
        }
    }

    /// A probe's outcome. True: the backend has become routable by it.
    ///
    /// It never touches the breaker: what answers a ping may still fail each request.
    pub(super) fn probed(&self, outcome: Result<(), String>) -> bool {
        let mut verdict = self.verdict();
        let well = outcome.is_ok();
        verdict.complaint = outcome.err();
        let (says, enough) = match well {
            // One that has not been down needs no proof that it is up.
            true if verdict.probed == Probed::Unknown => (Probed::Up, 1),
            true => (Probed::Up, UP),
            false => (Probed::Down, DOWN),
        };
        if verdict.probed == says {
            verdict.against = 0;
            return false;
        }
        verdict.against += 1;
        if verdict.against < enough {
            return false;
        }
        verdict.against = 0;
        let was = std::mem::replace(&mut verdict.probed, says);
        let complaint = verdict.complaint.clone().unwrap_or_default();
        drop(verdict);
        let backend = &self.name;
        match (was, says) {
            (_, Probed::Down) => {
                tracing::warn!(%backend, "gets no requests: {DOWN} probes in a row failed ({complaint})");
            }
            (Probed::Down, _) => tracing::info!(%backend, "answers probes again"),
            _ => {}
        }
        was == Probed::Down
    }

    /// Whether probes say that it is down.
    pub(super) fn is_down(&self) -> bool {
        self.verdict().probed == Probed::Down
    }

    /// Resolves when it gets no requests for a while.
    pub(super) async fn opened(&self) {
        self.opened.notified().await;
    }

    /// It said how loaded it is.
    pub(super) fn reports(&self, reported: Reported) {
        self.said().load = Some((Instant::now(), reported));
    }

    /// It said which models it has in memory.
    pub(super) fn loads(&self, models: HashSet<String>) {
        self.said().loaded = Some((Instant::now(), models));
    }

    /// For ops, of a backend that serves these models.
    pub(super) fn condition<'a>(
        &self,
        served: impl Iterator<Item = &'a Arc<str>>,
        now: Instant,
    ) -> Condition {
        let verdict = self.verdict();
        let (probe, complaint) = (verdict.probed, verdict.complaint.clone());
        let standing = |model: &Arc<str>| {
            let circuit = verdict.circuits.get(model);
            let standing = circuit.map_or_else(Default::default, |c| c.standing(now));
            (model.clone(), standing)
        };
        let standings = served.map(standing).collect();
        drop(verdict);
        let loaded = self.said().loaded.clone();
        Condition::new(
            (probe, complaint),
            (standings, now),
            self.reported(now),
            loaded.filter(|(at, _)| fresh(*at, now)).map(|(_, m)| m),
        )
    }

    /// Tells of a change; true: the model is routable by it.
    pub(super) fn changed(&self, model: &str, change: Option<Change>) -> bool {
        let backend = &self.name;
        match change {
            Some(Change::Opened(period)) => {
                tracing::warn!(%backend, model, "gets no requests for {period:?}: too many failed");
                self.opened.notify_one();
            }
            Some(Change::Closed) => tracing::info!(%backend, model, "takes requests again"),
            None => {}
        }
        change == Some(Change::Closed)
    }

    pub(super) fn breaker<T>(&self, model: &Arc<str>, f: impl FnOnce(&mut Breaker) -> T) -> T {
        f(&mut self.verdict().circuit(model, self.periods).breaker)
    }

    fn verdict(&self) -> MutexGuard<'_, Verdict> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fresh(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) <= FRESH
}

impl Verdict {
    fn circuit(&mut self, model: &Arc<str>, periods: Periods) -> &mut Circuit {
        let circuit = self.circuits.entry(model.clone());
        circuit.or_insert_with(|| Circuit::new(periods))
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
