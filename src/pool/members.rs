//! Who is in the pool: the backends, what each of them last said it serves, and those that leave it
//! and still have something under way. The catalog, which requests read, is made from it.

use super::{
    Backend, BackendId, BadBackend, Pool,
    catalog::{Catalog, Listed, Listing, Rules},
};
use crate::config::Config;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, MutexGuard, PoisonError},
};

/// See the file's head.
pub(super) struct Members {
    /// In the order of the settings.
    pub backends: Vec<Arc<Backend>>,
    /// What each has listed; who has never answered is not in it.
    listings: HashMap<BackendId, Vec<Listed>>,
    /// Out of the pool, and not empty yet.
    pub leaving: Vec<Arc<Backend>>,
    pub rules: Rules,
    /// Numbers are given once.
    next: BackendId,
}

impl Members {
    pub(super) fn new(config: &Config) -> Result<Members, BadBackend> {
        let mut members = Members {
            backends: Vec::new(),
            listings: HashMap::new(),
            leaving: Vec::new(),
            rules: Rules::of(config),
            next: 0,
        };
        let mut names = HashSet::new();
        for (at, one) in config.backend.iter().enumerate() {
            let backend = Backend::new(members.number(), one, &config.pool, &config.simulator);
            let bad = |key: &str, detail| BadBackend {
                key: format!("backend[{at}].{key}"),
                detail,
            };
            let backend = backend.map_err(|e| bad(e.key, e.detail))?;
            if !names.insert(backend.name.clone()) {
                let detail = format!("another backend is called {} already", backend.name);
                return Err(bad("name", detail));
            }
            members.backends.push(Arc::new(backend));
        }
        Ok(members)
    }

    pub(super) fn number(&mut self) -> BackendId {
        self.next += 1;
        self.next - 1
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
