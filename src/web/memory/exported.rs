//! Lines of an export, to be taken over by another server, or by the same one after an erase: turns,
//! the profile, what it held before, what was held back, and a wish not to be remembered. What was
//! spent stays where it was spent. The last line counts the others, so that half of it is not
//! taken for all.

use super::import::checked;
use crate::{
    error::Error,
    memory::{KeptTurn, MemoryMode, Named, Slot, Source, TurnStatus, kept, masked},
    store::extraction::Restored,
    web::{json::parse_line, moment::moment},
};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// The longest value, in bytes: no server of ours keeps a longer one.
const VALUE_BYTES: usize = 8_000;

/// What stands in it.
#[derive(Default)]
pub struct Exported {
    /// What was said, the last first.
    pub items: Vec<Arc<KeptTurn>>,
    /// The rest.
    pub rest: Restored,
    /// What its user has said that memory may do.
    pub wish: Option<MemoryMode>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line {
    Settings {
        mode: MemoryMode,
        explicit: bool,
    },
    Profile {
        preferences: BTreeMap<String, BTreeMap<String, Held>>,
    },
    History {
        topic: String,
        key: String,
        #[serde(flatten)]
        held: Held,
        valid_to: Value,
    },
    Turn {
        id: String,
        conversation: String,
        at: Value,
        query: String,
        answer: String,
        #[serde(default)]
        role: String,
        complete: bool,
    },
    Quarantine {
        topic: String,
        key: String,
        #[serde(flatten)]
        held: Held,
    },
    Ledger {},
    End {
        lines: usize,
    },
    Error {},
}

/// A value, with where it came from.
#[derive(Deserialize)]
struct Held {
    value: String,
    #[serde(default)]
    turn: Option<String>,
    #[serde(default)]
    quote: Option<String>,
    valid_from: Value,
}

/// Whether these lines are an export's.
pub fn is_export(first: &str) -> bool {
    let first: Option<BTreeMap<String, Value>> = serde_json::from_str(first).ok();
    first.is_some_and(|line| line.contains_key("kind"))
}

/// Reads it whole, or says which line is wrong and why.
pub fn read<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
    now_ms: i64,
) -> Result<Exported, Error> {
    let mut all = Exported::default();
    all.rest.began_ms = now_ms;
    let (mut count, mut last) = (0, 0);
    for (at, text) in lines {
        let line = parse_line(at, text)?;
        if let Line::End { lines } = line {
            return match lines == count {
                true => Ok(all),
                false => Err(broken(at, "lines of the export are missing")),
            };
        }
        all.take(at, line, now_ms)?;
        (count, last) = (count + 1, at);
    }
    Err(broken(
        last,
        "the export's last line is missing; export it again",
    ))
}

fn broken(line: usize, detail: &'static str) -> Error {
    Error::invalid(format!("line {line}"), detail)
}

impl Exported {
    fn take(&mut self, at: usize, line: Line, now_ms: i64) -> Result<(), Error> {
        match line {
            Line::Settings { mode, explicit } => self.wish = explicit.then_some(mode),
            Line::Profile { preferences } => {
                for (topic, keys) in preferences {
                    for (key, held) in keys {
                        let named = held.named(at, topic.clone(), key, now_ms)?;
                        self.rest.slots.push(named);
                    }
                }
            }
            Line::History {
                topic,
                key,
                held,
                valid_to,
            } => {
                let until = moment(|| format!("line {at}: valid_to"), &valid_to)?;
                let named = held.named(at, topic, key, now_ms)?;
                self.rest.history.push((named, until.min(now_ms)));
            }
            Line::Quarantine { topic, key, held } => {
                self.rest.held.push(held.named(at, topic, key, now_ms)?);
            }
            Line::Turn {
                id,
                conversation,
                at: began,
                query,
                answer,
                role,
                complete,
            } => {
                for (field, name) in [
                    ("id", &id),
                    ("conversation", &conversation),
                    ("role", &role),
                ] {
                    checked(at, field, name)?;
                }
                let at_ms = moment(|| format!("line {at}: at"), &began)?;
                let text =
                    |text: String| Arc::from(&*masked(&kept(&text.replace('\0', "\u{FFFD}"))));
                self.items.push(Arc::new(KeptTurn {
                    id: id.into(),
                    conversation: conversation.into(),
                    at_ms: at_ms.min(now_ms),
                    query: text(query),
                    answer: text(answer),
                    role: role.into(),
                    status: match complete {
                        true => TurnStatus::Complete,
                        false => TurnStatus::Partial,
                    },
                }));
            }
            Line::Ledger {} | Line::End { .. } => {}
            Line::Error {} => return Err(broken(at, "the export broke off here; export it again")),
        }
        Ok(())
    }
}

impl Held {
    fn named(self, at: usize, topic: String, key: String, now_ms: i64) -> Result<Named, Error> {
        for (field, name) in [("topic", &topic), ("key", &key)] {
            checked(at, field, name)?;
        }
        if self.value.len() > VALUE_BYTES {
            let detail = format!("a value has at most {VALUE_BYTES} bytes");
            return Err(Error::invalid(format!("line {at}: value"), detail));
        }
        let from = moment(|| format!("line {at}: valid_from"), &self.valid_from)?;
        let turn = self.turn.filter(|turn| !turn.is_empty());
        let slot = Slot {
            value: Some(self.value),
            source: match turn {
                None => Source::Put,
                Some(turn) => Source::Said {
                    turn: turn.into(),
                    quote: self.quote.unwrap_or_default(),
                },
            },
            valid_from_ms: from.min(now_ms),
        };
        Ok(((topic, key), slot))
    }
}
