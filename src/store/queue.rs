//! What waits for the committer. It lies outside of every actor and of the committer itself, with
//! the promises to answer: what a crash finds half done is taken up again.

use super::{Ask, Command, Delivered, Import, Upsert, embedding::Embedded, extraction::Write};
use crate::{
    error::Error,
    memory::{Ack, UserKey, Writeback},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Where so many were taken at once, others are given a moment to join the next: of what a group costs
/// much is the same however many are in it. Who is alone waits for nobody.
const CROWD: usize = 4;
const MOMENT: Duration = Duration::from_millis(1);
/// After so many crashes over a command it is given up.
const TRIES: u8 = 3;

struct Waiting {
    command: Command,
    since: Instant,
    /// How often the committer crashed over it.
    tries: u8,
}

/// What the committer works on next.
pub enum Work {
    /// Turns to keep, in one transaction.
    Keep(Vec<Arc<Writeback>>),
    /// An upsert.
    Upsert(Upsert),
    /// An import.
    Import(Import),
    /// What a user's privacy asks for.
    Privacy(Ask),
    /// A turn leaves the outbox.
    Delivered(Delivered),
    /// A write of extraction.
    Extraction(UserKey, Arc<Write>),
    /// What texts mean.
    Embed(Arc<Embedded>),
}

#[derive(Default)]
struct Lines {
    waiting: VecDeque<Waiting>,
    /// Given to the committer, not answered yet.
    taken: VecDeque<Waiting>,
    /// How many were taken last.
    crowd: usize,
    closed: bool,
}

/// See the file's head.
#[derive(Default)]
pub struct Queue {
    lines: Mutex<Lines>,
    more: Notify,
}

impl Queue {
    /// Adds a command; after the close it is refused at once.
    pub fn push(&self, command: Command) {
        let mut lines = self.lines();
        if lines.closed {
            drop(lines);
            return refuse(command);
        }
        lines.waiting.push_back(Waiting {
            command,
            since: Instant::now(),
            tries: 0,
        });
        drop(lines);
        self.more.notify_one();
    }

    /// Takes what is next, up to `group` turns at once, and since when the first of it waits;
    /// `None` once the queue is closed and empty.
    pub async fn take(&self, group: usize) -> Option<(Work, Instant)> {
        if self.gathers(group) {
            tokio::time::sleep(MOMENT).await;
        }
        loop {
            if let Some(work) = self.try_take(group) {
                return Some(work);
            }
            if self.lines().closed {
                return None;
            }
            self.more.notified().await;
        }
    }

    /// Whether more may come in a moment, and have room.
    fn gathers(&self, group: usize) -> bool {
        let lines = self.lines();
        lines.crowd >= CROWD && lines.waiting.len() < group
    }

    fn try_take(&self, group: usize) -> Option<(Work, Instant)> {
        let mut lines = self.lines();
        let first = lines.waiting.front()?;
        let since = first.since;
        // What crashed the committer before is tried alone.
        let group = if first.tries > 0 { 1 } else { group };
        let work = match &first.command {
            Command::Upsert(upsert, _) => Work::Upsert(upsert.clone()),
            Command::Import(import, _) => Work::Import(import.clone()),
            Command::Privacy(ask, _) => Work::Privacy(ask.clone()),
            Command::Delivered(delivered, _) => Work::Delivered(delivered.clone()),
            Command::Embed(embedded, _) => Work::Embed(embedded.clone()),
            Command::Extraction(user, what, _) => Work::Extraction(user.clone(), what.clone()),
            Command::Keep(..) => {
                let keeps = lines.waiting.iter().map_while(|w| match &w.command {
                    Command::Keep(writeback, _) => Some(writeback.clone()),
                    _ => None,
                });
                Work::Keep(keeps.take(group.max(1)).collect())
            }
        };
        let count = match &work {
            Work::Keep(keeps) => keeps.len(),
            _ => 1,
        };
        lines.crowd = count;
        let taken: Vec<_> = lines.waiting.drain(..count).collect();
        lines.taken.extend(taken);
        Some((work, since))
    }

    /// Answers the turns that were taken, in their order.
    pub fn answer_keeps(&self, acks: impl IntoIterator<Item = Ack>) {
        let taken = std::mem::take(&mut self.lines().taken);
        for (waiting, ack) in taken.into_iter().zip(acks) {
            if let Command::Keep(_, reply) = waiting.command {
                let _ = reply.send(ack);
            }
        }
    }

    /// The command that was taken, to be answered.
    pub fn answer(&self) -> Option<Command> {
        self.lines()
            .taken
            .pop_front()
            .map(|waiting| waiting.command)
    }

    /// The committer crashed: what it had taken goes back to the head of the line, except what
    /// has crashed it too often.
    pub fn put_back(&self) {
        let mut lines = self.lines();
        let mut given_up = Vec::new();
        while let Some(mut waiting) = lines.taken.pop_back() {
            waiting.tries += 1;
            if waiting.tries < TRIES {
                lines.waiting.push_front(waiting);
            } else {
                given_up.push(waiting.command);
            }
        }
        drop(lines);
        given_up.into_iter().for_each(refuse);
        self.more.notify_one();
    }

    /// Takes no more; what is there is still worked off.
    pub fn close(&self) {
        self.lines().closed = true;
        self.more.notify_one();
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody is going to work on it.
fn refuse(command: Command) {
    match command {
        Command::Keep(_, reply) => drop(reply.send(Ack::Off)),
        Command::Upsert(_, reply) => drop(reply.send(Err(Error::StoreDown))),
        Command::Import(_, reply) => drop(reply.send(Err(Error::StoreDown))),
        Command::Privacy(_, reply) => drop(reply.send(Err(Error::StoreDown))),
        Command::Delivered(_, reply) => drop(reply.send(Err(Error::StoreDown))),
        Command::Embed(_, reply) => drop(reply.send(Err(Error::StoreDown))),
        Command::Extraction(.., reply) => drop(reply.send(Err(Error::StoreDown))),
    }
}
