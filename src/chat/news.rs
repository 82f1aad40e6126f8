//! What of a chat request is new. Clients send the whole conversation again each time, and again
//! within a tool loop, a regenerate and an SDK's retry: all of these are one turn, known by a keyed
//! hash of what the user said so far.

use super::{ChatBody, Message, Piece, Role, own_words};
use crate::memory::{Said, TurnId, UserKey, kept, query_hash};
use std::collections::HashSet;

/// So much of a medium's head and of its tail goes into a hash: pictures can be megabytes.
const MEDIUM_BYTES: usize = 1024;
/// Characters of a shown hash: 104 bits.
const SHOWN: usize = 26;

/// Keys every hash that leaves the server or names a turn.
#[derive(Clone)]
pub struct Secret(pub [u8; 32]);

impl Secret {
    /// A hash of `parts`; `what` keeps different uses apart. Lengths go in as well, so that no two
    /// lists of parts hash alike.
    pub fn hash<'a>(&self, what: &'a str, parts: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in std::iter::once(what.as_bytes()).chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize().to_hex()[..SHOWN].to_owned()
    }
}

/// What of a chat request is new.
#[derive(Default)]
pub struct News {
    /// The turn's id: the same for a retry, a regenerate and every step of a tool loop.
    pub turn: Option<TurnId>,
    /// What the user said.
    pub said: Option<Said>,
    /// Hashes of the user messages it carries, each alone and each run of them joined, as turns
    /// keep them: those turns need no recall.
    pub present: HashSet<u64>,
    /// A step of a tool loop: the turn was begun by a request before this one.
    pub goes_on: bool,
}

/// Reads it. New is the last run of user messages: those after the last `assistant` message, or,
/// where there are none (a tool's result comes back), those that began the turn that goes on.
pub fn news(secret: &Secret, user: &UserKey, conversation: Option<&str>, body: &ChatBody) -> News {
    let runs: Vec<Vec<Words>> = body
        .messages
        .split(|message| message.role == Role::Assistant)
        .map(|run| {
            let said = run.iter().filter(|message| message.role == Role::User);
            said.map(|message| Words::of(body, message)).collect()
        })
        .filter(|run: &Vec<Words>| !run.is_empty())
        .collect();
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
        return News::default();
    };
    let whose = [&*user.tenant, &*user.app, &*user.user].map(str::as_bytes);
    let conversation = match conversation {
        Some(name) => name.to_owned(),
        None => {
            let began = whose.into_iter().chain(first[0].parts());
            format!("conv_{}", secret.hash("conversation", began))
        }
    };
    let said = runs.iter().flatten().flat_map(Words::parts);
    let parts = whose.into_iter().chain([conversation.as_bytes()]);
    let turn = format!("turn_{}", secret.hash("turn", parts.chain(said)));
    let mut present = HashSet::new();
    for run in &runs {
        present.extend(run.iter().map(|words| query_hash(&kept(&words.text))));
        present.insert(query_hash(&joined(run)));
    }
    News {
        turn: Some(turn.into()),
        said: Some(Said {
            conversation: conversation.into(),
            query: joined(last).into(),
        }),
        present,
        goes_on: goes_on(body),
    }
}

/// Whether the last word was the assistant's.
fn goes_on(body: &ChatBody) -> bool {
    let spoken = [Role::User, Role::Assistant];
    let last = body.messages.iter().rfind(|m| spoken.contains(&m.role));
    last.is_some_and(|m| m.role == Role::Assistant)
}

/// What one user message says.
struct Words {
    text: String,
    /// What tells its pictures and files apart, which the text only names.
    media: Vec<u8>,
}

impl Words {
    fn of(body: &ChatBody, message: &Message) -> Self {
        let (pieces, mut media) = (body.pieces(message), Vec::new());
        for piece in &pieces {
            if let Piece::Image(part) | Piece::File(part) = piece {
                let (part, n) = (part.as_bytes(), part.len().min(MEDIUM_BYTES));
                media.extend((part.len() as u64).to_le_bytes());
                media.extend(&part[..n]);
                media.extend(&part[part.len() - n..]);
            }
        }
        let texts: Vec<&str> = pieces.iter().map(Piece::text).collect();
        let text = own_words(&texts.join("\n")).to_owned();
        Words { text, media }
    }

    fn parts(&self) -> [&[u8]; 2] {
        [self.text.as_bytes(), &self.media]
    }
}

/// A run of user messages as it is kept.
fn joined(run: &[Words]) -> String {
    let texts: Vec<&str> = run.iter().map(|words| &*words.text).collect();
    kept(&texts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::{Value, json};

    fn read(messages: Value) -> News {
        read_as("ada", None, messages)
    }

    fn read_as(user: &str, conversation: Option<&str>, messages: Value) -> News {
        let body = Bytes::from(json!({"messages": messages}).to_string());
        let body = ChatBody::parse(body).unwrap();
        news(&Secret([7; 32]), &UserKey::local(user), conversation, &body)
    }

    fn user(text: &str) -> Value {
        json!({"role": "user", "content": text})
    }

    fn query(news: &News) -> &str {
        &news.said.as_ref().unwrap().query
    }

    #[test]
    fn every_step_of_a_tool_loop_is_one_turn() {
        let start = vec![
            json!({"role": "developer", "content": "s"}),
            user("hi"),
            json!({"role": "assistant", "content": "hello"}),
            user("and"),
            user("weather?"),
        ];
        let one = read(start.clone().into());
        assert_eq!(query(&one), "and\nweather?");
        let mut step = start.clone();
        for i in 0..3 {
            step.push(json!({"role": "assistant", "tool_calls": [{"id": i}]}));
            step.push(json!({"role": "tool", "tool_call_id": i, "content": "sunny"}));
            let next = read(step.clone().into());
            assert_eq!((&next.turn, query(&next)), (&one.turn, query(&one)));
            assert_eq!(next.present, one.present);
            assert!(next.goes_on && !one.goes_on);
        }
        // The client's other way to write the same, and other system texts, change nothing.
        step[0] = json!({"role": "system", "content": "now it is noon"});
        step[3] = json!({"role": "user", "content": [{"type": "text", "text": "and", "cache_control": {}}]});
        assert_eq!(read(step.clone().into()).turn, one.turn);
        step.push(json!({"role": "assistant", "content": "sunny"}));
        step.push(user("thanks"));
        let next = read(step.into());
        assert_ne!(next.turn, one.turn);
        assert_eq!(query(&next), "thanks");
        assert!(!next.goes_on);
        assert_eq!(
            next.said.unwrap().conversation,
            one.said.unwrap().conversation
        );
        for text in ["hi", "and", "weather?", "and\nweather?", "thanks"] {
            assert!(next.present.contains(&query_hash(text)), "{text}");
        }
    }

    #[test]
    fn a_turn_is_told_apart_by_all_that_it_hangs_on() {
        let assistant = json!({"role": "assistant", "content": "a"});
        let image = |url: &str| json!([{"role": "user", "content": [{"type": "image_url", "image_url": url}]}]);
        let turns = [
            read(json!([user("ab")])),
            read(json!([user("a"), user("b")])),
            read(json!([user("b"), user("a")])),
            read(json!([user("ab"), assistant, user("ab")])),
            read_as("bob", None, json!([user("ab")])),
            read_as("ada", Some("c"), json!([user("ab")])),
            read_as("ada", Some("d"), json!([user("ab")])),
            read(image("one")),
            read(image("two")),
        ];
        let ids: HashSet<_> = turns.iter().map(|n| n.turn.clone().unwrap()).collect();
        assert_eq!(ids.len(), turns.len());
        assert!(
            ids.iter()
                .all(|id| id.len() == 31 && id.starts_with("turn_"))
        );
        assert_eq!(&*turns[5].said.as_ref().unwrap().conversation, "c");
        assert_eq!(query(&turns[7]), "[image]");
    }

    #[test]
    fn nobody_spoke() {
        let none = read(json!([{"role": "system", "content": "s"}]));
        assert!(none.turn.is_none() && none.said.is_none() && none.present.is_empty());
        let empty = read(json!([{"role": "user", "content": null}]));
        assert_eq!(query(&empty), "");
        let long = read(json!([user(&"字".repeat(20_000))]));
        let query = query(&long);
        assert!(
            query.len() <= crate::memory::KEPT_BYTES && long.present.contains(&query_hash(query))
        );
    }
}
