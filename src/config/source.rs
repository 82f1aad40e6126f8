//! Where settings come from: a file, the environment, flags. Each is read into a flat list of
//! settings that know their place; nothing is judged here but whether it can be read.

use super::key::{Key, Step};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs, io,
    path::{Path, PathBuf},
};
use toml::{
    Value,
    de::{DeTable, DeValue},
};

/// Read where no `--config` names another.
const FILE: &str = "sundynix.toml";

/// The variables of others that are honoured, below our own.
const FOREIGN: [(&str, &str); 2] = [("DATABASE_URL", "store.url"), ("RUST_LOG", "telemetry.log")];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A file, and the line in it.
    File(PathBuf, usize),
    /// The environment variable of that name.
    Variable(String),
    /// That flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "default"),
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Variable(name) => write!(f, "{name}"),
            Origin::Flag(name) => write!(f, "{name}"),
        }
    }
}

/// What the command line sets.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// Settings file [default: ./sundynix.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen (server.bind) [default: 127.0.0.1:8484]
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub bind: Option<String>,
    /// Data directory (server.data) [default: ./sundynix-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<String>,
    /// A backend's URL, or the word "simulator"; can be repeated (backend)
    #[arg(long, global = true, value_name = "URL")]
    pub backend: Vec<String>,
    /// Any setting, as store.group=32; can be repeated
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

/// One value, and who says so.
pub(super) struct Setting {
    pub(super) key: Key,
    pub(super) value: Given,
    pub(super) origin: Origin,
}

/// A value as it was given.
pub(super) enum Given {
    /// In TOML, with a type.
    Typed(Value),
    /// As text: what type it has depends on the key.
    Text(String),
    /// A new list of backends, whatever was there.
    Backends(Vec<String>),
}

/// A place that cannot be read, and why.
pub(super) type Unreadable = (Origin, String);

impl Flags {
    /// The settings file, whether it is there or not.
    pub fn file(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(FILE))
    }

    /// What they set.
    pub(super) fn read(&self) -> Result<Vec<Setting>, Unreadable> {
        let mut all = Vec::new();
        let mut put = |flag, key, value| {
            let origin = Origin::Flag(flag);
            all.push(Setting { key, value, origin });
        };
        for one in &self.set {
            let Some((key, value)) = one.split_once('=') else {
                let detail = "write it as section.key=value".to_owned();
                return Err((Origin::Flag("--set"), detail));
            };
            put("--set", Key::parse(key.trim()), Given::Text(value.into()));
        }
        if !self.backend.is_empty() {
            let urls = Given::Backends(self.backend.clone());
            put("--backend", Key::parse("backend"), urls);
        }
        if let Some(bind) = &self.bind {
            put(
                "--bind",
                Key::parse("server.bind"),
                Given::Text(bind.clone()),
            );
        }
        if let Some(data) = &self.data {
            put(
                "--data",
                Key::parse("server.data"),
                Given::Text(data.clone()),
            );
        }
        Ok(all)
    }
}

/// The settings of a file, with their lines. Without a name: the usual one, if it is there.
pub(super) fn file(named: Option<&Path>) -> Result<Vec<Setting>, Unreadable> {
    let path = named.unwrap_or(Path::new(FILE));
    let at = |line| Origin::File(path.to_owned(), line);
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound && named.is_none() => return Ok(Vec::new()),
        Err(e) => return Err((Origin::Flag("--config"), format!("{}: {e}", path.display()))),
    };
    let line = |offset: usize| 1 + text[..offset].matches('\n').count();
    let root = match DeTable::parse(&text) {
        Ok(root) => root.into_inner(),
        // Only the message: the parser's own rendering quotes the line, which may hold a key.
        Err(e) => {
            return Err((
                at(line(e.span().map_or(0, |s| s.start))),
                e.message().into(),
            ));
        }
    };
    let mut all = Vec::new();
    flatten(
        &DeValue::Table(root),
        0,
        &Key::default(),
        &mut |key, value, offset| {
            let (value, origin) = (Given::Typed(value), at(line(offset)));
            all.push(Setting { key, value, origin });
        },
    );
    Ok(all)
}

/// Every value of a parsed file, with its key and where it stands.
fn flatten(value: &DeValue<'_>, at: usize, key: &Key, put: &mut impl FnMut(Key, Value, usize)) {
    match value {
        DeValue::Table(table) => {
            for (name, value) in table {
                let key = key.child(Step::Name(name.get_ref().to_string()));
                flatten(value.get_ref(), name.span().start, &key, put);
            }
        }
        DeValue::Array(all) if all.iter().any(|v| v.get_ref().is_table()) => {
            for (index, value) in all.iter().enumerate() {
                let key = key.child(Step::Index(index));
                flatten(value.get_ref(), value.span().start, &key, put);
            }
        }
        leaf => put(key.clone(), plain(leaf), at),
    }
}

fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) => Value::Integer(n),
            // Larger than TOML has to allow: refused as text where a number belongs.
            Err(_) => Value::String(n.to_string()),
        },
        DeValue::Float(n) => match n.as_str().parse() {
            Ok(n) => Value::Float(n),
            Err(_) => Value::String(n.to_string()),
        },
        DeValue::Boolean(yes) => Value::Boolean(*yes),
        DeValue::Datetime(time) => Value::Datetime(*time),
        DeValue::Array(all) => Value::Array(all.iter().map(|v| plain(v.get_ref())).collect()),
        DeValue::Table(table) => {
            let entries = table.iter();
            let entries = entries.map(|(k, v)| (k.get_ref().to_string(), plain(v.get_ref())));
            Value::Table(entries.collect())
        }
    }
}

/// The settings of an environment. An empty variable counts as not set.
pub(super) fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<Setting>, Unreadable> {
    let mut all = Vec::new();
    let mut ours = BTreeMap::new();
    let variables = variables.into_iter().filter(|(_, value)| !value.is_empty());
    let readable = |name: &str, value: OsString| match value.into_string() {
        Ok(value) => Ok(value),
        Err(_) => Err((
            Origin::Variable(name.into()),
            "is not valid UTF-8".to_owned(),
        )),
    };
    for (name, value) in variables {
        let Ok(name) = name.into_string() else {
            continue;
        };
        if let Some((_, key)) = FOREIGN.iter().find(|(foreign, _)| *foreign == name) {
            let (value, key) = (Given::Text(readable(&name, value)?), Key::parse(key));
            let origin = Origin::Variable(name);
            all.push(Setting { key, value, origin });
        } else if name.starts_with("SUNDYNIX_") {
            let value = readable(&name, value)?;
            if !is_service_link(&name, &value) {
                ours.insert(name, value);
            }
        }
    }
    // The list first: `SUNDYNIX_BACKEND__0__…` adds to it.
    if let Some(urls) = ours.remove("SUNDYNIX_BACKENDS") {
        let urls = urls.split(',').map(|url| url.trim().to_owned());
        all.push(Setting {
            key: Key::parse("backend"),
            value: Given::Backends(urls.filter(|url| !url.is_empty()).collect()),
            origin: Origin::Variable("SUNDYNIX_BACKENDS".into()),
        });
    }
    for (name, value) in ours {
        let segments = name["SUNDYNIX_".len()..].to_lowercase();
        let mut key = Key::of(segments.split("__"));
        let origin = Origin::Variable(name);
        let mut value = value;
        if let (None, Some(stem)) = (key.kind(), segments.strip_suffix("_file")) {
            key = Key::of(stem.split("__"));
            match fs::read_to_string(&value) {
                Ok(text) => value = text.trim_end_matches(['\r', '\n']).to_owned(),
                Err(e) => return Err((origin, format!("cannot read {value}: {e}"))),
            }
        }
        let value = Given::Text(value);
        all.push(Setting { key, value, origin });
    }
    Ok(all)
}

/// Kubernetes tells every pod of the services around it: with one named `sundynix` these are in
/// the environment, and mean nothing to us. (`SUNDYNIX_PORT=8484` is a slip, and is told of.)
fn is_service_link(name: &str, value: &str) -> bool {
    let numbered = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    !name.contains("__")
        && (name.ends_with("_SERVICE_HOST")
            || name.contains("_SERVICE_PORT")
            || name.ends_with("_PORT") && value.contains("://")
            || name
                .split_once("_PORT_")
                .is_some_and(|(_, rest)| numbered(rest)))
}
