//! The role of the `RecallActor` is to bring who the user is, and the turns that matter now, to
//! the turn that passes: from memory for users who are here, else in one read. It has a time and a
//! token budget; whatever goes wrong, the turn goes on without.

mod reading;

use super::prompt::Recalled;
use crate::{
    chat::{Ask, ChatBody, Message, Role},
    embedding::meant,
    graph::Node,
    memory::{Answers, Asking, MemoryMode, Ranked, Resident, Said, Sight, excerpt, merged, select},
    prompt::{Recall, RecallState},
    state::State,
    supervise::{Poke, Post},
    turn::{Case, Port, Stage, Turn},
};
use actix::prelude::*;
use reading::{Read, in_time};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Messages before the question that say what it is about, and how much of each is read.
const CONTEXT: usize = 4;
const CONTEXT_CHARS: usize = 1_000;

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
            let here = self.state.residents.get(&user);
            let here =
                here.filter(|_| self.state.store.owns_cache() && self.state.remote.is_none());
            let at_once = |resident: &Resident| {
                self.state.embedding.is_none() || !resident.memories.have_vectors()
            };
            if let Some(resident) = here.filter(|resident| at_once(resident)) {
                let asking = asking(&self.state, &turn.stage, &turn.case, &resident);
                if !asking.is_work(&resident) {
                    let answers = asking.answers(&resident);
                    let found = Found::Yes(resident, asking.sight, Some(answers));
                    return pass(&self.state, &self.prompt, turn, found);
                }
            }
            let (state, prompt) = (self.state.clone(), self.prompt.clone());
            turn.work(move |mut turn| async move {
                let limit = Duration::from_millis(state.config.memory.recall_timeout_ms);
                let by = Instant::now() + limit;
                let query = turn.stage.said.as_ref().map(|said| said.query.clone());
                let read = tokio::select! {
                    read = in_time(&state, &user, query, limit, by) => read,
                    () = turn.abandoned() => return,
                };
                let found = match read {
                    Err(why) => Found::No(why),
                    Ok(Read::Profile(resident)) => Found::Yes(resident, Sight::default(), None),
                    Ok(Read::Whole(resident, elsewhere)) => {
                        let mut asking = asking(&state, &turn.stage, &turn.case, &resident);
                        let late = Found::Yes(resident.clone(), asking.sight.clone(), None);
                        let ranking = async {
                            if !asking.is_settled(&resident.memories) {
                                // What is left is shared with the ranking.
                                let left = by.saturating_duration_since(Instant::now());
                                asking.meant =
                                    meant(&state, &user, &resident, &asking.text, left * 2 / 3)
                                        .await;
                            }
                            rank(resident, asking).await
                        };
                        let found = tokio::select! {
                            found = timeout_at(by, ranking) => found.unwrap_or(late),
                            () = turn.abandoned() => return,
                        };
                        found.with(elsewhere)
                    }
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
    /// The user, what the turn sees of them, and what of it answers, where that was found in time.
    Yes(Arc<Resident>, Sight, Option<Answers>),
    No(RecallState),
}

impl Found {
    /// What another server found beside it.
    fn with(self, elsewhere: Vec<Ranked>) -> Found {
        match self {
            Found::Yes(resident, sight, Some(mut answers)) => {
                answers.turns = merged(answers.turns, elsewhere, &sight);
                Found::Yes(resident, sight, Some(answers))
            }
            other => other,
        }
    }
}

/// What answers what is asked. Among thousands it is no work for a web worker.
async fn rank(resident: Arc<Resident>, asking: Asking) -> Found {
    let sight = asking.sight.clone();
    if !asking.is_work(&resident) {
        let answers = asking.answers(&resident);
        return Found::Yes(resident, sight, Some(answers));
    }
    let of = resident.clone();
    let answers = tokio::task::spawn_blocking(move || asking.answers(&of)).await;
    Found::Yes(resident, sight, Some(answers.unwrap_or_default()))
}

/// What is asked, and the messages just before it: those that came along, or the conversation's
/// last turns.
fn asking(state: &State, asked: &Asked, case: &Case, resident: &Resident) -> Asking {
    let memories = &resident.memories;
    let conversation = asked.said.as_ref().map_or("", |said| &said.conversation);
    let sight = Sight::of(memories, &case.turn, conversation, asked.goes_on);
    let nothing = memories.is_empty() && resident.profile.slots.is_empty();
    let Some(said) = asked.said.as_ref().filter(|_| !nothing) else {
        return Asking {
            sight,
            ..Asking::default()
        };
    };
    let mut context = match &asked.ask {
        Ask::Chat(body) => before(body),
        Ask::Native(task) => {
            let name = task.conversation.as_deref();
            let turns = resident.turns.iter().rev();
            let turns = turns.filter(|turn| Some(&*turn.conversation) == name);
            let sides = turns
                .take(CONTEXT / 2)
                .flat_map(|turn| [("assistant", &turn.answer), ("user", &turn.query)]);
            sides
                .map(|(role, text)| (role, excerpt(text, CONTEXT_CHARS).into_owned()))
                .collect()
        }
    };
    context.reverse();
    Asking {
        text: said.query.to_string(),
        context,
        meant: None,
        now_ms: case.began_ms,
        profile_tokens: {
            let memory = &state.config.memory;
            memory.profile_share(state.pool.context(&asked.model))
        },
        sight,
    }
}

/// The messages before the user's last word, the latest first.
fn before(body: &ChatBody) -> Vec<(&'static str, String)> {
    let role = |message: &Message| match message.role {
        Role::User => Some("user"),
        Role::Assistant => Some("assistant"),
        _ => None,
    };
    let spoken = body.messages.iter().rev();
    let spoken = spoken.filter_map(|message| Some((role(message)?, message)));
    let before = spoken
        .skip_while(|(role, _)| *role == "assistant")
        .skip_while(|(role, _)| *role == "user");
    before
        .take(CONTEXT)
        .map(|(role, message)| {
            (
                role,
                excerpt(&body.text_of(message), CONTEXT_CHARS).into_owned(),
            )
        })
        .collect()
}

/// Picks what matters of what was found, within the budget, and moves the turn on.
fn pass(state: &State, prompt: &Port<Recalled>, turn: Turn<Asked>, found: Found) {
    let next = turn.step(|case, asked| {
        if let Found::Yes(resident, ..) = &found {
            let theirs = resident.settings.mode(state.config.memory.consent);
            case.mode = case.mode.min(theirs);
        }
        let recall = match found {
            Found::Yes(..) if case.mode == MemoryMode::Off => Recall::none(RecallState::Off),
            Found::No(state) => Recall::none(state),
            Found::Yes(resident, sight, answers) => {
                let wanted = match &asked.ask {
                    Ask::Native(task) => task.conversation.as_deref(),
                    Ask::Chat(_) => None,
                };
                let context = state.pool.context(&asked.model);
                let wanted = wanted.map(|name| (name, state.config.memory.history_share(context)));
                let late = answers.is_none();
                let answers = answers.unwrap_or_default();
                let picked = select(
                    &state.config.memory,
                    &resident,
                    &answers.turns,
                    &sight,
                    &asked.present,
                    wanted,
                );
                let recall = Recall::of(resident, answers.facts, picked);
                match late {
                    true => recall.late(),
                    false => recall,
                }
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
