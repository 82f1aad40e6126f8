//! The pool: backends, what they serve, how loaded they are, who may use one next, and how to
//! speak to each kind. It knows neither actors nor users.

mod address;
mod affinity;
mod backend;
mod base;
mod behind;
mod body;
mod breaker;
mod budget;
mod catalog;
mod change;
mod chunk;
mod circuit;
mod client;
mod condition;
mod dial;
mod discover;
mod embed;
mod extras;
mod failure;
mod forecast;
mod get;
mod heads;
mod health;
mod layers;
mod lease;
mod leg;
mod members;
mod ollama;
mod openai;
mod places;
mod probe;
mod queue;
mod refusal;
mod request;
mod route;
mod scrape;
mod seen;
pub mod simulator;
mod status;
mod streamed;
mod ticket;
mod timeouts;
mod tried;
mod watch;
mod window;

pub use affinity::key as affinity;
pub use backend::{Backend, BackendId, BadBackend};
pub use breaker::Outcome;
pub use budget::Budget;
pub use change::Reload;
pub use client::{Answer, Client};
pub use condition::{BreakerState, Condition};
pub use discover::find_ollama;
pub use extras::Extras;
pub use failure::Failure;
pub use health::{Health, Probed, Reported};
pub use layers::Origin;
pub use lease::Lease;
pub use places::Want;
pub use request::Request;
pub use status::BackendStatus;
pub use streamed::Streamed;
pub use ticket::Ticket;
pub use timeouts::Timeouts;
pub use tried::Tried;
pub use watch::watch;

use crate::{config::Config, error::Error};
use members::Members;
use places::Places;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// The backends and their load, shared by all workers.
pub struct Pool {
    /// What all workers together may retry.
    pub budget: Budget,
    places: Arc<Places>,
    /// Who is in it, from which the catalog is made.
    members: Mutex<Members>,
    /// How many may wait for a model, and how long.
    queue: (usize, Duration),
    refresh: Duration,
    /// How often each is probed.
    probe: Duration,
    /// Held while the set of backends is being changed.
    changing: tokio::sync::Mutex<()>,
    /// How the last reload of the settings went.
    reload: Mutex<Reload>,
    /// The set of backends has changed: the watch is to follow it.
    changed: Notify,
    /// When the pool was made: `created` of every model, in Unix seconds.
    created: i64,
}

/// One model, as `GET /v1/models` tells of it.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct ModelInfo {
    /// Its name.
    pub id: String,
    /// Since when it is known, in Unix seconds.
    pub created: i64,
    /// The backends that serve it.
    pub owned_by: Vec<String>,
    /// The smallest context of these, in tokens, where known.
    pub context: Option<usize>,
}

impl Pool {
    /// A pool of the configured backends; the error names the key at fault.
    pub fn new(config: &Config) -> Result<Arc<Pool>, BadBackend> {
        let members = Members::new(config)?;
        let pool = Arc::new(Pool {
            budget: Budget::default(),
            members: Mutex::new(members),
            places: Places::new(),
            queue: (
                config.pool.queue,
                Duration::from_millis(config.pool.queue_wait_ms),
            ),
            refresh: Duration::from_secs(config.pool.refresh_s.max(1)),
            probe: Duration::from_millis(config.pool.probe_ms),
            changing: tokio::sync::Mutex::default(),
            reload: Mutex::default(),
            changed: Notify::new(),
            created: seen::unix_ms() / 1000,
        });
        pool.publish();
        Ok(pool)
    }

    /// The model that a request gets: the one it names if any backend serves it, else the default,
    /// else the only one there is.
    pub fn resolve(&self, asked: Option<&str>) -> Result<Arc<str>, Error> {
        self.places.catalog().resolve(asked)
    }

    /// The smallest context, in tokens, of the backends that serve it, where known.
    pub fn context(&self, model: &str) -> Option<usize> {
        self.places.catalog().entry(model)?.context
    }

    /// A place at a backend that serves the model and is none of these, whichever is best; `None`:
    /// all are full, stand in line.
    pub fn lease(&self, model: &str, without: &[BackendId]) -> Result<Option<Lease>, Error> {
        let tried: Vec<_> = without.iter().copied().map(Tried::all_of).collect();
        self.place(Want {
            model,
            affinity: None,
            tried: &tried,
        })
    }

    /// The same for a turn that may have been somewhere before.
    pub fn place(&self, want: Want<'_>) -> Result<Option<Lease>, Error> {
        let mut load = self.places.lock();
        self.places.take(&mut load, want)
    }

    /// Stands in the model's line until a place is free. Dropping the future leaves the line.
    pub async fn queue(&self, model: &str, tried: &[Tried]) -> Result<Lease, Error> {
        queue::stand(&self.places, self.queue, model, tried).await
    }

    /// How long until one that serves it may take a request again, as far as that is known: where
    /// only a probe can tell, until the next one.
    pub fn back_in(&self, model: &str) -> Option<Duration> {
        let (catalog, now) = (self.places.catalog(), Instant::now());
        let wait = |leg: &leg::Leg| leg.backend.health.wait(&leg.name, now);
        let legs = catalog.entry(model)?.legs();
        legs.map(|leg| wait(leg).unwrap_or(self.probe)).min()
    }

    /// The backend has become routable: whoever waits for it is let in.
    fn wake(&self, backend: &Arc<Backend>) {
        self.places.wake(backend);
    }

    /// Every model and every alias.
    pub fn models(&self) -> Vec<ModelInfo> {
        let catalog = self.places.catalog();
        let info = |(model, entry): (&Arc<str>, &catalog::Entry)| {
            let mut owned_by: Vec<String> = Vec::new();
            for leg in entry.legs() {
                let name = &*leg.backend.name;
                if !owned_by.iter().any(|known| known == name) {
                    owned_by.push(name.to_owned());
                }
            }
            ModelInfo {
                id: model.to_string(),
                created: self.created,
                owned_by,
                context: entry.context,
            }
        };
        catalog.iter().map(info).collect()
    }
}

#[cfg(test)]
mod testing {
    use super::*;
    use crate::config::{BackendConfig, DialectName};

    /// A pool of simulators that serve `m`, with so many places each (0: no limit).
    pub(super) fn pool(places: &[usize]) -> Arc<Pool> {
        let backend = |(id, most): (usize, &usize)| BackendConfig {
            name: format!("b{id}"),
            dialect: Some(DialectName::Simulator),
            models: vec!["m".into()],
            max_concurrent: *most,
            ..BackendConfig::default()
        };
        let mut config = Config {
            backend: places.iter().enumerate().map(backend).collect(),
            ..Config::default()
        };
        config.pool.queue = 10;
        Pool::new(&config).unwrap()
    }
}

#[cfg(test)]
mod balance_tests;
