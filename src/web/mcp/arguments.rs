//! What the tools take and give: the types that the listed schemas are drawn from, and the user
//! that a call is for.

use super::Caller;
use crate::{error::Error, web::json};
use rmcp::{
    model::JsonObject,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// topic → key → value
pub type Topics = BTreeMap<String, BTreeMap<String, String>>;

/// Arguments that say, or leave open, whose memory is meant.
pub trait ForUser: DeserializeOwned {
    /// The `user_id` argument.
    fn user_id(&mut self) -> Option<String>;
}

macro_rules! for_user {
    ($($name:ty),+) => {$(
        impl ForUser for $name {
            fn user_id(&mut self) -> Option<String> {
                self.user_id.take()
            }
        }
    )+};
}

for_user!(Get, Put, Find, Before, Delete);

/// `memory_get`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// Whose memory; needed only where the connection does not name the user with an X-User-ID
    /// header.
    user_id: Option<String>,
}

/// `memory_upsert`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Put {
    /// Whose memory; needed only where the connection does not name the user with an X-User-ID
    /// header.
    user_id: Option<String>,
    /// What to set, as topic → key → value, for instance {"identity": {"name": "Ada"}, "style":
    /// {"tone": "concise"}}. What is named is set, null removes it, all else stays. A value without
    /// a topic goes to the topic `general`.
    pub preferences: Map<String, Value>,
    /// The turn of the conversation it was said in, if there is one. It is kept as the origin, and
    /// the same turn does not teach the same thing twice, so that a call may be repeated. Without
    /// it the values are the user's own settings, which only a later statement of theirs changes.
    pub turn_id: Option<String>,
    /// When that turn was said (RFC 3339), if not just now: later words count more.
    pub said_at: Option<String>,
}

/// `memory_search`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// Whose memory; needed only where the connection does not name the user with an X-User-ID
    /// header.
    user_id: Option<String>,
    /// What to look for, in the user's own words and language; a question will do.
    pub query: String,
    /// So many memories at most, 1 to 100; 10 by default.
    #[schemars(range(min = 1, max = 100))]
    pub k: Option<usize>,
    /// They take so many tokens at most.
    pub max_tokens: Option<usize>,
    /// What "last week" counts from (RFC 3339); by default now.
    pub now: Option<String>,
}

/// `memory_history`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Whose memory; needed only where the connection does not name the user with an X-User-ID
    /// header.
    user_id: Option<String>,
    /// Values of this topic only.
    pub topic: Option<String>,
    /// Values of this key only.
    pub key: Option<String>,
    /// Goes on after an earlier page: its `next`.
    pub cursor: Option<String>,
    /// So many values at most, 1 to 200; 50 by default.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u64>,
}

/// `memory_delete`
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// Whose memory; needed only where the connection does not name the user with an X-User-ID
    /// header.
    user_id: Option<String>,
    /// The topic to remove values of.
    pub topic: Option<String>,
    /// The one key of the topic to remove; without it the whole topic is removed.
    pub key: Option<String>,
    /// Erases all that is kept of the user, conversations included. It cannot be undone.
    #[serde(default)]
    pub everything: bool,
}

/// The profile, as `memory_get` and `memory_upsert` answer.
#[derive(Serialize, JsonSchema)]
pub struct Profile {
    /// What is known of the user: topic → key → value.
    pub profile: Topics,
    /// Raised by each real change.
    pub version: u64,
    /// What was to be set and is held back, for it looks like an instruction to the model. It is in
    /// no prompt until somebody releases it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<Held>,
}

/// A value that is held back.
#[derive(Serialize, JsonSchema)]
pub struct Held {
    /// To release it by, at /api/v1/memory/quarantine.
    pub id: i64,
    /// Its topic.
    pub topic: String,
    /// Its key.
    pub key: String,
    /// What it looks like.
    pub rule: String,
}

/// What `memory_search` answers.
#[derive(Serialize, JsonSchema)]
pub struct Found {
    /// What was said, the best first.
    pub hits: Vec<Hit>,
}

/// One memory.
#[derive(Serialize, JsonSchema)]
pub struct Hit {
    /// What was said.
    pub text: String,
    /// The turns it was said in.
    pub source_ids: Vec<String>,
    /// How much it matters, within this search.
    pub score: f64,
    /// When it was said.
    pub ts: String,
}

/// What `memory_delete` answers.
#[derive(Default, Serialize, JsonSchema)]
pub struct Deleted {
    /// What is still known of the user: topic → key → value.
    pub profile: Topics,
    /// Raised by each real change.
    pub version: u64,
    /// How many values were removed.
    pub removed: u64,
    /// The store is down: all of it is erased before it is used again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
}

/// The arguments of a call, and the user it is for: the one of the header, else of the argument.
pub fn read<T: ForUser>(given: JsonObject, caller: &Caller) -> Result<(T, String), Error> {
    let given = serde_json::to_vec(&given).unwrap_or_default();
    let mut read: T = json::parse(&given)?;
    let argument = read.user_id();
    if let Some(user) = &argument {
        crate::web::identity::check_user("user_id", user)?;
    }
    let user = match (caller.user.clone(), argument) {
        (Some(header), Some(argument)) if header != argument => {
            let detail = "names another user than the X-User-ID header; leave it out";
            return Err(Error::invalid("user_id", detail));
        }
        (Some(user), _) | (None, Some(user)) => user,
        (None, None) => {
            let detail = "say whose memory: with an X-User-ID header, or with user_id";
            return Err(Error::invalid("user_id", detail));
        }
    };
    Ok((read, user))
}
