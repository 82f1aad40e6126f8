//! What is served, and by whom: a snapshot of backends, models and aliases, made anew whenever one
//! of them has changed, so that requests read it without waiting for anybody.

use super::{Backend, BackendId, Tried, leg::Leg};
use crate::{
    config::{AliasConfig, DialectName, Policy},
    error::Error,
};
use std::{collections::BTreeMap, sync::Arc};

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

/// What the settings say beside the backends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// The model of a request that names none.
    pub default_model: String,
    /// By what rule a backend is chosen …
    pub policy: Policy,
    /// … and names that stand for several models.
    pub aliases: Vec<AliasConfig>,
}

/// See the file's head.
#[derive(Default)]
pub(super) struct Catalog {
    /// Those that take requests, in the order of the settings.
    pub backends: Vec<Arc<Backend>>,
    default_model: String,
    models: BTreeMap<Arc<str>, Entry>,
}

/// One name that requests may use as a model.
#[derive(Default)]
pub(super) struct Entry {
    /// Who serves it. A chain has a tier a model, in order; everything else has one.
    pub tiers: Vec<Vec<Leg>>,
    /// The smallest context among them, where known.
    pub context: Option<usize>,
    /// By what rule one is chosen.
    pub policy: Policy,
    /// It stands for others.
    alias: bool,
}

impl Catalog {
    /// Puts together what each backend serves.
    pub(super) fn of<'a>(
        all: impl Iterator<Item = (&'a Arc<Backend>, &'a Listing)>,
        rules: &Rules,
    ) -> Catalog {
        let (mut backends, mut legs) = (Vec::new(), BTreeMap::<Arc<str>, Vec<Leg>>::new());
        for (backend, listing) in all {
            backends.push(backend.clone());
            for Listed { name, context } in serves(backend, listing) {
                let name: Arc<str> = name.into();
                legs.entry(name.clone()).or_default().push(Leg {
                    backend: backend.clone(),
                    name,
                    context,
                });
            }
        }
        let aliases = rules.aliases.iter().map(|alias| {
            let entry = Entry {
                alias: true,
                ..Entry::new(
                    tiers(alias, &rules.aliases, &legs),
                    alias.policy.unwrap_or(rules.policy),
                )
            };
            (alias.name.as_str().into(), entry)
        });
        let aliases: Vec<_> = aliases.collect();
        let plain = legs.into_iter();
        let plain = plain.map(|(name, legs)| (name, Entry::new(vec![legs], rules.policy)));
        // An alias comes last: it wins over a model of its name, which may be one of its own.
        let models = plain.chain(aliases).collect();
        Catalog {
            backends,
            default_model: rules.default_model.clone(),
            models,
        }
    }

    pub(super) fn entry(&self, model: &str) -> Option<&Entry> {
        self.models.get(model)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Entry)> {
        self.models.iter()
    }

    /// What of the model is at this backend: of a chain it may be several of its models.
    pub(super) fn legs_at(&self, backend: BackendId, model: &str) -> impl Iterator<Item = &Leg> {
        let legs = self.entry(model).into_iter().flat_map(Entry::legs);
        legs.filter(move |leg| leg.backend.id == backend)
    }

    /// The model a request gets; see [`super::Pool::resolve`].
    pub(super) fn resolve(&self, asked: Option<&str>) -> Result<Arc<str>, Error> {
        let asked = asked.filter(|name| !name.is_empty());
        let asked = asked.unwrap_or(&self.default_model);
        if asked.is_empty() {
            let mut plain = self.models.iter().filter(|(_, entry)| !entry.alias);
            return match (plain.next(), plain.next()) {
                (None, _) => Err(Error::NoBackend("any model".into())),
                (Some((name, _)), None) => Ok(name.clone()),
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

    /// Why nobody can serve the model to a turn that this has failed; `None`: somebody might.
    pub(super) fn cannot(&self, model: &str, tried: &[Tried]) -> Option<Error> {
        let Some(entry) = self.entry(model) else {
            return self.resolve(Some(model)).err();
        };
        let left = entry.legs().any(|leg| !tried.iter().any(|t| t.is(leg)));
        (!left).then(|| Error::NoBackend(model.to_owned()))
    }

    fn names(&self) -> Vec<String> {
        self.models.keys().map(|name| name.to_string()).collect()
    }
}

impl Entry {
    fn new(tiers: Vec<Vec<Leg>>, policy: Policy) -> Self {
        let contexts = tiers.iter().flatten().filter_map(|leg| leg.context);
        Entry {
            context: contexts.min(),
            tiers,
            policy,
            alias: false,
        }
    }

    /// All who serve it; of a chain, the earlier models' first.
    pub(super) fn legs(&self) -> impl Iterator<Item = &Leg> {
        self.tiers.iter().flatten()
    }
}

/// Who serves an alias.
fn tiers(
    alias: &AliasConfig,
    all: &[AliasConfig],
    legs: &BTreeMap<Arc<str>, Vec<Leg>>,
) -> Vec<Vec<Leg>> {
    if alias.chain.is_empty() {
        return vec![joined(&alias.any, legs)];
    }
    let tier = |model: &String| {
        let inner = all
            .iter()
            .find(|other| other.name == *model && !other.any.is_empty());
        joined(
            inner.map_or(std::slice::from_ref(model), |inner| &inner.any),
            legs,
        )
    };
    alias.chain.iter().map(tier).collect()
}

/// Who serves any of the models, each backend once.
fn joined(models: &[String], legs: &BTreeMap<Arc<str>, Vec<Leg>>) -> Vec<Leg> {
    let mut joined = Vec::<Leg>::new();
    for leg in models
        .iter()
        .filter_map(|model| legs.get(model.as_str()))
        .flatten()
    {
        if joined
            .iter()
            .all(|known| known.backend.id != leg.backend.id)
        {
            joined.push(leg.clone());
        }
    }
    joined
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
#[path = "catalog_tests.rs"]
mod tests;
