//! The role of the `GatewayActor` is to make a request a turn: it names the user, gives the turn
//! its id, deadline and meta, finds out what of the request is new, and applies the limits. What
//! it lets through needs no further checking.

use super::recall::Asked;
use crate::{
    chat::{Ask, News, is_background, news, own_words},
    error::Error,
    graph::Node,
    memory::{MemoryMode, Said, UserKey, kept},
    pool,
    state::State,
    supervise::{Poke, Post},
    turn::{Case, Port, Stage, Turn},
};
use actix::prelude::*;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The longest conversation name and user id, in bytes.
const NAME_BYTES: usize = 256;
/// Most entries of `meta`, and most bytes of all of them.
const META: (usize, usize) = (32, 8 * 1024);

/// Of what a conversation began with, so many bytes at either end tell it apart.
const EDGE: usize = 1024;

/// A request as the web handler read it.
pub struct Submitted {
    /// From `X-User-ID`.
    pub user: Option<String>,
    /// From `X-Sundynix-Conversation` or the client's own chat id.
    pub conversation: Option<String>,
    /// The model it names.
    pub model: Option<String>,
    /// What is asked.
    pub ask: Ask,
}

impl Stage for Submitted {
    const NAME: &'static str = "Turn<Submitted>";
}

/// See the file's head.
pub struct GatewayActor {
    post: Post<Submitted>,
    state: Arc<State>,
    recall: Port<Asked>,
}

impl GatewayActor {
    /// A replica that passes on to `recall`.
    pub fn new(post: Post<Submitted>, state: Arc<State>, recall: Port<Asked>) -> Self {
        GatewayActor {
            post,
            state,
            recall,
        }
    }
}

impl Node for GatewayActor {
    const NAME: &'static str = "gateway";
}

impl Actor for GatewayActor {
    type Context = Context<Self>;
}

impl Supervised for GatewayActor {}

impl Handler<Turn<Submitted>> for GatewayActor {
    type Result = ();

    fn handle(&mut self, turn: Turn<Submitted>, _: &mut Context<Self>) {
        self.post.serve(turn, |turn| {
            let asked = turn.step(|case, submitted| admit(&self.state, case, submitted));
            asked.into_iter().for_each(|turn| self.recall.push(turn));
        });
    }
}

impl Handler<Poke> for GatewayActor {
    type Result = ();

    fn handle(&mut self, poke: Poke, ctx: &mut Context<Self>) {
        poke.obey(ctx);
    }
}

fn admit(state: &State, case: &mut Case, asked: Submitted) -> Result<Asked, Error> {
    asked.check(&case.meta)?;
    let model = state.pool.resolve(asked.model.as_deref())?;
    let conversation = asked.conversation.as_deref();
    case.deadline = case.began + Duration::from_secs(state.config.limits.deadline_s);
    case.user = asked.user.as_deref().map(UserKey::local);
    if let Some(user) = &asked.user {
        case.meta.insert("user_id".into(), user.clone());
    } else {
        case.mode = MemoryMode::Off;
    }
    // What a client asks on its own account, its user has not said.
    if case.mode > MemoryMode::Off && is_background(&asked.ask) {
        case.mode = MemoryMode::Off;
    }
    let remembers = case.user.as_ref().filter(|_| case.mode > MemoryMode::Off);
    let news = match (&asked.ask, remembers) {
        (Ask::Chat(body), Some(user)) => news(&state.secret, user, conversation, body),
        (Ask::Chat(_), None) => News::default(),
        (Ask::Native(task), _) => News {
            said: Some(Said {
                conversation: conversation.unwrap_or(&case.turn).into(),
                query: kept(own_words(&task.query)).into(),
            }),
            ..News::default()
        },
    };
    if let Some(id) = news.turn {
        case.turn = id;
    }
    case.affinity = affinity(&asked, &model);
    Ok(Asked {
        model,
        said: news.said,
        present: news.present,
        goes_on: news.goes_on,
        ask: asked.ask,
    })
}

/// What tells whether another request began with the same prompt: what the client says of it, else
/// its conversation, else its user.
fn affinity(asked: &Submitted, model: &str) -> Option<u64> {
    let (user, named) = (asked.user.as_deref(), asked.conversation.as_deref());
    match (&asked.ask, named) {
        (Ask::Chat(body), _) if body.prompt_cache_key.is_some() => {
            Some(pool::affinity(&body.prompt_cache_key))
        }
        (_, Some(conversation)) => Some(pool::affinity((user, conversation))),
        (Ask::Chat(body), None) => {
            let began = body.beginning();
            let edge = began.len().min(EDGE);
            let (head, tail) = (&began[..edge], &began[began.len() - edge..]);
            Some(pool::affinity((user, began.len(), head, tail)))
        }
        (Ask::Native(_), None) => user.map(|user| pool::affinity((user, model))),
    }
}

impl Submitted {
    /// The limits. A surface that answers before the turn has run asks for itself beforehand.
    pub fn check(&self, meta: &BTreeMap<String, String>) -> Result<(), Error> {
        let bytes: usize = meta.iter().map(|(k, v)| k.len() + v.len()).sum();
        if meta.len() > META.0 || bytes > META.1 {
            let detail = format!("meta takes {} entries and {} bytes in all", META.0, META.1);
            return Err(Error::invalid("meta", detail));
        }
        let conversation = self.conversation.as_deref();
        if conversation.is_some_and(|c| c.is_empty() || c.len() > NAME_BYTES) {
            let detail = format!("a conversation name has 1 to {NAME_BYTES} bytes");
            return Err(Error::invalid("conversation", detail));
        }
        match &self.ask {
            Ask::Native(task) => task.check(),
            Ask::Chat(_) => Ok(()),
        }
    }
}
