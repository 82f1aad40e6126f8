//! What is served, and by whom: a snapshot, made anew whenever a backend's list has changed, so
//! that requests read it without waiting for anybody.

use super::{Backend, BackendId};
use crate::{config::DialectName, error::Error};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicUsize},
};

/// The longest echo of a model name that is not known, in characters.
const ECHO: usize = 64;

/// One model of one backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub name: String,
    /// In tokens, where the backend tells.
    pub context: Option<usize>,
}

/// What one backend last said it serves; `None`: it has never answered.
pub(super) type Listing = Option<Vec<Listed>>;

/// All models.
#[derive(Default)]
pub(super) struct Catalog {
    models: BTreeMap<Arc<str>, Entry>,
}

/// One model.
#[derive(Default)]
pub(super) struct Entry {
    /// Who serves it.
    pub backends: Vec<BackendId>,
    /// The smallest context among them, where known.
    pub context: Option<usize>,
    /// Where the search for the least loaded starts next: ties go round.
    pub next: AtomicUsize,
}

impl Catalog {
    /// Puts together what each backend serves.
    pub(super) fn of<'a>(all: impl Iterator<Item = (&'a Backend, &'a Listing)>) -> Catalog {
        let mut catalog = Catalog::default();
        for (backend, listing) in all {
            for Listed { name, context } in serves(backend, listing) {
                let entry = catalog.models.entry(name.into()).or_default();
                entry.backends.push(backend.id);
                entry.context = [entry.context, context].into_iter().flatten().min();
            }
        }
        catalog
    }

    pub(super) fn entry(&self, model: &str) -> Option<&Entry> {
        self.models.get(model)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Entry)> {
        self.models.iter()
    }

    pub(super) fn serves(&self, backend: BackendId, model: &str) -> bool {
        self.entry(model)
            .is_some_and(|entry| entry.backends.contains(&backend))
    }

    /// The model a request gets; see [`super::Pool::resolve`].
    pub(super) fn resolve(&self, asked: Option<&str>, default: &str) -> Result<Arc<str>, Error> {
        let asked = asked.filter(|name| !name.is_empty()).unwrap_or(default);
        if asked.is_empty() {
            return match self.models.len() {
                0 => Err(Error::NoBackend("any model".into())),
                1 => Ok(self.models.keys().next().cloned().unwrap_or_default()),
                _ => Err(Error::NoModel {
                    known: self.names(),
                }),
            };
        }
        let found = self.models.get_key_value(asked).or_else(|| {
            // As Ollama's own users write it.
            self.models
                .get_key_value(format!("{asked}:latest").as_str())
        });
        match found {
            Some((name, _)) => Ok(name.clone()),
            None => Err(Error::UnknownModel {
                model: echo(asked),
                known: self.names(),
            }),
        }
    }

    fn names(&self) -> Vec<String> {
        self.models.keys().map(|name| name.to_string()).collect()
    }
}

/// What a backend serves, of what it lists and what the configuration lets through.
fn serves(backend: &Backend, listing: &Listing) -> Vec<Listed> {
    let listed = listing.as_deref().unwrap_or_default();
    if backend.models.is_empty() {
        return listed.to_vec();
    }
    let (globs, names): (Vec<_>, Vec<_>) = backend.models.iter().partition(|m| m.contains('*'));
    let context = |name: &str| {
        let own = listed.iter().find(|l| same(backend.dialect, &l.name, name));
        own.and_then(|l| l.context)
    };
    let mut served: Vec<Listed> = names
        .iter()
        .map(|name| Listed {
            name: name.to_string(),
            context: context(name),
        })
        .collect();
    for one in listed {
        let matches = globs.iter().any(|glob| matches_glob(glob, &one.name));
        if matches && !served.contains(one) {
            served.push(one.clone());
        }
    }
    served
}

fn same(dialect: DialectName, listed: &str, name: &str) -> bool {
    listed == name || dialect == DialectName::Ollama && listed.strip_suffix(":latest") == Some(name)
}

/// `*` stands for any characters, none too.
fn matches_glob(glob: &str, name: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn echo(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control())
        .take(ECHO)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BackendConfig, PoolConfig, SimulatorConfig};

    fn backend(id: usize, models: &[&str]) -> Backend {
        let config = BackendConfig {
            url: format!("http://h{id}:11434"),
            models: models.iter().map(|m| m.to_string()).collect(),
            ..BackendConfig::default()
        };
        Backend::new(
            id,
            &config,
            &PoolConfig::default(),
            &SimulatorConfig::default(),
        )
        .unwrap()
    }

    fn listing(models: &[(&str, usize)]) -> Listing {
        let listed = |(name, context): &(&str, usize)| Listed {
            name: name.to_string(),
            context: Some(*context),
        };
        Some(models.iter().map(listed).collect())
    }

    #[test]
    fn globs() {
        for (glob, name, yes) in [
            ("*", "", true),
            ("qwen*", "qwen3:8b", true),
            ("*-instruct", "llama-8b-instruct", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("ab*ba", "aba", false),
            ("qwen", "qwen3", false),
        ] {
            assert_eq!(matches_glob(glob, name), yes, "{glob} {name}");
        }
    }

    #[test]
    fn names_are_known_without_asking_and_globs_filter() {
        let (a, b) = (backend(0, &["llama", "qwen*"]), backend(1, &[]));
        let none = Catalog::of([(&a, &None), (&b, &None)].into_iter());
        assert_eq!(none.names(), ["llama"]);
        let (of_a, of_b) = (
            listing(&[("llama:latest", 4096), ("qwen3", 8192), ("phi", 1)]),
            listing(&[("qwen3", 2048), ("gemma:latest", 1)]),
        );
        let all = Catalog::of([(&a, &of_a), (&b, &of_b)].into_iter());
        assert_eq!(all.names(), ["gemma:latest", "llama", "qwen3"]);
        assert_eq!(all.entry("qwen3").unwrap().backends, [0, 1]);
        assert_eq!(all.entry("qwen3").unwrap().context, Some(2048));
        assert_eq!(all.entry("llama").unwrap().context, Some(4096));
        assert_eq!(&*all.resolve(Some("gemma"), "").unwrap(), "gemma:latest");
        assert_eq!(&*all.resolve(None, "qwen3").unwrap(), "qwen3");
    }

    #[test]
    fn errors_name_what_can_be_had_and_echo_little() {
        let a = backend(0, &["one", "two"]);
        let catalog = Catalog::of([(&a, &None)].into_iter());
        let asked = format!("\u{1b}[31m{}", "x".repeat(500));
        match catalog.resolve(Some(&asked), "") {
            Err(Error::UnknownModel { model, known }) => {
                assert_eq!(model.chars().count(), 64);
                assert!(!model.contains('\u{1b}'));
                assert_eq!(known, ["one", "two"]);
            }
            other => panic!("{other:?}"),
        }
        let nothing_named = catalog.resolve(None, "");
        assert!(matches!(nothing_named, Err(Error::NoModel { .. })));
        let nothing_known = Catalog::default().resolve(None, "");
        assert!(matches!(nothing_known, Err(Error::NoBackend(_))));
    }
}
