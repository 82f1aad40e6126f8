//! The actors in numbers: sums over the replicas, and each replica by itself.

use super::Share;
use crate::{
    graph::{DrawnEdge, DrawnNode, drawing},
    state::State,
    supervise::{self, Health},
};
use serde::Serialize;

/// One actor, over all its replicas.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ActorStatus {
    /// Its name in the graph.
    pub name: &'static str,
    /// Replicas that take turns now.
    up: usize,
    /// Restarts, for whatever cause.
    restarts: u64,
    /// … after a panic.
    panics: u64,
    /// … after a stop.
    stops: u64,
    /// Turns at it now.
    turns: i64,
    /// Messages handled since the start.
    handled: u64,
    /// Replicas whose thread does not turn.
    wedged: usize,
    /// Each replica.
    replicas: Vec<Health>,
}

impl ActorStatus {
    fn of(name: &'static str, replicas: Vec<Health>) -> Self {
        let sum = |count: fn(&Health) -> u64| replicas.iter().map(count).sum();
        ActorStatus {
            name,
            up: replicas
                .iter()
                .filter(|r| r.state == supervise::State::Up)
                .count(),
            restarts: sum(|r| r.restarts),
            panics: sum(|r| r.panics),
            stops: sum(|r| r.stops),
            turns: replicas.iter().map(|r| r.turns).sum(),
            handled: sum(|r| r.handled),
            wedged: replicas.iter().filter(|r| r.wedged).count(),
            replicas,
        }
    }

    /// How many of its replicas are up.
    pub(super) fn share(&self) -> Share {
        Share {
            up: self.up,
            of: self.replicas.len(),
        }
    }
}

/// Every actor, in the order of the graph.
pub(super) fn all(state: &State) -> Vec<ActorStatus> {
    let mut replicas = state.roster.read();
    let nodes = drawing().nodes.into_iter();
    nodes
        .map(|node| ActorStatus::of(node.name, replicas.remove(node.name).unwrap_or_default()))
        .collect()
}

/// The graph as it is compiled, and what is at its nodes now.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DrawnGraph {
    /// The actors.
    nodes: Vec<LiveNode>,
    /// The typed ports between them.
    edges: Vec<DrawnEdge>,
}

/// One actor of the graph.
#[derive(Serialize, utoipa::ToSchema)]
pub struct LiveNode {
    #[serde(flatten)]
    node: DrawnNode,
    /// Replicas that take turns now.
    up: usize,
    /// Turns at it now.
    turns: i64,
}

impl DrawnGraph {
    /// As it is now.
    pub fn of(state: &State) -> Self {
        let drawn = drawing();
        let live = drawn.nodes.into_iter().zip(all(state));
        DrawnGraph {
            nodes: live
                .map(|(node, actor)| LiveNode {
                    node,
                    up: actor.up,
                    turns: actor.turns,
                })
                .collect(),
            edges: drawn.edges,
        }
    }
}
