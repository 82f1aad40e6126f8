//! The operator's templates, compiled and tried once at the start: a mistake in one stops the
//! start, and cannot wait for a request to find it.

use super::{
    built_in,
    inert::inert,
    tongue::{Headings, written},
};
use crate::config::PromptConfig;
use minijinja::{
    AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value,
    value::{Enumerator, Object, Serde},
};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

const SYSTEM: &str = "prompt.system";
const PROFILE: &str = "prompt.profile";
const MEMORIES: &str = "prompt.memories";

/// What is inside of what the templates may use, for an error.
const PROFILE_NAMES: &str = "`topic`, `key` and `value` of each of `profile`, `headings.profile`";
const MEMORIES_NAMES: &str =
    "`query`, `speaker`, `answer` and `when` of each of `memories`, `headings.memories`";

/// One value of the profile, as templates see it: inert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct SlotView<'a> {
    pub(super) topic: Cow<'a, str>,
    pub(super) key: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
}

/// One recalled turn, as templates see it: inert.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TurnView<'a> {
    /// Who says `query`.
    pub(super) speaker: Cow<'a, str>,
    pub(super) query: Cow<'a, str>,
    pub(super) answer: Cow<'a, str>,
    pub(super) when: String,
}

/// What the profile's template may use.
#[derive(Serialize)]
pub(super) struct ProfileView<'a> {
    pub(super) profile: &'a [SlotView<'a>],
    pub(super) headings: Headings,
    pub(super) tag: &'a str,
}

/// What the memories' template may use.
#[derive(Serialize)]
pub(super) struct MemoriesView<'a> {
    pub(super) memories: &'a [TurnView<'a>],
    pub(super) headings: Headings,
    pub(super) tag: &'a str,
}

/// The templates, checked at start.
pub struct Prompts {
    env: Environment<'static>,
    /// The operator has one of their own for the profile, and for memories.
    own: (bool, bool),
}

impl Prompts {
    /// Compiles and checks; the error names the template's key.
    pub fn new(config: &PromptConfig) -> Result<Prompts, String> {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        // What is written is a prompt, not a page; what must be inert is so before it gets here.
        env.set_auto_escape_callback(|_| AutoEscape::None);
        let or = |own: &str, built_in: &str| match own.is_empty() {
            true => built_in.to_owned(),
            false => own.to_owned(),
        };
        for (key, source, may) in [
            (SYSTEM, config.system.clone(), &["meta"][..]),
            (
                PROFILE,
                or(&config.profile, built_in::PROFILE),
                &["profile", "headings", "tag"],
            ),
            (
                MEMORIES,
                or(&config.memories, built_in::MEMORIES),
                &["memories", "headings", "tag"],
            ),
        ] {
            env.add_template_owned(key, source)
                .map_err(|e| e.to_string())
                .and_then(|()| unknown(&env, key, may))
                .map_err(|e| format!("{key}: {e}; it may use {}", list(may)))?;
        }
        let own = (!config.profile.is_empty(), !config.memories.is_empty());
        let prompts = Prompts { env, own };
        prompts.try_out()?;
        Ok(prompts)
    }

    /// The system text of a native task that brings none.
    pub(super) fn system(&self, meta: &BTreeMap<String, String>) -> Result<String, ErrorKind> {
        let meta = Value::from_object(Meta(meta.clone()));
        self.render(SYSTEM, Value::from_pairs([("meta", meta)]))
            .map_err(|e| e.kind())
    }

    /// The profile as a block.
    pub(super) fn profile(&self, view: &ProfileView<'_>) -> Option<String> {
        match self.own.0 {
            true => self.block(PROFILE, view),
            false => straight(|out| built_in::profile(out, view)),
        }
    }

    /// Recalled turns as a block.
    pub(super) fn memories(&self, view: &MemoriesView<'_>) -> Option<String> {
        match self.own.1 {
            true => self.block(MEMORIES, view),
            false => straight(|out| built_in::memories(out, view)),
        }
    }

    /// A template that fails on some profile after all costs the request its memory, no more.
    fn block(&self, key: &'static str, view: &impl Serialize) -> Option<String> {
        match self.render(key, Serde(view)) {
            Ok(block) => Some(block).filter(|block| !block.trim().is_empty()),
            Err(e) => {
                let (why, line) = (e.kind(), e.line());
                tracing::warn!(template = key, ?why, line, "a template failed; left out");
                None
            }
        }
    }

    fn render(&self, key: &str, view: impl Into<Value>) -> Result<String, minijinja::Error> {
        self.env.get_template(key)?.render(view)
    }

    /// Renders each with something in it: finds `slot.valeu`, which no look at names does.
    fn try_out(&self) -> Result<(), String> {
        let (text, headings, tag) = (|| Cow::from("text"), written([]), "tag");
        let slots = [SlotView {
            topic: text(),
            key: text(),
            value: text(),
        }];
        let turns = [TurnView {
            speaker: inert(""),
            query: text(),
            answer: text(),
            when: text().into(),
        }];
        let profile = ProfileView {
            profile: &slots,
            headings,
            tag,
        };
        let memories = MemoriesView {
            memories: &turns,
            headings,
            tag,
        };
        let meta = Value::from_pairs([("meta", Value::from_object(Meta(BTreeMap::new())))]);
        for (key, view, may) in [
            (SYSTEM, meta, "any key of `meta`"),
            (PROFILE, Serde(profile).into(), PROFILE_NAMES),
            (MEMORIES, Serde(memories).into(), MEMORIES_NAMES),
        ] {
            self.render(key, view)
                .map_err(|e| format!("{key}: {e}; it may use {may}"))?;
        }
        Ok(())
    }
}

fn straight(write: impl Fn(&mut String) -> fmt::Result) -> Option<String> {
    let mut block = String::new();
    write(&mut block).is_ok().then_some(block)
}

/// Refuses names that are neither given nor built in.
fn unknown(env: &Environment<'_>, key: &str, may: &[&str]) -> Result<(), String> {
    let template = env.get_template(key).map_err(|e| e.to_string())?;
    let mut unknown: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    unknown.retain(|name| !may.contains(&name.as_str()) && env.globals().all(|(g, _)| g != name));
    unknown.sort();
    match unknown.first() {
        None => Ok(()),
        Some(name) => Err(format!("unknown variable `{name}`")),
    }
}

fn list(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// What came with the request: each key is there, empty unless the caller sent it, for no request
/// may fail on what another one carries.
#[derive(Debug)]
struct Meta(BTreeMap<String, String>);

impl Object for Meta {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let value = self.0.get(key.as_str()?).map(|value| inert(value));
        Some(value.unwrap_or_default().into_owned().into())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(
            self.0
                .keys()
                .map(|key| inert(key).into_owned().into())
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(system: &str, profile: &str, memories: &str) -> Result<Prompts, String> {
        Prompts::new(&PromptConfig {
            system: system.into(),
            profile: profile.into(),
            memories: memories.into(),
        })
    }

    #[test]
    fn a_mistake_stops_the_start_and_is_named() {
        assert!(with("", "", "").is_ok());
        for (system, profile, memories, key, what) in [
            ("{{ users }}", "", "", "prompt.system", "`users`"),
            ("{{ profile }}", "", "", "prompt.system", "`meta`"),
            ("", "{{ tag }}{{ meta.x }}", "", "prompt.profile", "`meta`"),
            ("", "", "{{ memory }}", "prompt.memories", "`memories`"),
            (
                "",
                "{% for s in profile %}{{ s.valeu }}{% endfor %}",
                "",
                "prompt.profile",
                "`value`",
            ),
            (
                "",
                "{{ headings.profil }}",
                "",
                "prompt.profile",
                "headings.profile",
            ),
            ("", "", "a\n{% for m in %}", "prompt.memories", ":2"),
            (
                "{{ meta.x | nofilter }}",
                "",
                "",
                "prompt.system",
                "nofilter",
            ),
        ] {
            let error = with(system, profile, memories).err().unwrap();
            assert!(error.starts_with(key) && error.contains(what), "{error}");
        }
    }

    #[test]
    fn meta_is_the_callers_and_inert() {
        let prompts = with(
            "For {{ meta.plan }}{% if meta.city %} in {{ meta.city }}{% endif %}.",
            "",
            "",
        );
        let meta = BTreeMap::from([("plan".into(), "<pro>\n{{ tag }}".into())]);
        let text = prompts.unwrap().system(&meta).unwrap();
        assert_eq!(text, "For &lt;pro&gt; {{ tag }}.");
    }
}
