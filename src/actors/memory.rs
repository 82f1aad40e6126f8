//! The role of the `MemoryActor` is to be the only writer of a running server's data: write-backs,
//! upserts, erasures arrive here in order and go into the batch. The batch and the promises to
//! answer lie in the store's queue, outside the actor, and its committer on a runtime of its own
//! empties it: a crash here loses nothing that was taken, and a blocked commit blocks no worker.

use crate::{
    graph::Node,
    memory::{Ack, Writeback},
    store::{Command, Store},
    supervise::{Poke, Vitals},
};
use actix::prelude::*;
use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};
use tokio::sync::oneshot;

/// How often a command that a crash swallowed is sent again. Its answer channel closes only if it
/// never reached the queue, so a repeat applies nothing twice.
const SENDS: usize = 5;

/// One write, with the channel its outcome goes to.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Write(pub Command);

/// See the file's head.
pub struct MemoryActor {
    store: Store,
    vitals: Arc<Vitals>,
}

impl MemoryActor {
    /// The writer into `store`.
    pub fn new(store: Store, vitals: Arc<Vitals>) -> Self {
        MemoryActor { store, vitals }
    }
}

impl Node for MemoryActor {
    const NAME: &'static str = "memory";
}

impl Actor for MemoryActor {
    type Context = Context<Self>;
}

impl Supervised for MemoryActor {}

impl Handler<Write> for MemoryActor {
    type Result = ();

    fn handle(&mut self, Write(command): Write, _: &mut Context<Self>) {
        let start = Instant::now();
        self.store.enqueue(command);
        self.vitals.handled(start.elapsed());
    }
}

impl Handler<Poke> for MemoryActor {
    type Result = ();

    fn handle(&mut self, poke: Poke, ctx: &mut Context<Self>) {
        poke.obey(ctx);
    }
}

/// The way to the memory actor, from any thread.
#[derive(Clone)]
pub struct MemoryPort {
    store: Store,
    vitals: Arc<Vitals>,
    to: Arc<OnceLock<Recipient<Write>>>,
}

impl MemoryPort {
    /// A port to an actor that is about to start.
    pub fn new(store: Store, vitals: Arc<Vitals>) -> Self {
        MemoryPort {
            store,
            vitals,
            to: Arc::default(),
        }
    }

    /// The actor can be reached.
    pub fn open(&self, to: Recipient<Write>) {
        let _ = self.to.set(to);
    }

    /// Sends one command. With the actor down for good it goes to the queue directly: the server
    /// is then draining, and what is still written must not be lost.
    pub fn send(&self, command: Command) {
        match self.to.get() {
            Some(to) if !self.vitals.is_down() => to.do_send(Write(command)),
            _ => self.store.enqueue(command),
        }
    }

    /// Sends what `make` makes until an answer comes: a crash of the actor may swallow a message.
    pub async fn ask<T>(&self, make: impl Fn(oneshot::Sender<T>) -> Command) -> Option<T> {
        for _ in 0..SENDS {
            let (reply, answer) = oneshot::channel();
            self.send(make(reply));
            if let Ok(answer) = answer.await {
                return Some(answer);
            }
        }
        let (reply, answer) = oneshot::channel();
        self.store.enqueue(make(reply));
        answer.await.ok()
    }

    /// Writes a turn back and waits until it is durable, or is not going to be.
    pub async fn keep(&self, writeback: Arc<Writeback>) -> Ack {
        let keep = |reply| Command::Keep(writeback.clone(), reply);
        self.ask(keep).await.unwrap_or(Ack::Off)
    }
}
