//! A statement where it was found, and how it is cut out of the message.

use super::{Op, Statement, chinese_values, normal, values};
use std::ops::Range;

/// What was found at a place, before it is cut out.
pub struct Found {
    /// The words of the statement.
    pub quote: Range<usize>,
    /// The value among them.
    pub value: Range<usize>,
    /// What to do with it.
    pub what: What,
    /// The clause ends with the value, which may go on behind the comma.
    pub open: bool,
}

/// What a found value is.
#[derive(Clone)]
pub enum What {
    /// The value of this slot.
    Fact { topic: &'static str, key: String },
    /// A thing that is itself the key; the label says how the user stands to it.
    Thing {
        topic: &'static str,
        prefix: &'static str,
        label: &'static str,
    },
    /// A value whose key is the thing at this place.
    Named {
        topic: &'static str,
        thing: Range<usize>,
    },
    /// Something to remember, in the user's words.
    Note,
    /// Something to forget.
    Forget,
}

impl What {
    /// See [`What`].
    pub fn fact(topic: &'static str, key: &str) -> Self {
        What::Fact {
            topic,
            key: key.to_owned(),
        }
    }

    /// See [`What`].
    pub fn taste(label: &'static str) -> Self {
        What::Thing {
            topic: "preferences",
            prefix: "",
            label,
        }
    }

    /// See [`What`].
    pub fn allergy(label: &'static str) -> Self {
        What::Thing {
            topic: "health",
            prefix: "allergy-",
            label,
        }
    }
}

/// "My Name Is Khan", "I Love Lucy": the name of something, whose words all have capitals.
fn titled(text: &str, found: &Found) -> bool {
    let title = |w: &str| {
        let mut letters = w.chars();
        letters.next().is_some_and(char::is_uppercase)
            && letters.next().is_some_and(char::is_lowercase)
    };
    let pattern = text.get(found.quote.start..found.value.start).unwrap_or("");
    let value = text.get(found.value.clone()).unwrap_or("");
    pattern.split_whitespace().skip(1).any(title) && title(value)
}

/// Cuts a statement out of the message.
pub fn statement(text: &str, found: Found) -> Option<Statement> {
    if titled(text, &found) {
        return None;
    }
    let quote = text.get(found.quote)?.trim().to_owned();
    let value = values::bare(text.get(found.value)?);
    let clipped = normal::clip(value);
    let (topic, key, value) = match found.what {
        What::Forget => {
            let what = clipped.to_owned();
            return (!what.is_empty()).then_some(Statement {
                op: Op::Forget { what },
                quote,
            });
        }
        What::Fact { topic, key } => (topic, key, clipped.to_owned()),
        What::Thing {
            topic,
            prefix,
            label,
        } => {
            let key = normal::slug(&values::core(value));
            let key = if key.is_empty() {
                key
            } else {
                [prefix, &key].concat()
            };
            (topic, key, [label, clipped].concat())
        }
        What::Named { topic, thing } => {
            let thing = chinese_values::core(values::bare(text.get(thing)?));
            (topic, normal::slug(thing), clipped.to_owned())
        }
        What::Note => ("notes", normal::slug(value), clipped.to_owned()),
    };
    let whole = !key.is_empty() && !value.is_empty();
    let op = Op::Set {
        topic: topic.to_owned(),
        key,
        value,
    };
    whole.then_some(Statement { op, quote })
}
