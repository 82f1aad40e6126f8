//! Lays the sources over each other (file < environment < flags) and makes settings of them.
//! Whatever cannot be used is refused, all of it at once, by name and place.

use super::{
    Config,
    key::{Key, Step, defaults},
    range, routing,
    source::{self, Flags, Given, Origin, Setting},
};
use std::{collections::BTreeMap, ffi::OsString, fmt};
use toml::{Table, Value};

/// The effective settings, and where each came from.
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What it was loaded with: the same again reads it anew.
    pub flags: Flags,
    /// The same as data, for `show`.
    pub(super) tree: Value,
    origins: Origins,
}

const SECTION: &str = "is a section: set a key of it";

/// Where values came from, for those that are not defaults.
type Origins = BTreeMap<Key, Origin>;

/// Settings that cannot be used: all that were found.
#[derive(Debug)]
pub struct Refused(Vec<String>);

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [one] => write!(f, "this setting cannot be used:\n  {one}"),
            all => write!(
                f,
                "{} settings cannot be used:\n  {}",
                all.len(),
                all.join("\n  ")
            ),
        }
    }
}

impl Loaded {
    /// From the command line, this process's environment, and the file.
    pub fn from(flags: &Flags) -> Result<Loaded, Refused> {
        Loaded::of(flags, std::env::vars_os())
    }

    fn of(
        flags: &Flags,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, Refused> {
        let unreadable =
            |(origin, detail): source::Unreadable| Refused(vec![format!("{origin}: {detail}")]);
        let mut settings = source::file(flags.config.as_deref()).map_err(unreadable)?;
        settings.extend(source::environment(variables).map_err(unreadable)?);
        settings.extend(flags.read().map_err(unreadable)?);

        let (mut tree, mut origins, mut wrong) =
            (Value::Table(defaults()), Origins::new(), Vec::new());
        for setting in settings {
            let at = format!("{}: {}", setting.origin, setting.key);
            if let Err(detail) = lay(&mut tree, &mut origins, setting) {
                wrong.push(format!("{at}: {detail}"));
            }
        }
        if !wrong.is_empty() {
            return Err(Refused(wrong));
        }
        let config = serde_path_to_error::deserialize(tree.clone()).map_err(
            |e: serde_path_to_error::Error<toml::de::Error>| {
                let key = Key::parse(&e.path().to_string());
                let origin = origin(&origins, &key);
                let detail = match key.is_secret() {
                    true => "must be a text in quotes", // serde would quote the value
                    false => e.inner().message(),
                };
                Refused(vec![format!("{origin}: {key}: {detail}")])
            },
        )?;
        let mut wrong = range::wrong(&config);
        wrong.extend(routing::wrong(&config.alias).err());
        if !wrong.is_empty() {
            let place = |(key, detail): (String, String)| {
                format!("{}: {key}: {detail}", origin(&origins, &Key::parse(&key)))
            };
            return Err(Refused(wrong.into_iter().map(place).collect()));
        }
        Ok(Loaded {
            config,
            flags: flags.clone(),
            tree,
            origins,
        })
    }

    /// What differs from the other settings and holds only from the next start, by section.
    pub fn waits_for_start(&self, before: &Loaded) -> Vec<String> {
        let (Value::Table(new), Value::Table(old)) = (&self.tree, &before.tree) else {
            return Vec::new();
        };
        // What `Pool::reload` takes over.
        let rest = |section: &str, value: Option<&Value>| {
            let mut value = value.cloned();
            if let (Some(Value::Table(table)), "pool") = (&mut value, section) {
                table.retain(|key, _| !matches!(key, "default_model" | "policy"));
            }
            value
        };
        let sections = new
            .keys()
            .filter(|name| !["backend", "alias"].contains(&name.as_str()));
        let changed =
            sections.filter(|name| rest(name, new.get(*name)) != rest(name, old.get(*name)));
        changed.cloned().collect()
    }

    /// Where the value of `key` came from.
    pub fn origin(&self, key: &str) -> &Origin {
        origin(&self.origins, &Key::parse(key))
    }
}

/// What was said of the value itself, or of what it is a part of.
fn origin<'a>(origins: &'a Origins, key: &Key) -> &'a Origin {
    let mut steps = &key.0[..];
    loop {
        match (origins.get(&Key(steps.to_vec())), steps.split_last()) {
            (Some(origin), _) => return origin,
            (None, Some((_, rest))) => steps = rest,
            (None, None) => return &Origin::Default,
        }
    }
}

/// Puts one setting into the tree.
fn lay(tree: &mut Value, origins: &mut Origins, setting: Setting) -> Result<(), String> {
    let Setting { key, value, origin } = setting;
    let key = key.in_full();
    let Some(kind) = key.kind() else {
        return Err(unknown(&key, &origin));
    };
    let value = match value {
        Given::Typed(_) if kind.is_table() => return Err(SECTION.into()),
        Given::Typed(value) => value,
        Given::Text(text) => typed(kind, text)?,
        Given::Backends(urls) => {
            origins.retain(|known, _| !known.0.starts_with(&key.0));
            Value::Array(urls.into_iter().map(backend).collect())
        }
    };
    put(tree, &key.0, value)?;
    origins.insert(key, origin);
    Ok(())
}

fn unknown(key: &Key, origin: &Origin) -> String {
    if let [Step::Name(first), Step::Name(_), ..] = &key.0[..]
        && ["backend", "alias"].contains(&&**first)
    {
        return format!("each {first} is a table of a list: write [[{first}]]");
    }
    match (key.nearest(), origin) {
        (Some(near), Origin::Variable(_)) => {
            format!(
                "there is no such setting; did you mean {}?",
                near.variable()
            )
        }
        (Some(near), _) => format!("there is no such setting; did you mean {near}?"),
        (None, _) => "there is no such setting".into(),
    }
}

/// A text as the type that its key asks for.
fn typed(kind: &Value, text: String) -> Result<Value, String> {
    match kind {
        Value::String(_) => Ok(Value::String(text)),
        Value::Integer(_) => match text.trim().replace('_', "").parse() {
            Ok(n) => Ok(Value::Integer(n)),
            Err(_) => Err("must be a whole number".into()),
        },
        Value::Float(_) => match text.trim().parse() {
            Ok(n) => Ok(Value::Float(n)),
            Err(_) => Err("must be a number".into()),
        },
        Value::Boolean(_) => match text.trim().parse() {
            Ok(yes) => Ok(Value::Boolean(yes)),
            Err(_) => Err("must be true or false".into()),
        },
        Value::Array(all) if all.is_empty() => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Ok(Value::Array(parts.map(Value::from).collect()))
        }
        _ => Err(SECTION.into()),
    }
}

/// What one word of `--backend` or `SUNDYNIX_BACKENDS` means.
fn backend(url: String) -> Value {
    let (key, value) = match &*url {
        "simulator" => ("dialect", url),
        _ => ("url", url),
    };
    Value::Table(Table::from_iter([(key.into(), Value::String(value))]))
}

fn put(at: &mut Value, way: &[Step], value: Value) -> Result<(), String> {
    let Some((step, rest)) = way.split_first() else {
        *at = value;
        return Ok(());
    };
    let next = match (step, at) {
        (Step::Name(name), Value::Table(table)) => {
            table.entry(name).or_insert(Value::Table(Table::new()))
        }
        (Step::Index(index), Value::Array(all)) => {
            if *index == all.len() {
                all.push(Value::Table(Table::new()));
            }
            let count = all.len();
            all.get_mut(*index).ok_or(format!(
                "there are only {count} before it: number them from 0"
            ))?
        }
        _ => return Err("a value stands where a section belongs".into()),
    };
    put(next, rest, value)
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
