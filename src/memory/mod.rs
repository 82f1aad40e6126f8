//! What a memory is: who it belongs to, what is said, what is kept of it, and what it teaches.
//! Nothing here knows SQL, HTTP or actors.

mod asking;
mod disguise;
mod documents;
mod explicit;
pub mod extract;
mod facts;
mod history;
mod kept;
mod learn;
mod mask;
mod memories;
mod never;
mod picks;
mod profile;
pub mod rank;
mod resident;
mod restore;
mod rules;
mod screen;
mod select;
mod settings;
mod sight;
mod topics;
mod undelivered;
mod unembedded;
mod vector;

pub use asking::{Answers, Asking, merged};
pub use documents::INDEXED_TURNS;
pub use explicit::{Op, Statement, forget_matches, statements};
pub use facts::{At, Facts, overflows};
pub use history::{Told, window, within};
pub use kept::{KEPT_BYTES, KeptText, kept};
pub use learn::Fact;
pub use mask::{MASKED, masked};
pub use memories::{Memories, Ranked};
pub use profile::{Change, Profile, SLOT_NAME_BYTES, Slot, Source};
pub use rank::Explain;
pub use resident::{RECENT_TURNS, Resident, Residents};
pub use restore::Named;
pub use rules::{Applied, Held, Rules, Topic};
pub use screen::{prepare_screening, suspicious};
pub use select::{ANSWER_CHARS, QUERY_CHARS, Selection, excerpt, query_hash, select};
pub use settings::Settings;
pub use sight::Sight;
pub use undelivered::{Undelivered, Untold};
pub use unembedded::Unembedded;
pub use vector::{MOST_DIMENSIONS, Meant, Vector};

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// Whose memory: one user of one application of one tenant.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserKey {
    /// `default` until keys name another.
    pub tenant: Arc<str>,
    /// `default` until keys name another.
    pub app: Arc<str>,
    /// As the caller named the user.
    pub user: Arc<str>,
}

impl UserKey {
    /// A user where no keys are configured.
    pub fn local(user: &str) -> Self {
        UserKey {
            tenant: "default".into(),
            app: "default".into(),
            user: user.into(),
        }
    }
}

/// User ids stay out of logs, even by accident.
impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/…", self.tenant, self.app)
    }
}

/// A turn's id. On `/v1` a keyed hash of what was said so far, so that a retry is the same turn.
pub type TurnId = Arc<str>;

/// What memory may do for one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoryMode {
    /// Neither recall nor remember.
    Off,
    /// Recall only.
    Read,
    /// Both.
    #[default]
    On,
}

impl MemoryMode {
    /// As requests and settings write it.
    pub fn name(self) -> &'static str {
        match self {
            MemoryMode::Off => "off",
            MemoryMode::Read => "read",
            MemoryMode::On => "on",
        }
    }
}

/// What the user said in this turn: the half of the write-back that is known beforehand.
#[derive(Clone, Debug)]
pub struct Said {
    /// Which conversation it belongs to.
    pub conversation: Arc<str>,
    /// The new user messages, as they will be kept.
    pub query: Arc<str>,
}

/// Whether the whole answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnStatus {
    /// The upstream ended its answer.
    Complete,
    /// The caller hung up or the upstream broke off: what was sent is kept.
    Partial,
}

/// What a turn leaves behind once its stream has drained.
#[derive(Clone, Debug)]
pub struct Writeback {
    /// Whose.
    pub user: UserKey,
    /// The turn: the same id within an hour is the same turn, its answer replaced.
    pub turn: TurnId,
    /// Which conversation.
    pub conversation: Arc<str>,
    /// What the user said (kept form).
    pub query: Arc<str>,
    /// What was answered (kept form).
    pub answer: String,
    /// Whole or cut.
    pub status: TurnStatus,
    /// When the turn began, Unix milliseconds: a later erase drops it.
    pub began_ms: i64,
}

impl Writeback {
    /// Whether there is anything of the user's own in it.
    pub fn says_something(&self) -> bool {
        self.query.chars().any(char::is_alphanumeric)
    }

    /// Its conversation, where that is one that can go on: a task that names none is its own.
    pub fn named_conversation(&self) -> Option<&Arc<str>> {
        Some(&self.conversation).filter(|name| **name != self.turn)
    }
}

/// How a write-back ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ack {
    /// Durable in the store, under this turn id.
    Recorded(TurnId),
    /// The store is down: it lies in the spool, durable, and is replayed.
    Spooled,
    /// Neither took it (spool full, or memory is off): the request was served without.
    Off,
}

/// A turn as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptTurn {
    /// Its id.
    pub id: TurnId,
    /// Its conversation.
    pub conversation: Arc<str>,
    /// When it began, Unix milliseconds.
    pub at_ms: i64,
    /// What the user said.
    pub query: Arc<str>,
    /// What was answered.
    pub answer: Arc<str>,
    /// Who says `query`, where it is not the user: an imported item's speaker. Else empty.
    pub role: Arc<str>,
    /// Whole or cut.
    pub status: TurnStatus,
}

/// Tokens a text takes, roughly: one a CJK character, one for four others. Budgets need an
/// upper feel, not a tokenizer.
pub fn est_tokens(text: &str) -> usize {
    if text.is_ascii() {
        return text.len().div_ceil(4);
    }
    let (mut wide, mut narrow) = (0, 0);
    for c in text.chars() {
        if is_wide(c) { wide += 1 } else { narrow += 1 }
    }
    wide + usize::div_ceil(narrow, 4)
}

/// The beginning of a text, of so many tokens by the same measure.
pub fn beginning(text: &str, tokens: usize) -> &str {
    let mut left = tokens.saturating_mul(4);
    for (at, c) in text.char_indices() {
        let takes = if is_wide(c) { 4 } else { 1 };
        match left.checked_sub(takes) {
            Some(rest) => left = rest,
            None => return &text[..at],
        }
    }
    text
}

/// Chinese, Japanese and Korean characters.
pub fn is_wide(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{FF00}'..='\u{FFEF}' | '\u{20000}'..='\u{3FFFF}')
}
