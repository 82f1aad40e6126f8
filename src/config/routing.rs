//! How a backend is chosen among those that serve a model, and names that stand for several models.

use serde::{Deserialize, Serialize};

/// By what rule a backend is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The one that has answered the conversation before, as long as it is not loaded more than
    /// the others; else the least loaded.
    #[default]
    Affinity,
    /// The one that will answer soonest, judged by what is under way there.
    LeastLoad,
    /// One after the other.
    RoundRobin,
    /// By `weight`, whatever is under way.
    Weighted,
}

/// Whether memory may go to a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MemoryAt {
    /// Requests carry what was recalled.
    #[default]
    Allow,
    /// It gets requests as they came: what is known of users never goes there.
    Deny,
}

/// `[[alias]]`: a name that requests may use as a model. One of `any` and `chain` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AliasConfig {
    /// The name.
    pub name: String,
    /// One model under the names that it has on different backends: they are balanced as one.
    pub any: Vec<String>,
    /// Models in order: a later one answers where all before it are full, cannot be routed to, or
    /// have failed. They may be `any` aliases.
    pub chain: Vec<String>,
    /// By what rule; by default `pool.policy`.
    pub policy: Option<Policy>,
}

/// What is wrong with the aliases, and where.
pub(super) fn wrong(aliases: &[AliasConfig]) -> Result<(), (String, String)> {
    for (at, alias) in aliases.iter().enumerate() {
        let bad = |key: &str, detail: &str| Err((format!("alias[{at}].{key}"), detail.to_owned()));
        let again = |other: &AliasConfig| other.name == alias.name;
        if alias.name.trim() != alias.name || !(1..=256).contains(&alias.name.len()) {
            return bad("name", "an alias has a name of 1 to 256 bytes");
        }
        if aliases[..at].iter().any(again) {
            return bad("name", "another alias has that name already");
        }
        let members = match (&alias.any[..], &alias.chain[..]) {
            (any, []) if !any.is_empty() => any,
            ([], chain) if !chain.is_empty() => chain,
            _ => {
                return bad(
                    "any",
                    "an alias names its models, either in any or in chain",
                );
            }
        };
        let key = if alias.any.is_empty() { "chain" } else { "any" };
        for (nth, member) in members.iter().enumerate() {
            let is_alias = |other: &&AliasConfig| other.name == *member && !again(other);
            let other = aliases.iter().find(is_alias);
            if member.is_empty() || members[..nth].contains(member) {
                return bad(key, "each model is named once");
            }
            if other.is_some_and(|other| key == "any" || !other.chain.is_empty()) {
                return bad(
                    key,
                    "only a chain may name another alias, and only one with any",
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(name: &str, any: &[&str], chain: &[&str]) -> AliasConfig {
        let owned = |all: &[&str]| all.iter().map(|s| s.to_string()).collect();
        AliasConfig {
            name: name.into(),
            any: owned(any),
            chain: owned(chain),
            policy: None,
        }
    }

    #[test]
    fn an_alias_that_means_nothing_is_refused_by_key() {
        let fine = [
            alias("llama", &["meta/llama", "llama"], &[]),
            alias("smart", &[], &["llama", "small"]),
        ];
        assert_eq!(wrong(&fine), Ok(()));
        for (aliases, key) in [
            (vec![alias("", &["a"], &[])], "alias[0].name"),
            (
                vec![alias("x", &["a"], &[]), alias("x", &["b"], &[])],
                "alias[1].name",
            ),
            (vec![alias("x", &[], &[])], "alias[0].any"),
            (vec![alias("x", &["a"], &["b"])], "alias[0].any"),
            (vec![alias("x", &[], &["a", "a"])], "alias[0].chain"),
            (
                vec![alias("x", &["y"], &[]), alias("y", &["a"], &[])],
                "alias[0].any",
            ),
            (
                vec![alias("x", &[], &["y"]), alias("y", &[], &["a"])],
                "alias[0].chain",
            ),
        ] {
            assert_eq!(wrong(&aliases).unwrap_err().0, key);
        }
    }
}
