//! All replicas of all actors, for ops: who is up, who is wedged, and whether a node has nobody
//! left. It also holds the way to provoke a failure, which only tests use.

use super::{Health, Vitals};
use actix::prelude::*;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Makes an actor fail; no request can send one.
#[derive(Clone, Copy, Debug, Message, PartialEq, Eq)]
#[rtype(result = "()")]
pub enum Poke {
    /// Panic in the handler.
    Panic,
    /// `ctx.stop()`.
    Stop,
}

impl Poke {
    /// What an actor's handler does with it.
    pub fn obey<A: Actor<Context = Context<A>>>(self, ctx: &mut Context<A>) {
        match self {
            Poke::Panic => std::panic::panic_any("poked"),
            Poke::Stop => ctx.stop(),
        }
    }
}

/// The replicas by node.
#[derive(Default)]
pub struct Roster {
    // Locked at starts and readings only.
    all: Mutex<Vec<(Arc<Vitals>, Recipient<Poke>)>>,
}

impl Roster {
    fn all(&self) -> MutexGuard<'_, Vec<(Arc<Vitals>, Recipient<Poke>)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more replica.
    pub fn join(&self, vitals: Arc<Vitals>, poke: Recipient<Poke>) {
        self.all().push((vitals, poke));
    }

    /// Every replica's vitals, by node.
    pub fn read(&self) -> BTreeMap<&'static str, Vec<Health>> {
        let mut by_node = BTreeMap::<_, Vec<Health>>::new();
        for (vitals, _) in self.all().iter() {
            by_node.entry(vitals.node).or_default().push(vitals.read());
        }
        by_node
    }

    /// Nodes with no replica that takes turns, now or after its pause.
    pub fn dead(&self) -> Vec<&'static str> {
        let mut alive = BTreeMap::new();
        for (vitals, _) in self.all().iter() {
            *alive.entry(vitals.node).or_insert(false) |= !vitals.is_down();
        }
        alive
            .iter()
            .filter(|(_, up)| !**up)
            .map(|(node, _)| *node)
            .collect()
    }

    /// Nodes with a replica whose thread does not turn.
    pub fn wedged(&self) -> Vec<&'static str> {
        let mut nodes: Vec<_> = self
            .all()
            .iter()
            .filter(|(v, _)| v.is_wedged())
            .map(|(v, _)| v.node)
            .collect();
        nodes.dedup();
        nodes
    }

    /// Makes the replicas of a node fail, on one worker or on all; how many were told.
    pub fn poke(&self, node: &str, worker: Option<usize>, poke: Poke) -> usize {
        let told = |v: &Vitals| v.node == node && worker.is_none_or(|w| w == v.worker);
        let all = self.all();
        let targets = all.iter().filter(|(v, _)| told(v));
        targets.map(|(_, to)| to.do_send(poke)).count()
    }
}
