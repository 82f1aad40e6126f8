//! The role of the `RecallActor` is to bring who the user is, and the turns that matter now, to
//! the turn that passes: from memory for users who are here, else in one read. It has a time and a
//! token budget; whatever goes wrong, the turn goes on without.

use super::prompt::Recalled;
use crate::{
    chat::Ask,
    graph::Node,
    memory::{MemoryMode, Resident, Said, UserKey, select},
    prompt::{Recall, RecallState},
    remote::Failure,
    state::State,
    supervise::{Poke, Post},
    turn::{Port, Stage, Turn},
};
use actix::prelude::*;
use std::{collections::HashSet, sync::Arc, time::Duration};

/// A request that may be served: who, which model, and what of it is new.
pub struct Asked {
    /// The model as the backends know it.
    pub model: Arc<str>,
    /// What the user said; `None`: nothing new, or nobody to remember it for.
    pub said: Option<Said>,
    /// Hashes of the user messages that the request already carries: their turns need no recall.
    pub present: HashSet<u64>,
    /// A step of a tool loop, after its first.
    pub goes_on: bool,
    /// What is asked.
    pub ask: Ask,
}

impl Stage for Asked {
    const NAME: &'static str = "Turn<Asked>";
}

/// See the file's head.
pub struct RecallActor {
    post: Post<Asked>,
    state: Arc<State>,
    prompt: Port<Recalled>,
}

impl RecallActor {
    /// A replica that passes on to `prompt`.
    pub fn new(post: Post<Asked>, state: Arc<State>, prompt: Port<Recalled>) -> Self {
        RecallActor {
            post,
            state,
            prompt,
        }
    }
}

impl Node for RecallActor {
    const NAME: &'static str = "recall";
}

impl Actor for RecallActor {
    type Context = Context<Self>;
}

impl Supervised for RecallActor {}

impl Handler<Turn<Asked>> for RecallActor {
    type Result = ();

    fn handle(&mut self, turn: Turn<Asked>, _: &mut Context<Self>) {
        self.post.serve(turn, |turn| {
            let user = match &turn.case.user {
                Some(user) if turn.case.mode > MemoryMode::Off => user.clone(),
                _ => return pass(&self.state, &self.prompt, turn, Found::No(RecallState::Off)),
            };
            if self.state.store.is_down() {
                let found = Found::No(RecallState::Degraded);
                return pass(&self.state, &self.prompt, turn, found);
            }
            if let Some(resident) = self
                .state
                .residents
                .get(&user)
                .filter(|_| self.state.store.owns_cache() && self.state.remote.is_none())
            {
                return pass(&self.state, &self.prompt, turn, Found::Yes(resident));
            }
            let (state, prompt) = (self.state.clone(), self.prompt.clone());
            turn.work(move |mut turn| async move {
                let limit = Duration::from_millis(state.config.memory.recall_timeout_ms);
                let read = tokio::time::timeout(limit, read(&state, &user, limit));
                let found = tokio::select! {
                    read = read => read.unwrap_or(Found::No(RecallState::Timeout)),
                    () = turn.abandoned() => return,
                };
                pass(&state, &prompt, turn, found);
            });
        });
    }
}

impl Handler<Poke> for RecallActor {
    type Result = ();

    fn handle(&mut self, poke: Poke, ctx: &mut Context<Self>) {
        poke.obey(ctx);
    }
}

enum Found {
    Yes(Arc<Resident>),
    No(RecallState),
}

/// From the store; the profile from the remote memory, where there is one.
async fn read(state: &State, user: &UserKey, limit: Duration) -> Found {
    let here = state.store.resident(user);
    let Some(remote) = &state.remote else {
        let here = here.await.map(Found::Yes);
        return here.unwrap_or(Found::No(RecallState::Degraded));
    };
    match tokio::join!(here, remote.profile(user, limit)) {
        (Ok(here), Ok(profile)) => Found::Yes(Arc::new(Resident {
            profile,
            ..(*here).clone()
        })),
        (_, Err(Failure::Slow)) => Found::No(RecallState::Timeout),
        _ => Found::No(RecallState::Degraded),
    }
}

/// Picks what matters of what was found, within the budget, and moves the turn on.
fn pass(state: &State, prompt: &Port<Recalled>, turn: Turn<Asked>, found: Found) {
    let next = turn.step(|case, asked| {
        let recall = match found {
            Found::No(state) => Recall::none(state),
            Found::Yes(resident) => {
                let wanted = match &asked.ask {
                    Ask::Native(task) => task.conversation.as_deref(),
                    Ask::Chat(_) => None,
                };
                let picked = select(
                    &state.config.memory,
                    &resident,
                    &case.turn,
                    &asked.present,
                    asked.goes_on,
                    wanted,
                );
                Recall::of(resident, picked)
            }
        };
        Ok(Recalled {
            model: asked.model,
            said: asked.said,
            ask: asked.ask,
            recall,
        })
    });
    next.into_iter().for_each(|turn| prompt.push(turn));
}
