//! Who is in the pool: the backends, what each of them last said it serves, and those that leave it
//! and still have something under way. The catalog, which requests read, is made from it.

use super::{
    Backend, BackendId, BadBackend, Pool,
    catalog::{Catalog, Listed, Listing, Rules},
    layers::{Base, Layers, Said},
};
use crate::config::Config;
use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
};
use tokio::time::Instant;

/// See the file's head.
pub(super) struct Members {
    /// In the order of the settings.
    pub backends: Vec<Arc<Backend>>,
    /// Out of the pool, and not empty yet.
    pub leaving: Vec<Arc<Backend>>,
    pub rules: Rules,
    /// Where the backends come from.
    pub layers: Layers,
    pub base: Base,
    /// What each has listed; who has never answered is not in it.
    listings: HashMap<BackendId, Vec<Listed>>,
    /// Numbers are given once.
    next: BackendId,
    /// Who comes now is a newcomer.
    running: bool,
}

impl Members {
    pub(super) fn new(config: &Config) -> Result<Members, BadBackend> {
        let mut members = Members {
            backends: Vec::new(),
            leaving: Vec::new(),
            rules: Rules::of(config),
            layers: Layers::default(),
            base: Base {
                pool: config.pool.clone(),
                simulator: config.simulator,
            },
            listings: HashMap::new(),
            next: 0,
            running: false,
        };
        members.layers.reload(settings(config, &members.base)?);
        let layers = members.layers.clone();
        members.backends = members.made(&layers)?;
        members.running = true;
        Ok(members)
    }

    /// The backends that the layers come to: those that stay as they are, and new ones.
    pub(super) fn made(&mut self, layers: &Layers) -> Result<Vec<Arc<Backend>>, BadBackend> {
        let made = layers.now().map(|said| self.one(said));
        made.collect::<Result<_, _>>()
    }

    fn one(&mut self, said: &Said) -> Result<Arc<Backend>, BadBackend> {
        let mut new = backend(said, &self.base)?;
        let old = self.backends.iter().find(|old| old.name == new.name);
        match old {
            Some(old) if old.said == new.said => return Ok(old.clone()),
            // Of the same server everything that is known of it still holds.
            Some(old) if old.is_same_server(&new) => new.succeed(old),
            _ => {
                new.joined = self.running.then(Instant::now);
                new.id = self.next;
                self.next += 1;
            }
        }
        Ok(Arc::new(new))
    }

    /// These are in the pool from now on. Those that are not any more are let drain.
    pub(super) fn exchange(&mut self, backends: Vec<Arc<Backend>>) {
        let stays = |id| backends.iter().any(|backend| backend.id == id);
        let gone = self.backends.iter().filter(|old| !stays(old.id)).cloned();
        self.leaving.extend(gone);
        self.listings.retain(|id, _| stays(*id));
        self.backends = backends;
    }

    /// What a backend lists; whether that is news.
    pub(super) fn note(&mut self, id: BackendId, listed: Vec<Listed>) -> bool {
        // It may have left while it was asked.
        if self.backends.iter().all(|backend| backend.id != id) {
            return false;
        }
        self.listings.get(&id) != Some(&listed) && {
            self.listings.insert(id, listed);
            true
        }
    }

    pub(super) fn heard(&self, id: BackendId) -> bool {
        self.listings.contains_key(&id)
    }

    fn catalog(&self) -> Catalog {
        let listing = |b: &Arc<Backend>| -> Listing { self.listings.get(&b.id).cloned() };
        let listings: Vec<_> = self.backends.iter().map(listing).collect();
        Catalog::of(self.backends.iter().zip(&listings), &self.rules)
    }
}

fn backend(said: &Said, base: &Base) -> Result<Backend, BadBackend> {
    Backend::new(0, said, &base.pool, &base.simulator).map_err(|bad| BadBackend {
        key: match &*said.place {
            "" => bad.key.to_owned(),
            place => format!("{place}.{}", bad.key),
        },
        detail: bad.detail,
    })
}

/// What the settings say of backends, each with its name.
pub(super) fn settings(config: &Config, base: &Base) -> Result<Vec<Said>, BadBackend> {
    let mut all = Vec::<Said>::new();
    for (at, one) in config.backend.iter().enumerate() {
        let mut said = Said {
            place: format!("backend[{at}]"),
            ..Said::of(one.clone())
        };
        said.config.name = backend(&said, base)?.name.to_string();
        let name = &said.config.name;
        if all.iter().any(|other| other.config.name == *name) {
            return Err(BadBackend {
                key: format!("backend[{at}].name"),
                detail: format!("another backend is called {name} already"),
            });
        }
        all.push(said);
    }
    Ok(all)
}

impl Rules {
    pub(super) fn of(config: &Config) -> Rules {
        Rules {
            default_model: config.pool.default_model.clone(),
            policy: config.pool.policy,
            aliases: config.alias.clone(),
        }
    }
}

impl Pool {
    /// Those that are in the pool now.
    pub(super) fn backends(&self) -> Vec<Arc<Backend>> {
        self.members().backends.clone()
    }

    /// Makes the catalog anew.
    pub(super) fn publish(&self) {
        // Under the lock, so that of two changes the later one stays.
        let members = self.members();
        self.places.publish(members.catalog());
        drop(members);
        self.places.wake_all();
    }

    pub(super) fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
