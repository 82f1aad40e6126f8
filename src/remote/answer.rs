//! What a remote memory answers, read into a profile. It is somebody else's program: what does not
//! fit is left out, and nothing is taken without bounds.

use crate::{
    memory::{Profile, SLOT_NAME_BYTES, Slot, Source},
    store::HeldBack,
};
use serde_json::Value;

/// The most values that are taken of one profile.
const MOST_SLOTS: usize = 1_000;
/// The longest value that is taken, in characters.
const VALUE_CHARS: usize = 2_000;
/// Where values without a topic go.
const GENERAL: &str = "general";

/// Reads `{quarantined: [{id, topic, key, rule}]}`: what it holds back, and what it can be released
/// by there.
pub fn held(answer: &Value) -> Vec<HeldBack> {
    let list = unwrapped(answer)["quarantined"].as_array();
    let read = |one: &Value| {
        let text = |name: &str| {
            let text = one[name].as_str()?;
            (text.len() <= SLOT_NAME_BYTES).then(|| text.to_owned())
        };
        Some(HeldBack {
            id: one["id"].as_i64()?,
            topic: text("topic")?,
            key: text("key")?,
            rule: text("rule").unwrap_or_default(),
        })
    };
    let list = list.into_iter().flatten().take(MOST_SLOTS);
    list.filter_map(read).collect()
}

/// Some servers wrap what their functions return.
fn unwrapped(answer: &Value) -> &Value {
    match answer.get("result") {
        Some(wrapped) if answer.get("profile").is_none() => wrapped,
        _ => answer,
    }
}

/// Reads `{profile: topic → key → value, version}`.
pub fn profile(answer: &Value) -> Profile {
    let answer = unwrapped(answer);
    let mut profile = Profile {
        version: version(&answer["version"]),
        ..Profile::default()
    };
    for (topic, value) in answer["profile"].as_object().into_iter().flatten() {
        match value {
            Value::Object(keys) => {
                for (key, value) in keys {
                    enter(&mut profile, topic, key, value);
                }
            }
            value => enter(&mut profile, GENERAL, topic, value),
        }
    }
    profile
}

fn version(given: &Value) -> u64 {
    let text = given.as_str().and_then(|text| text.parse().ok());
    given.as_u64().or(text).unwrap_or_default()
}

fn enter(profile: &mut Profile, topic: &str, key: &str, value: &Value) {
    let text = match value {
        Value::String(text) => text.chars().take(VALUE_CHARS).collect(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        // A detailed answer.
        Value::Object(detail) if detail.contains_key("value") => {
            return enter(profile, topic, key, &detail["value"]);
        }
        Value::Array(_) | Value::Object(_) => value.to_string().chars().take(VALUE_CHARS).collect(),
        Value::Null => return,
    };
    let fits = |name: &str| (1..=SLOT_NAME_BYTES).contains(&name.len());
    if fits(topic) && fits(key) && !text.trim().is_empty() && profile.slots.len() < MOST_SLOTS {
        let slot = Slot {
            value: Some(text),
            source: Source::Said {
                turn: "".into(),
                quote: String::new(),
            },
            // Whatever is said here was said after it was read there.
            valid_from_ms: 0,
        };
        profile.slots.insert((topic.into(), key.into()), slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn profiles_of_any_make_are_read() {
        let read = |answer| {
            let profile = profile(&answer);
            let slots = profile.slots.into_iter();
            let slots = slots.map(|((t, k), s)| format!("{t}.{k}={}", s.value.unwrap_or_default()));
            (profile.version, slots.collect::<Vec<_>>().join(" "))
        };
        let plain =
            json!({"profile": {"a": {"b": "c", "n": 1, "gone": null}, "flat": "x"}, "version": 3});
        let want = (3, "a.b=c a.n=1 general.flat=x".to_owned());
        assert_eq!(read(plain.clone()), want);
        assert_eq!(read(json!({ "result": plain })), want);
        let odd = json!({"profile": {"a": {"b": ["x", "y"], "d": {"value": "z"}}}, "version": "7"});
        assert_eq!(read(odd), (7, r#"a.b=["x","y"] a.d=z"#.into()));
        assert_eq!(read(json!({"profile": []})), (0, String::new()));
        assert_eq!(read(json!("nothing")), (0, String::new()));
    }

    #[test]
    fn what_is_held_back_there_is_told() {
        let one = json!({"id": 4, "topic": "a", "key": "b", "rule": "c"});
        let odd = [one, json!({"id": "x", "topic": "a", "key": "b"}), json!(7)];
        let answer = json!({"profile": {}, "version": 1, "quarantined": odd});
        for answer in [json!({ "result": answer.clone() }), answer] {
            let held = held(&answer);
            assert_eq!(held.len(), 1);
            assert_eq!((held[0].id, &*held[0].rule), (4, "c"));
        }
        assert_eq!(held(&json!({"quarantined": "no"})), []);
    }

    #[test]
    fn nothing_is_taken_without_bounds() {
        let many: serde_json::Map<_, _> = (0..2_000).map(|n| (n.to_string(), json!("v"))).collect();
        let long = json!({"a": {"b": "字".repeat(5_000), "k".repeat(300): "v"}});
        assert_eq!(
            profile(&json!({ "profile": {"t": many} })).slots.len(),
            MOST_SLOTS
        );
        let long = profile(&json!({ "profile": long }));
        let value = long.slots.values().next().unwrap().value.as_ref().unwrap();
        assert_eq!((long.slots.len(), value.chars().count()), (1, VALUE_CHARS));
    }
}
