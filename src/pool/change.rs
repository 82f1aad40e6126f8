//! Changing the backends while requests run: by API and by a change of the settings. A change is
//! checked whole, whoever is new is asked what it serves, and then all of it holds at once; one that
//! cannot be used leaves everything as it is. A backend that leaves goes on with what it has begun.

use super::{
    BackendStatus, BadBackend, Client, Pool, address::is_forbidden_host, catalog::Rules,
    layers::Layers, members::settings, seen::unix_ms,
};
use crate::config::{BackendConfig, Config};
use futures_util::future::join_all;
use std::{sync::PoisonError, time::Duration};
use tokio::time::timeout;

/// A change waits so long for new backends to say what they serve: who needs longer is in the pool
/// before that is known.
const HEAR: Duration = Duration::from_millis(500);

/// How the last reload of the settings went.
#[derive(Clone, Debug, Default, serde::Serialize, utoipa::ToSchema)]
pub struct Reload {
    /// When the settings that are in force were read, in Unix milliseconds; `null`: at the start.
    pub loaded_ms: Option<i64>,
    /// Why those that were read since are not in force.
    pub error: Option<String>,
    /// When that was, in Unix milliseconds.
    pub error_ms: Option<i64>,
}

impl Pool {
    /// A backend by API; true: there was none of that name.
    pub async fn put(
        &self,
        client: &Client,
        config: BackendConfig,
    ) -> Result<(bool, BackendStatus), BadBackend> {
        let name = config.name.clone();
        let uri = config.url.parse::<awc::http::Uri>().unwrap_or_default();
        if uri.host().is_some_and(is_forbidden_host) {
            return Err(BadBackend {
                key: "url".into(),
                detail: "link-local and metadata addresses cannot be backends".into(),
            });
        }
        let new = !self.backends().iter().any(|backend| *backend.name == *name);
        self.change(client, None, |layers| layers.put(config))
            .await?;
        tracing::info!(backend = %name, "set by API, until the next start");
        let backends = self.backends();
        let backend = backends.iter().find(|backend| *backend.name == *name);
        match backend {
            Some(backend) => Ok((new, self.status_of(backend, false))),
            None => Err(BadBackend {
                key: "name".into(),
                detail: "it was removed in the same moment".into(),
            }),
        }
    }

    /// Takes a backend out, by API; `None`: there is none of that name.
    pub async fn remove(&self, client: &Client, name: &str) -> Option<BackendStatus> {
        let leaves = self.backends().into_iter().find(|b| *b.name == *name)?;
        let mut removed = false;
        let changed = self.change(client, None, |layers| removed = layers.remove(name));
        if changed.await.is_err() || !removed {
            return None;
        }
        tracing::info!(backend = %name, "removed by API, until the next start");
        Some(self.status_of(&leaves, true))
    }

    /// The settings have changed. Backends, aliases, `pool.default_model` and `pool.policy` hold at
    /// once; what else is in them holds from the next start.
    pub async fn reload(&self, client: &Client, config: &Config) -> Result<(), BadBackend> {
        let reloaded = self.take_over(client, config).await;
        match &reloaded {
            Ok(()) => self.reloaded(Ok(())),
            Err(bad) => self.reloaded(Err(bad.to_string())),
        }
        reloaded
    }

    async fn take_over(&self, client: &Client, config: &Config) -> Result<(), BadBackend> {
        let (base, had) = {
            let members = self.members();
            (members.base.clone(), members.layers.has_settings())
        };
        let settings = settings(config, &base)?;
        if had && settings.is_empty() {
            return Err(BadBackend {
                key: "backend".into(),
                detail: "no backend is named any more; remove the last one by API, or stop".into(),
            });
        }
        let mut back = Vec::new();
        let rules = Some(Rules::of(config));
        self.change(client, rules, |layers| back = layers.reload(settings))
            .await?;
        for name in back {
            tracing::info!(backend = %name, "as the settings say again, for they changed after the API");
        }
        Ok(())
    }

    /// Settings were read, or could not be.
    pub fn reloaded(&self, outcome: Result<(), String>) {
        let mut last = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        *last = match outcome {
            Ok(()) => Reload {
                loaded_ms: Some(unix_ms()),
                ..Reload::default()
            },
            Err(why) => Reload {
                error: Some(why),
                error_ms: Some(unix_ms()),
                ..last.clone()
            },
        };
    }

    /// How the last reload went.
    pub fn last_reload(&self) -> Reload {
        self.reload
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn change(
        &self,
        client: &Client,
        rules: Option<Rules>,
        edit: impl FnOnce(&mut Layers),
    ) -> Result<(), BadBackend> {
        let _one_after_the_other = self.changing.lock().await;
        let (layers, backends, old) = {
            let mut members = self.members();
            let mut layers = members.layers.clone();
            edit(&mut layers);
            let backends = members.made(&layers)?;
            (layers, backends, members.backends.clone())
        };
        let is_new = |id| old.iter().all(|old| old.id != id);
        let new = backends.iter().filter(|backend| is_new(backend.id));
        let asked =
            join_all(new.map(|backend| async { (backend.id, self.list(client, backend).await) }));
        // Who answered in time is not asked again; who did not is, by the watch.
        let heard = timeout(HEAR, asked).await.unwrap_or_default();
        {
            let mut members = self.members();
            members.layers = layers;
            members.exchange(backends);
            if let Some(rules) = rules {
                members.rules = rules;
            }
            for (id, listed) in heard {
                if let Ok(listed) = listed {
                    members.note(id, listed);
                }
            }
        }
        self.publish();
        self.changed.notify_one();
        Ok(())
    }
}
