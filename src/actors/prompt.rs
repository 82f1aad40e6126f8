//! The role of the `PromptActor` is to write what was recalled into the request: the profile into
//! the first system message, after the client's own text; what depends on the query at the head
//! of the last user message. Every other byte of the request stays as it came.

use super::pool_model::Prompted;
use crate::{
    chat::Ask,
    graph::Node,
    memory::Said,
    prompt::{Recall, Rendering},
    state::State,
    supervise::{Poke, Post},
    turn::{Port, Stage, Turn},
};
use actix::prelude::*;
use std::sync::Arc;

/// A request with what is known of its user.
pub struct Recalled {
    /// The model as the backends know it.
    pub model: Arc<str>,
    /// What the user said, for the write-back.
    pub said: Option<Said>,
    /// What is asked.
    pub ask: Ask,
    /// What was found.
    pub recall: Recall,
}

impl Stage for Recalled {
    const NAME: &'static str = "Turn<Recalled>";
}

/// See the file's head.
pub struct PromptActor {
    post: Post<Recalled>,
    state: Arc<State>,
    model: Port<Prompted>,
}

impl PromptActor {
    /// A replica that passes on to `model`.
    pub fn new(post: Post<Recalled>, state: Arc<State>, model: Port<Prompted>) -> Self {
        PromptActor { post, state, model }
    }
}

impl Node for PromptActor {
    const NAME: &'static str = "prompt";
}

impl Actor for PromptActor {
    type Context = Context<Self>;
}

impl Supervised for PromptActor {}

impl Handler<Turn<Recalled>> for PromptActor {
    type Result = ();

    fn handle(&mut self, turn: Turn<Recalled>, _: &mut Context<Self>) {
        self.post.serve(turn, |turn| {
            let prompted = turn.step(|case, recalled| {
                let rendering = Rendering {
                    prompts: &self.state.prompts,
                    memory: &self.state.config.memory,
                    secret: &self.state.secret,
                    user: case.user.as_ref(),
                    meta: &case.meta,
                    model: &recalled.model,
                    context: self.state.pool.context(&recalled.model),
                };
                let (request, recall) = rendering.write(recalled.ask, recalled.recall)?;
                Ok(Prompted {
                    request,
                    recall,
                    said: recalled.said,
                    tried: Vec::new(),
                })
            });
            prompted.into_iter().for_each(|turn| self.model.push(turn));
        });
    }
}

impl Handler<Poke> for PromptActor {
    type Result = ();

    fn handle(&mut self, poke: Poke, ctx: &mut Context<Self>) {
        poke.obey(ctx);
    }
}
