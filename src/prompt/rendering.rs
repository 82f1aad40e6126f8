//! Writing what was recalled into a request: the profile at the end of the first system message,
//! byte-identical for one version of it; recalled turns at the head of the last user message, the
//! same on every call of a tool loop. So a backend's prefix cache hits.

use super::{Prompts, Recall, RecallReport, RecallState, blocks::Blocks, native};
use crate::{
    chat::{Ask, ChatBody, Edits, NativeAsk, Role, Secret},
    config::MemoryConfig,
    error::Error,
    memory::UserKey,
    pool::Request,
};
use bytes::Bytes;
use std::{collections::BTreeMap, sync::Arc};

/// All that a rendering needs beside the turn's own.
pub struct Rendering<'a> {
    /// Compiled templates.
    pub prompts: &'a Prompts,
    /// Budgets.
    pub memory: &'a MemoryConfig,
    /// Keys the fence's tag.
    pub secret: &'a Secret,
    /// Whose memory.
    pub user: Option<&'a UserKey>,
    /// What templates can read of the request.
    pub meta: &'a BTreeMap<String, String>,
    /// The model as the backends know it.
    pub model: &'a Arc<str>,
    /// The backend's context in tokens, where known.
    pub context: Option<usize>,
}

impl Rendering<'_> {
    /// Writes what was recalled into the request.
    pub fn write(&self, ask: Ask, recall: Recall) -> Result<(Request, RecallReport), Error> {
        let (state, version) = (recall.state, version(&recall));
        let (request, blocks) = match ask {
            Ask::Chat(body) => self.chat(&body, recall),
            Ask::Native(task) => self.native(&task, &recall)?,
        };
        let state = match state {
            RecallState::Hit if blocks.is_empty() => RecallState::Empty,
            state => state,
        };
        let report = RecallReport {
            state,
            profile_version: version,
            tokens: blocks.tokens(),
            items: blocks.items,
        };
        Ok((request, report))
    }

    fn chat(&self, body: &ChatBody, mut recall: Recall) -> (Request, Blocks) {
        let system = body.messages.iter().find(|m| m.role == Role::System);
        let user = body.messages.iter().rfind(|m| m.role == Role::User);
        if user.is_none() {
            recall.memories.clear();
            recall.facts.clear();
        }
        let blocks = self.blocks(&recall);
        let plain = self.named(body).apply(&body.bytes);
        let mut edits = self.named(body);
        if let Some(block) = &blocks.profile {
            let done = system.is_some_and(|m| edits.append(body, &m.content, block));
            if !done {
                edits.first_message(body, block);
            }
        }
        if let (Some(recalled), Some(user)) = (blocks.recalled(), user) {
            edits.prepend(body, &user.content, &recalled);
        }
        let (bytes, unedited) = match blocks.is_empty() {
            true => (plain, None),
            false => (edits.apply(&body.bytes), Some(plain)),
        };
        let request = Request {
            show_usage: body.include_usage,
            ..self.request(bytes, unedited, body.stream)
        };
        (request, blocks)
    }

    /// The edits that have nothing to do with memory: the model, where it is not named as the
    /// backends know it, and that usage is asked for.
    fn named(&self, body: &ChatBody) -> Edits {
        let mut edits = Edits::default();
        match &body.model {
            Some((name, _)) if **name == **self.model => {}
            _ => edits.model(body, self.model),
        }
        if body.stream {
            edits.usage(body);
        }
        edits
    }

    fn native(&self, task: &NativeAsk, recall: &Recall) -> Result<(Request, Blocks), Error> {
        let blocks = self.blocks(recall);
        let system = match &task.system {
            Some(system) => system.clone(),
            None => {
                let system = self.prompts.system(self.meta);
                system.map_err(|why| {
                    tracing::warn!(template = "prompt.system", ?why, "a template failed");
                    Error::Crashed("prompt")
                })?
            }
        };
        let plain = || native::build(task, self.model, &system, &[], &task.query);
        let (bytes, unedited) = match blocks.is_empty() {
            true => (plain()?, None),
            false => {
                let system = joined([Some(&system), blocks.profile.as_ref()]);
                let query = joined([blocks.recalled().as_ref(), Some(&task.query)]);
                let history = &blocks.history;
                let bytes = native::build(task, self.model, &system, history, &query)?;
                (bytes, Some(plain()?))
            }
        };
        Ok((self.request(bytes, unedited, true), blocks))
    }

    fn request(&self, body: Bytes, unedited: Option<Bytes>, stream: bool) -> Request {
        Request {
            model: self.model.clone(),
            body,
            unedited,
            stream,
            show_usage: false,
        }
    }
}

fn version(recall: &Recall) -> u64 {
    recall
        .resident
        .as_ref()
        .map_or(0, |resident| resident.profile.version)
}

/// What there is, with a blank line between.
fn joined(texts: [Option<&String>; 2]) -> String {
    let texts: Vec<&str> = texts
        .into_iter()
        .flatten()
        .map(|t| &**t)
        .filter(|t| !t.is_empty())
        .collect();
    texts.join("\n\n")
}

#[cfg(test)]
#[path = "rendering_tests.rs"]
mod tests;
