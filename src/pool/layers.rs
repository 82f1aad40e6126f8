//! Where backends come from: the settings, and over them what was put and removed by API since the
//! start. For each name the later word counts: a reload takes back what the API said of a backend
//! only where the settings of that very backend have changed.

use crate::config::{BackendConfig, PoolConfig, SimulatorConfig};
use std::collections::BTreeMap;

/// Who said last what a backend is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// File, environment or flags.
    Settings,
    /// `PUT /api/v1/backends/{name}`: until the next start.
    Api,
}

/// One backend, as somebody said it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// With its name, also where that is a default.
    pub config: BackendConfig,
    pub origin: Origin,
    /// How an error calls it: `backend[0]`, or nothing where there is only one.
    pub place: String,
}

impl Said {
    /// As settings say it.
    pub(super) fn of(config: BackendConfig) -> Said {
        Said {
            config,
            origin: Origin::Settings,
            place: String::new(),
        }
    }
}

/// See the file's head.
#[derive(Clone, Default)]
pub(super) struct Layers {
    settings: Vec<Said>,
    /// By name; `None`: removed.
    api: BTreeMap<String, Option<Said>>,
}

impl Layers {
    /// What the settings say now, each with its name. Returned are those that the API had changed,
    /// and that are as the settings say again.
    pub(super) fn reload(&mut self, settings: Vec<Said>) -> Vec<String> {
        fn find<'a>(all: &'a [Said], name: &str) -> Option<&'a BackendConfig> {
            all.iter().map(|said| &said.config).find(|c| c.name == name)
        }
        let (mut back, old) = (Vec::new(), std::mem::replace(&mut self.settings, settings));
        self.api.retain(|name, _| {
            let stays = find(&old, name) == find(&self.settings, name);
            if !stays {
                back.push(name.clone());
            }
            stays
        });
        back
    }

    /// Whether the settings say anything.
    pub(super) fn has_settings(&self) -> bool {
        !self.settings.is_empty()
    }

    pub(super) fn put(&mut self, config: BackendConfig) {
        let said = Said {
            origin: Origin::Api,
            place: String::new(),
            config,
        };
        self.api.insert(said.config.name.clone(), Some(said));
    }

    /// False: there was none of that name.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let there = self.now().any(|said| said.config.name == name);
        if there {
            self.api.insert(name.to_owned(), None);
        }
        there
    }

    /// What holds: the settings in their order, then what only the API said.
    pub(super) fn now(&self) -> impl Iterator<Item = &Said> {
        let settings = self.settings.iter().filter_map(|said| {
            let later = self.api.get(&said.config.name);
            later.map_or(Some(said), Option::as_ref)
        });
        let known = |name: &str| self.settings.iter().any(|said| said.config.name == name);
        let api = self.api.iter().filter(move |(name, _)| !known(name));
        settings.chain(api.filter_map(|(_, said)| said.as_ref()))
    }
}

/// What backends are made with beside their own settings; it holds until the next start.
#[derive(Clone)]
pub(super) struct Base {
    pub pool: PoolConfig,
    pub simulator: SimulatorConfig,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str, url: &str) -> BackendConfig {
        BackendConfig {
            name: name.into(),
            url: url.into(),
            ..BackendConfig::default()
        }
    }

    fn settings(all: &[(&str, &str)]) -> Vec<Said> {
        let said = |(name, url): &(&str, &str)| Said::of(config(name, url));
        all.iter().map(said).collect()
    }

    fn now(layers: &Layers) -> Vec<(&str, &str)> {
        layers
            .now()
            .map(|s| (&*s.config.name, &*s.config.url))
            .collect()
    }

    #[test]
    fn the_later_word_counts_for_each_name() {
        let mut layers = Layers::default();
        layers.reload(settings(&[("a", "1"), ("b", "1"), ("c", "1")]));
        layers.put(config("b", "2"));
        layers.put(config("d", "2"));
        assert!(layers.remove("c") && !layers.remove("c"));
        assert_eq!(now(&layers), [("a", "1"), ("b", "2"), ("d", "2")]);
        // Another backend changes.
        assert!(
            layers
                .reload(settings(&[("a", "3"), ("b", "1"), ("c", "1")]))
                .is_empty()
        );
        assert_eq!(now(&layers), [("a", "3"), ("b", "2"), ("d", "2")]);
        // These change.
        assert_eq!(
            layers.reload(settings(&[("b", "3"), ("c", "3")])),
            ["b", "c"]
        );
        assert_eq!(now(&layers), [("b", "3"), ("c", "3"), ("d", "2")]);
    }
}
