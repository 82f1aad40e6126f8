//! A model's answer, read. Models refuse, stop short, talk around their JSON, and mistake types:
//! each of these is told by name, and none of them passes for "nothing to learn".

use serde::Deserialize;
use std::fmt;

/// What is done to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Op {
    /// Something new.
    #[serde(rename = "ADD", alias = "add", alias = "Add")]
    Add,
    /// Another value.
    #[serde(rename = "UPDATE", alias = "update", alias = "Update")]
    Update,
    /// It holds no longer.
    #[serde(rename = "DELETE", alias = "delete", alias = "Delete")]
    Delete,
    /// It is there already.
    #[serde(rename = "KEEP", alias = "keep", alias = "Keep")]
    Keep,
}

/// One thing that the model read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Item {
    /// What is done.
    pub op: Op,
    /// Topic of the slot.
    pub topic: String,
    /// Key of the slot.
    pub key: String,
    /// Its value.
    #[serde(default)]
    pub value: Option<String>,
    /// The user's words.
    pub quote: String,
    /// The number of the turn they stand in, from 1.
    pub turn: usize,
}

/// What a call cost, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls.
    pub calls: u64,
    /// Tokens of what was sent.
    pub prompt: u64,
    /// Tokens of what came.
    pub completion: u64,
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, more: Self) {
        self.calls += more.calls;
        self.prompt += more.prompt;
        self.completion += more.completion;
    }
}

/// Why an answer cannot be used. Its text shows nothing of what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Not an answer at all.
    NoAnswer,
    /// The model would rather not.
    Refused,
    /// No text.
    Empty,
    /// It stopped at its limit.
    Truncated,
    /// No JSON in it.
    NoJson,
    /// JSON, but not what was asked for.
    Shape,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bad::NoAnswer => "the model's answer is no chat completion",
            Bad::Refused => "the model refused",
            Bad::Empty => "the model's answer is empty",
            Bad::Truncated => "the model's answer is cut off at its limit",
            Bad::NoJson => "the model's answer is not JSON",
            Bad::Shape => "the model's JSON does not have the shape that was asked for",
        })
    }
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

#[derive(Deserialize)]
struct Facts {
    facts: Vec<Item>,
}

/// So many places are tried at which JSON may begin.
const MOST_STARTS: usize = 64;

/// An answer, as far as it can be read.
pub struct Reading {
    /// What the model read, or why it cannot be used.
    pub items: Result<Vec<Item>, Bad>,
    /// What it said, for a repair.
    pub text: String,
    /// Tokens of what was sent and of what came, where it says so.
    pub cost: Option<(u64, u64)>,
}

/// What a whole answer says.
pub fn read(body: &[u8]) -> Reading {
    let none = |cost| Reading {
        items: Err(Bad::NoAnswer),
        text: String::new(),
        cost,
    };
    let Ok(completion) = serde_json::from_slice::<Completion>(body) else {
        return none(None);
    };
    let cost = completion
        .usage
        .map(|u| (u.prompt_tokens, u.completion_tokens));
    let Some(choice) = completion.choices.into_iter().next() else {
        return none(cost);
    };
    let text = choice.message.content.unwrap_or_default();
    let cut = choice.finish_reason.as_deref() == Some("length");
    let refused = choice
        .message
        .refusal
        .is_some_and(|refusal| !refusal.is_empty())
        || choice.finish_reason.as_deref() == Some("content_filter");
    let items = items(&text).map_err(|bad| match bad {
        _ if refused => Bad::Refused,
        _ if cut => Bad::Truncated,
        bad => bad,
    });
    Reading { items, text, cost }
}

/// The items in a text, whatever stands around the JSON.
fn items(text: &str) -> Result<Vec<Item>, Bad> {
    // What a model thinks before it speaks may hold drafts.
    let text = text.rsplit_once("</think>").map_or(text, |(_, said)| said);
    if text.trim().is_empty() {
        return Err(Bad::Empty);
    }
    let (mut worst, mut from) = (Bad::NoJson, 0);
    // A text without end is not searched without end.
    for _ in 0..MOST_STARTS {
        let Some(at) = text[from..].find(['{', '[']).map(|at| from + at) else {
            break;
        };
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter();
        from = at + 1;
        if let Some(Ok(value)) = values.next() {
            from = at + values.byte_offset();
            let alone = text[..at].trim().is_empty() && text[from..].trim().is_empty();
            match shaped(value, alone) {
                Some(items) => return Ok(items),
                None => worst = Bad::Shape,
            }
        }
    }
    Err(worst)
}

/// `{"facts": […]}`, or the list by itself; an empty one only where it is all there is.
fn shaped(value: serde_json::Value, alone: bool) -> Option<Vec<Item>> {
    match value {
        serde_json::Value::Array(all) if all.is_empty() && !alone => None,
        serde_json::Value::Array(_) => serde_json::from_value(value).ok(),
        _ => serde_json::from_value::<Facts>(value).ok().map(|f| f.facts),
    }
    // Something new without a value is a mistaken type; that nothing was there to learn it is not.
    .filter(|items: &Vec<Item>| {
        items
            .iter()
            .all(|item| item.value.is_some() || matches!(item.op, Op::Delete | Op::Keep))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ONE: &str = r#"{"facts":[{"op":"ADD","topic":"identity","key":"name","value":"Ada","quote":"I'm Ada","turn":1}]}"#;

    fn answer(content: serde_json::Value, reason: &str) -> Result<usize, Bad> {
        let body = json!({"choices": [{"message": {"content": content}, "finish_reason": reason}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3}});
        let reading = read(body.to_string().as_bytes());
        assert_eq!(reading.cost, Some((7, 3)));
        reading.items.map(|items| items.len())
    }

    #[test]
    fn what_can_be_used_is_found_whatever_stands_around_it() {
        for text in [
            ONE.to_owned(),
            format!("Sure! Here it is:\n```json\n{ONE}\n```\nAnything else {{?}}"),
            format!("<think>maybe {{\"facts\": []}}?</think>{ONE}"),
            ONE[9..ONE.len() - 1].to_owned(),
            format!("{{not json}} {ONE}"),
        ] {
            assert_eq!(answer(json!(text), "stop"), Ok(1), "{text}");
        }
        assert_eq!(answer(json!("{\"facts\": []}"), "stop"), Ok(0));
    }

    #[test]
    fn what_cannot_is_told_by_name() {
        for (content, reason, bad) in [
            (json!(null), "stop", Bad::Empty),
            (json!(" \n"), "stop", Bad::Empty),
            (json!("I cannot help with that."), "stop", Bad::NoJson),
            (json!("no"), "content_filter", Bad::Refused),
            (json!(ONE[..60]), "length", Bad::Truncated),
            (json!(ONE[..60]), "stop", Bad::NoJson),
            (json!("{\"facts\": {}}"), "stop", Bad::Shape),
            (json!("{}"), "stop", Bad::Shape),
            (json!("{\"facts\": null, \"more\": []}"), "stop", Bad::Shape),
            (json!("nothing [] to say"), "stop", Bad::Shape),
            (json!("[1, 2]"), "stop", Bad::Shape),
            (json!(ONE.replace(":1}", ":\"one\"}")), "stop", Bad::Shape),
            (json!(ONE.replace("\"Ada\"", "{}")), "stop", Bad::Shape),
            (json!(ONE.replace("ADD", "GUESS")), "stop", Bad::Shape),
            (json!(ONE.replace("\"Ada\"", "null")), "stop", Bad::Shape),
        ] {
            assert_eq!(answer(content.clone(), reason), Err(bad), "{content}");
        }
        for body in ["", "null", "{\"choices\": []}", "<html>"] {
            assert_eq!(read(body.as_bytes()).items, Err(Bad::NoAnswer));
        }
    }
}
