//! The `preferences` of a `PUT`: topic → key → value, read into slots.

use crate::error::Error;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// (topic, key) → value; `None` removes.
pub type Slots = BTreeMap<(String, String), Option<String>>;

/// Where values without a topic go.
const GENERAL: &str = "general";

/// The most slots one request may change, the longest name and the longest value, in characters.
const MOST_SLOTS: usize = 200;
const NAME_CHARS: usize = 64;
const VALUE_CHARS: usize = 2_000;

/// Reads them; the error names the path.
pub fn slots(preferences: Map<String, Value>) -> Result<Slots, Error> {
    let mut slots = Slots::new();
    for (name, value) in preferences {
        let path = format!("preferences.{}", shown(&name));
        match value {
            Value::Object(keys) => {
                check_name(&name, &path)?;
                for (key, value) in keys {
                    let path = format!("{path}.{}", shown(&key));
                    enter(&mut slots, (name.clone(), key), value, path)?;
                }
            }
            value => enter(&mut slots, (GENERAL.into(), name), value, path)?,
        }
    }
    Ok(slots)
}

fn enter(slots: &mut Slots, at: (String, String), value: Value, path: String) -> Result<(), Error> {
    check_name(&at.1, &path)?;
    let value = text(value, &path)?;
    if slots.insert(at, value).is_some() {
        let detail = "this slot is there twice: by itself and under the topic `general`";
        return Err(Error::invalid(path, detail));
    }
    if slots.len() > MOST_SLOTS {
        let detail = format!("one request changes at most {MOST_SLOTS} values");
        return Err(Error::invalid("preferences", detail));
    }
    Ok(())
}

fn check_name(name: &str, path: &str) -> Result<(), Error> {
    let chars = name.chars().count();
    let plain = !name.chars().any(char::is_control) && name.trim() == name;
    if !(1..=NAME_CHARS).contains(&chars) || !plain {
        let detail = format!(
            "a topic or key has 1 to {NAME_CHARS} characters, without control characters or space \
             around them"
        );
        return Err(Error::invalid(path.to_owned(), detail));
    }
    Ok(())
}

/// A value as it is kept: text.
fn text(value: Value, path: &str) -> Result<Option<String>, Error> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text,
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => {
            let detail = "takes a string, a number, a boolean, or null to remove it";
            return Err(Error::invalid(path.to_owned(), detail));
        }
    };
    if text.trim().is_empty() {
        return Err(Error::invalid(path.to_owned(), "is empty; null removes it"));
    }
    if text.chars().count() > VALUE_CHARS {
        let detail = format!("a value has at most {VALUE_CHARS} characters");
        return Err(Error::invalid(path.to_owned(), detail));
    }
    Ok(Some(text))
}

/// A name the caller made up, as it may stand in an error.
fn shown(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control())
        .take(NAME_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(preferences: Value) -> Result<Slots, Error> {
        let Value::Object(preferences) = preferences else {
            panic!("no object")
        };
        slots(preferences)
    }

    #[test]
    fn topics_keys_and_values() {
        let slots = read(json!({
            "language": "中文",
            "style": {"tone": "concise", "emoji": false, "length": 1.5, "old": null},
            "general": {"place": "上海"},
            "empty": {}
        }))
        .unwrap();
        let at =
            |topic: &str, key: &str| slots.get(&(topic.into(), key.into())).unwrap().as_deref();
        assert_eq!(slots.len(), 6);
        assert_eq!(at("general", "language"), Some("中文"));
        assert_eq!(at("general", "place"), Some("上海"));
        assert_eq!(at("style", "tone"), Some("concise"));
        assert_eq!(at("style", "emoji"), Some("false"));
        assert_eq!(at("style", "length"), Some("1.5"));
        assert_eq!(at("style", "old"), None);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let long = "字".repeat(65);
        for (preferences, field) in [
            (json!({"tone": {"x": {"y": 1}}}), "preferences.tone.x"),
            (json!({"tone": {"x": [1]}}), "preferences.tone.x"),
            (json!({"tone": ["x"]}), "preferences.tone"),
            (json!({"tone": ""}), "preferences.tone"),
            (json!({"tone": "x".repeat(2_001)}), "preferences.tone"),
            (json!({"": 1}), "preferences."),
            (json!({"a": {" b": 1}}), "preferences.a. b"),
            (json!({"a\nb": {}}), "preferences.ab"),
            (
                json!({&*long: 1}),
                &*format!("preferences.{}", "字".repeat(64)),
            ),
            (json!({"x": 1, "general": {"x": 2}}), "preferences.x"),
        ] {
            let error = read(preferences.clone()).unwrap_err();
            assert_eq!(
                (error.status(), error.field()),
                (400, Some(field)),
                "{preferences}"
            );
        }
        assert!(read(json!({"tone": "字".repeat(2_000), &*"k".repeat(64): 1})).is_ok());
        let many: Map<_, _> = (0..201).map(|n| (n.to_string(), json!(n))).collect();
        assert_eq!(slots(many).unwrap_err().field(), Some("preferences"));
    }
}
