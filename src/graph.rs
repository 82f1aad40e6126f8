//! The wiring, on one screen: START → gateway → recall → prompt → model → END, and memory beside
//! it, the only writer. Built bottom-up from END, so that an edge that does not fit does not
//! compile, one that is missing cannot be left out, and a cycle cannot be written down.

use crate::{
    actors::{
        gateway::{GatewayActor, Submitted},
        memory::{MemoryActor, MemoryPort},
        pool_model::{PoolModelActor, Prompted},
        prompt::{PromptActor, Recalled},
        recall::{Asked, RecallActor},
    },
    error::Error,
    pool::Client,
    state::State,
    supervise::{Intensity, Poke, Post, Vitals, supervise},
    turn::{Call, Case, Port, Siblings, Stage, Turn},
};
use actix::prelude::*;
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// One worker's replica of the graph.
pub struct Graph {
    /// START.
    entry: Port<Submitted>,
    /// Where a turn that a backend failed goes back to.
    model: Port<Prompted>,
    /// The way to the only writer.
    pub memory: MemoryPort,
    /// This worker's own upstream connections.
    pub client: Client,
    /// What it shares with the other workers.
    pub state: Arc<State>,
}

impl Graph {
    /// Starts this worker's replicas on the current thread and wires them, from END to START.
    pub fn start(state: &Arc<State>, memory: MemoryPort, worker: usize) -> Graph {
        let (s, all) = (state.clone(), &state.replicas);
        let model = node(state, worker, &all.model, |post| {
            PoolModelActor::new(post, s.pool.clone())
        });
        let prompt = node(state, worker, &all.prompt, |post| {
            PromptActor::new(post, s.clone(), model.clone())
        });
        let recall = node(state, worker, &all.recall, |post| {
            RecallActor::new(post, s.clone(), prompt.clone())
        });
        let entry = node(state, worker, &all.gateway, |post| {
            GatewayActor::new(post, s.clone(), recall.clone())
        });
        Graph {
            entry,
            model,
            memory,
            client: Client::new(),
            state: state.clone(),
        }
    }

    /// Sends a turn in; the answer is its call, or why there is none.
    pub fn submit(&self, case: Case, submitted: Submitted) -> Answering {
        let (turn, answer) = Turn::start(case, submitted);
        self.entry.push(turn);
        answer
    }

    /// Sends a turn back to the model node, with what has been tried.
    pub fn again(&self, case: Case, prompted: Prompted) -> Answering {
        let (turn, answer) = Turn::start(case, prompted);
        self.model.push(turn);
        answer
    }
}

/// The one wait of a request. A closed channel is a turn that a crash dropped.
pub type Answering = oneshot::Receiver<Result<Call, Error>>;

/// All workers' replicas by node.
#[derive(Default)]
pub struct Replicas {
    gateway: Arc<Siblings<Submitted>>,
    recall: Arc<Siblings<Asked>>,
    prompt: Arc<Siblings<Recalled>>,
    model: Arc<Siblings<Prompted>>,
}

/// An actor that is a node of the graph.
pub trait Node: Supervised + Actor<Context = Context<Self>> + Handler<Poke> {
    /// Its name, as ops read it.
    const NAME: &'static str;
}

/// Starts one replica of one node and returns the edge into it.
fn node<A, S, F>(state: &State, worker: usize, siblings: &Arc<Siblings<S>>, make: F) -> Port<S>
where
    A: Node + Handler<Turn<S>>,
    S: Stage,
    F: FnOnce(Post<S>) -> A,
{
    let vitals = Vitals::new(A::NAME, worker);
    let post = Post::new(vitals.clone(), siblings.clone());
    let addr = supervise(intensity(state), vitals.clone(), || make(post.clone()));
    state.roster.join(vitals, addr.clone().recipient());
    post.open(addr.recipient());
    Port::to(post)
}

/// Starts the memory actor, one a process, on a thread of its own.
pub fn start_memory(state: &Arc<State>) -> MemoryPort {
    let vitals = Vitals::new(MemoryActor::NAME, 0);
    let port = MemoryPort::new(state.store.clone(), vitals.clone());
    let (state, own) = (state.clone(), port.clone());
    Arbiter::new().spawn_fn(move || {
        let store = state.store.clone();
        let addr = supervise(intensity(&state), vitals.clone(), || {
            MemoryActor::new(store, vitals.clone())
        });
        state.roster.join(vitals, addr.clone().recipient());
        own.open(addr.recipient());
    });
    port
}

fn intensity(state: &State) -> Intensity {
    let server = &state.config.server;
    Intensity {
        max: server.max_restarts,
        within: Duration::from_secs(server.restart_window_s),
        pause: Duration::from_millis(server.restart_pause_ms),
    }
}

/// The graph as data, for `GET /api/v1/graph`.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Drawing {
    /// The actors.
    pub nodes: Vec<DrawnNode>,
    /// The typed ports between them.
    pub edges: Vec<DrawnEdge>,
}

/// One actor.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct DrawnNode {
    /// Its name.
    pub name: &'static str,
    /// The message it takes.
    pub takes: &'static str,
    /// Replicas: `worker` (one each) or `process` (one in all).
    pub per: &'static str,
}

/// One edge.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct DrawnEdge {
    /// Where it starts.
    pub from: &'static str,
    /// Where it leads.
    pub to: &'static str,
    /// What travels on it.
    pub carries: &'static str,
}

/// Draws it from the same names the types carry.
pub fn drawing() -> Drawing {
    let node = |name, takes, per| DrawnNode { name, takes, per };
    let edge = |from, to, carries| DrawnEdge { from, to, carries };
    let (gateway, recall) = (GatewayActor::NAME, RecallActor::NAME);
    let (prompt, model, memory) = (PromptActor::NAME, PoolModelActor::NAME, MemoryActor::NAME);
    Drawing {
        nodes: vec![
            node(gateway, Submitted::NAME, "worker"),
            node(recall, Asked::NAME, "worker"),
            node(prompt, Recalled::NAME, "worker"),
            node(model, Prompted::NAME, "worker"),
            node(memory, "Writeback", "process"),
        ],
        edges: vec![
            edge("START", gateway, Submitted::NAME),
            edge(gateway, recall, Asked::NAME),
            edge(recall, prompt, Recalled::NAME),
            edge(prompt, model, Prompted::NAME),
            edge(model, "END", "Call"),
            edge("END", memory, "Writeback"),
        ],
    }
}
