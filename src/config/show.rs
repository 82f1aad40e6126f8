//! The effective settings as TOML, each with where it came from, and without secrets: what
//! `sundynix check` prints, and a file that can be started from.

use super::{
    Loaded,
    key::{Key, Step},
};
use std::fmt::{self, Write};
use toml::{Table, Value};

/// What stands for a secret that is set.
const HIDDEN: &str = "********";

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Value::Table(sections) = &self.tree else {
            return Ok(());
        };
        let root = Key::default();
        for (name, section) in sections {
            let key = root.child(Step::Name(name.clone()));
            self.section(f, name, &key, section)?;
        }
        Ok(())
    }
}

impl Loaded {
    /// Its values first: in TOML what comes after a header belongs to that.
    fn section(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        key: &Key,
        at: &Value,
    ) -> fmt::Result {
        match at {
            Value::Table(table) => {
                writeln!(f, "\n[{name}]")?;
                self.table(f, name, key, table)
            }
            Value::Array(all) => all.iter().enumerate().try_for_each(|(index, one)| {
                writeln!(f, "\n[[{name}]]")?;
                let key = key.child(Step::Index(index));
                one.as_table()
                    .map_or(Ok(()), |table| self.table(f, name, &key, table))
            }),
            _ => Ok(()),
        }
    }

    fn table(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        key: &Key,
        table: &Table,
    ) -> fmt::Result {
        let (sections, values): (Vec<_>, Vec<_>) = table.iter().partition(|(_, v)| is_section(v));
        for (name, value) in values {
            let key = key.child(Step::Name(name.clone()));
            let line = format!("{name} = {}", shown(&key, value));
            writeln!(f, "{line:<44} # {}", self.origin(&key.to_string()))?;
        }
        for (inner, section) in sections {
            let key = key.child(Step::Name(inner.clone()));
            self.section(f, &format!("{name}.{inner}"), &key, section)?;
        }
        Ok(())
    }
}

/// A table, or tables.
fn is_section(value: &Value) -> bool {
    match value {
        Value::Array(all) => all.first().is_some_and(Value::is_table),
        value => value.is_table(),
    }
}

fn shown(key: &Key, value: &Value) -> String {
    match value {
        Value::String(text) if key.is_secret() && !text.is_empty() => {
            Value::from(HIDDEN).to_string()
        }
        Value::String(text) => Value::String(without_password(text)).to_string(),
        other => other.to_string(),
    }
}

/// A URL whose password is hidden; any other text as it is. Hides too much rather than too little:
/// people forget to escape an `@` or a `/` in a password.
pub(super) fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let mut out = format!("{scheme}://");
    let rest = match rest.rsplit_once('@') {
        Some((userinfo, rest)) => {
            let user = userinfo.split(':').next().unwrap_or_default();
            let _ = write!(out, "{user}:{HIDDEN}@");
            rest
        }
        None => rest,
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    out.push_str(path);
    for (n, part) in query.split('&').filter(|part| !part.is_empty()).enumerate() {
        out.push(if n == 0 { '?' } else { '&' });
        match part.split_once('=') {
            Some((name, _)) if name.to_lowercase().contains("pass") => {
                let _ = write!(out, "{name}={HIDDEN}");
            }
            _ => out.push_str(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden() {
        for (url, shown) in [
            ("postgres://h/db", "postgres://h/db"),
            ("postgres://u:p@h/db", "postgres://u:********@h/db"),
            (
                "postgres://u:p@/?#ss@h:5432/db?sslmode=require",
                "postgres://u:********@h:5432/db?sslmode=require",
            ),
            (
                "postgres://h/db?password=x&sslmode=x",
                "postgres://h/db?password=********&sslmode=x",
            ),
            ("info", "info"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
