//! The tools as they are listed: names, what they are for in words that a model understands,
//! schemas, and hints on what a call does.

use super::arguments::{Before, Delete, Deleted, Find, Found, Get, Profile, Put};
use crate::web::memory::history::History;
use rmcp::{
    handler::server::tool::{schema_for_input, schema_for_output},
    model::{JsonObject, Tool, ToolAnnotations},
    schemars::JsonSchema,
};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

/// Read the profile.
pub const GET: &str = "memory_get";
/// Change the profile.
pub const UPSERT: &str = "memory_upsert";
/// Find what was said.
pub const SEARCH: &str = "memory_search";
/// See what the profile held before.
pub const HISTORY: &str = "memory_history";
/// Remove values, or everything.
pub const DELETE: &str = "memory_delete";

/// All of them, in the order they are listed.
pub static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    let reads = || hints().read_only(true).idempotent(true);
    let writes = || hints().read_only(false).idempotent(true);
    vec![
        tool::<Get, Profile>(
            GET,
            "What is known of the user",
            "Read the lasting facts and preferences known of the user, as topic → key → value. \
             Call it before you answer anything that depends on who the user is.",
            reads(),
        ),
        tool::<Put, Profile>(
            UPSERT,
            "Remember facts and preferences",
            "Remember lasting facts and preferences that the user states of themselves, or change \
             or remove some. Keep the user's own language and names. Not for passing remarks, \
             guesses, secrets, or what others said. Answers with the whole profile, and with what of \
             it is held back because it looks like an instruction (`quarantined`).",
            writes().destructive(true),
        ),
        tool::<Find, Found>(
            SEARCH,
            "Find what was said",
            "Find earlier conversations with the user that matter to a question or a topic. Call \
             it when the user refers to something said before that is not in the profile.",
            reads(),
        ),
        tool::<Before, History>(
            HISTORY,
            "What was known before",
            "Read what the profile held before: values that were changed or removed since, the \
             last first, with the user's words and from when to when each held. Call it when it \
             matters what was true earlier or when it changed. These values hold no longer.",
            reads(),
        ),
        tool::<Delete, Deleted>(
            DELETE,
            "Forget",
            "Remove one value (topic and key), a whole topic, or with everything=true all that is \
             kept of the user. Call it only when the user asks to be forgotten or to forget \
             something.",
            writes().destructive(true),
        ),
    ]
});

/// Memory is a closed world: nothing beyond the user's own data is touched.
fn hints() -> ToolAnnotations {
    ToolAnnotations::new().open_world(false)
}

fn tool<I: JsonSchema + 'static, O: JsonSchema + 'static>(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    hints: ToolAnnotations,
) -> Tool {
    // The types are structs, so there is an object to be had; a test lists them.
    let input = schema_for_input::<I>().unwrap_or_default();
    let output = schema_for_output::<O>();
    Tool::new(name, description, tidy(&input, false))
        .with_title(title)
        .with_raw_output_schema(Arc::new(tidy(&output, true)))
        .with_annotations(hints)
}

/// Without what is Rust's: formats that no validator knows, comments broken into lines, and, unless
/// they are wanted, types that are null as well. Some models' schemas cannot say those, so that
/// arguments do without (`null` is taken all the same); answers are held against theirs by clients.
fn tidy(schema: &JsonObject, nulls: bool) -> JsonObject {
    let mut schema = schema.clone();
    schema.remove("format");
    if nulls && let Some(Value::Array(kinds)) = schema.get("type").cloned() {
        // As branches, for clients that know a single type only.
        let branches = kinds.into_iter().map(|kind| json!({ "type": kind }));
        schema.insert("anyOf".into(), branches.collect());
        schema.remove("type");
    }
    for (name, value) in &mut schema {
        match value {
            Value::String(text) if name == "description" => *text = text.replace('\n', " "),
            Value::Object(inner) => *inner = tidy(inner, nulls),
            Value::Array(all) if name == "type" => {
                all.retain(|kind| kind != "null");
                if let [one] = &all[..] {
                    *value = one.clone();
                }
            }
            Value::Array(all) => {
                let inner = all.iter_mut().filter_map(Value::as_object_mut);
                inner.for_each(|inner| *inner = tidy(inner, nulls));
            }
            _ => {}
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_says_what_it_takes_and_gives() {
        for tool in &*TOOLS {
            let input = serde_json::to_value(&*tool.input_schema).unwrap();
            assert_eq!(input["type"], "object", "{}", tool.name);
            assert_eq!(input["additionalProperties"], false, "{}", tool.name);
            assert!(input["properties"]["user_id"].is_object(), "{}", tool.name);
            let output = serde_json::to_value(tool.output_schema.as_deref()).unwrap();
            assert_eq!(output["type"], "object", "{}", tool.name);
        }
    }
}
