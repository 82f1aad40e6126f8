//! What a chat request says, read by span: where its messages are, what of them is new, and how
//! text is put in without touching any other byte.

mod background;
mod body;
mod edit;
mod json;
mod news;
mod wrapped;

pub use background::is_background;
pub use body::{ChatBody, Content, Message, Piece, Role};
pub use edit::{Edits, renamed, without_usage};
pub use news::{News, Secret, news};
pub use wrapped::own_words;

use crate::{config::Params, error::Error};
use std::sync::Arc;

/// What is asked, by surface.
pub enum Ask {
    /// `POST /api/v1/tasks`
    Native(NativeAsk),
    /// `POST /v1/chat/completions`
    Chat(ChatBody),
}

/// A native task.
#[derive(Clone, Debug)]
pub struct NativeAsk {
    /// What the user asks.
    pub query: String,
    /// The caller's own system text.
    pub system: Option<String>,
    /// Passed on to the backend as top-level members (`temperature`, `max_tokens`, …).
    pub params: Params,
    /// Bring this conversation's last turns back.
    pub conversation: Option<Arc<str>>,
}

/// What sundynix itself says in a native task's request.
const OWN: [&str; 4] = ["messages", "model", "stream", "stream_options"];

impl NativeAsk {
    /// Refuses params that would override what sundynix says itself.
    pub fn check(&self) -> Result<(), Error> {
        match OWN.iter().find(|name| self.params.contains_key(**name)) {
            None => Ok(()),
            Some(name) => {
                let detail = format!("`{name}` cannot be set in params");
                Err(Error::invalid(format!("params.{name}"), detail))
            }
        }
    }
}
