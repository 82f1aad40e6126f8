//! A setting's name: `store.group`, `backend[0].url`. And which names there are: they are read off
//! the defaults, so that no list of them can go stale.

use super::{AliasConfig, BackendConfig, Config, DialectName, Policy, TopicConfig};
use std::{fmt, sync::LazyLock};
use toml::{Table, Value};

/// The way to a value, from the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(pub(super) Vec<Step>);

/// One step of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Into a table.
    Name(String),
    /// Into an array.
    Index(usize),
}

impl Key {
    /// From segments as environment and `--set` write them, where a number is an index.
    pub(super) fn of<'a>(segments: impl Iterator<Item = &'a str>) -> Self {
        let step = |s: &str| match s.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Name(s.to_owned()),
        };
        Key(segments.map(step).collect())
    }

    /// `memory.mcp = "…"` is short for `memory.mcp.url = "…"`.
    pub(super) fn in_full(self) -> Self {
        match self == Key::parse("memory.mcp") {
            true => self.child(Step::Name("url".into())),
            false => self,
        }
    }

    /// From the way serde and the pool write one: `backend[0].url`.
    pub(super) fn parse(text: &str) -> Self {
        Key::of(text.split(['.', '[', ']']).filter(|s| !s.is_empty()))
    }

    pub(super) fn child(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Key(steps)
    }

    /// The variable that sets it.
    pub(super) fn variable(&self) -> String {
        let steps = self.0.iter().map(|step| match step {
            Step::Name(name) => name.to_uppercase(),
            Step::Index(index) => index.to_string(),
        });
        format!("SUNDYNIX_{}", steps.collect::<Vec<_>>().join("__"))
    }

    /// Its value must never be printed. (`store.url` may hold a password too, but is readable
    /// without it.)
    pub(super) fn is_secret(&self) -> bool {
        self.0.last() == Some(&Step::Name("api_key".into()))
    }

    /// What kind of value belongs there; `None`: there is no such setting.
    pub(super) fn kind(&self) -> Option<&'static Value> {
        let mut at: &Value = &EVERY;
        for step in &self.0 {
            at = match (step, at) {
                (Step::Name(name), Value::Table(table)) => table.get(name)?,
                // All elements are alike.
                (Step::Index(_), Value::Array(all)) => all.first()?,
                _ => return None,
            };
        }
        Some(at)
    }

    /// The setting that was probably meant.
    pub(super) fn nearest(&self) -> Option<Key> {
        let plain = |key: &Key| key.to_string().replace(['.', '_', '-'], "");
        let (asked, mut best) = (plain(self), None);
        let mut least = 0.85;
        for known in leaves(&EVERY, &Key::default()) {
            let mut likeness = strsim::jaro_winkler(&asked, &plain(&known));
            if known.0.last() == self.0.last() {
                likeness = likeness.max(0.9); // the right key in the wrong section
            }
            if likeness > least {
                (least, best) = (likeness, Some(known));
            }
        }
        best
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if n > 0 => write!(f, ".{name}")?,
                Step::Name(name) => write!(f, "{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The defaults, with one backend, one alias and one topic that have every key.
static EVERY: LazyLock<Value> = LazyLock::new(|| {
    let mut every = defaults();
    let mut backend = table(&BackendConfig {
        dialect: Some(DialectName::Openai),
        ..BackendConfig::default()
    });
    backend.insert("api_key".into(), Value::String(String::new()));
    every.insert("backend".into(), Value::Array(vec![backend.into()]));
    let alias = table(&AliasConfig {
        policy: Some(Policy::Affinity),
        ..AliasConfig::default()
    });
    every.insert("alias".into(), Value::Array(vec![alias.into()]));
    if let Some(Value::Table(memory)) = every.get_mut("memory") {
        let topic = table(&TopicConfig::default()).into();
        memory.insert("topic".into(), Value::Array(vec![topic]));
        if let Some(Value::Table(mcp)) = memory.get_mut("mcp") {
            mcp.insert("api_key".into(), Value::String(String::new()));
        }
    }
    Value::Table(every)
});

/// What is in force where nothing is set.
pub(super) fn defaults() -> Table {
    table(&Config::default())
}

fn table<T: serde::Serialize>(settings: &T) -> Table {
    // Numbers, texts and tables only: there is nothing in them that TOML cannot say.
    Table::try_from(settings).unwrap_or_default()
}

/// Every value below `at`, with its key.
fn leaves(at: &Value, key: &Key) -> Vec<Key> {
    match at {
        Value::Table(table) => table
            .iter()
            .flat_map(|(name, value)| leaves(value, &key.child(Step::Name(name.clone()))))
            .collect(),
        Value::Array(all) if !all.is_empty() => leaves(&all[0], &key.child(Step::Index(0))),
        _ => vec![key.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[test]
    fn every_setting_is_known_and_can_be_loaded() {
        let all = leaves(&EVERY, &Key::default());
        assert!(all.len() > 45, "{}", all.len());
        assert!(all.contains(&Key::parse("backend[0].api_key")));
        assert!(all.contains(&Key::parse("store.ack_timeout_ms")));
        assert!(all.contains(&Key::parse("memory.topic[0].ttl_days")));
        Config::deserialize(EVERY.clone()).ok().unwrap();
    }

    #[test]
    fn a_slip_finds_what_was_meant() {
        for (asked, meant) in [
            ("server.bnid", "server.bind"),
            ("bind", "server.bind"),
            ("store.grop", "store.group"),
            ("server_bind", "server.bind"),
            ("backend[3].apikey", "backend[0].api_key"),
            ("simulator.first-token-ms", "simulator.first_token_ms"),
        ] {
            let found = Key::parse(asked).nearest().map(|k| k.to_string());
            assert_eq!(found.as_deref(), Some(meant), "{asked}");
        }
        assert_eq!(Key::parse("weather").nearest(), None);
    }

    #[test]
    fn the_readmes_know_the_settings() {
        let defaults = Value::Table(defaults());
        for readme in [
            include_str!("../../README.md"),
            include_str!("../../README.zh-CN.md"),
        ] {
            let rows = readme.lines().filter(|line| line.starts_with("| `"));
            let rows: Vec<_> = rows
                .map(|row| row.split('|').map(|cell| cell.trim().trim_matches('`')))
                .collect();
            assert!(rows.len() > 20);
            for mut cells in rows {
                let (key, default) = (cells.nth(1).unwrap(), cells.next().unwrap());
                // Secrets are not shown, and have no default.
                if key.ends_with("api_key") {
                    assert_eq!(default, "");
                    continue;
                }
                let value = key.split('.').fold(&defaults, |at, name| &at[name]);
                assert_eq!(value.to_string().trim_matches('"'), default, "{key}");
            }
        }
    }
}
