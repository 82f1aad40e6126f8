//! The committer: the one loop that writes. It takes what waits, commits turns in groups, answers,
//! and settles what they teach. What it does while the store is down is in `outage.rs`.

use super::{
    Command, Shared,
    attempt::{Failure, PAUSE},
    delivered,
    keep::{Keep, Kept, keep},
    queue::Work,
    settle,
};
use crate::{
    error::Error,
    memory::{Ack, Untold, UserKey, Writeback, est_tokens},
};
use futures_util::FutureExt;
use std::{
    collections::{BTreeMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::time::Instant;

/// Turns that were to be kept, and what became of each; `None`: it is not kept.
pub type Group = (Arc<Vec<Keep>>, Vec<Option<Kept>>);

/// The loop's own state; all that may be lost.
pub struct Committer {
    pub(super) shared: Arc<Shared>,
    /// Users with something in the outbox: how often they failed, and when they are next.
    pub(super) unsettled: BTreeMap<UserKey, (u32, Instant)>,
    /// When what is kept too long is looked for again.
    pub(super) sweep_at: Instant,
    /// Something went by its age, and is still in the file.
    pub(super) owes_rewrite: bool,
    /// The file may be written anew again for what went by its age.
    pub(super) rewrite_at: Instant,
    /// When the file is tried again to be rid of what was erased.
    pub(super) scrub_at: Option<Instant>,
    /// When what memory cost is entered into the ledger.
    pub(super) tally_at: Option<Instant>,
}

/// Runs until the queue is closed and empty. A panic costs one round: the queue and what was
/// taken from it lie outside.
pub async fn run(shared: Arc<Shared>) {
    loop {
        let round = AssertUnwindSafe(Committer::round(shared.clone()));
        match round.catch_unwind().await {
            Ok(()) => break,
            Err(_) => {
                tracing::error!("the committer crashed; it goes on with what was waiting");
                shared.queue.put_back();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    let database = shared.database();
    let _ = tokio::time::timeout(Duration::from_secs(1), database.close(true)).await;
}

impl Committer {
    async fn round(shared: Arc<Shared>) {
        let committer = Committer {
            shared,
            unsettled: BTreeMap::new(),
            sweep_at: Instant::now(),
            owes_rewrite: false,
            rewrite_at: Instant::now(),
            scrub_at: None,
            tally_at: Some(Instant::now()),
        };
        let mut committer = committer;
        committer.work().await;
    }

    async fn work(&mut self) {
        let left = self.shared.down.load(SeqCst) || !self.shared.spool().is_drained();
        if left && !self.outage(None).await {
            return;
        }
        while self.find_unsettled().await.is_err() {
            if !self.outage(None).await {
                return;
            }
        }
        while self.scrub_rest().await.is_err() {
            if !self.outage(None).await {
                return;
            }
        }
        self.shared.ready.open();
        while let Some(done) = self.next().await {
            if let Err(failed) = done
                && !self.outage(failed).await
            {
                return;
            }
        }
        let _ = self.enter().await;
    }

    /// Does what is next; `None` once there is nothing left to do. Fails with the store, and with
    /// the work that it did not take.
    async fn next(&mut self) -> Option<Result<(), Option<Work>>> {
        if let Err(Failure::Down) = self.settle().await {
            return Some(Err(None));
        }
        if let Err(Failure::Down) = self.chores().await {
            return Some(Err(None));
        }
        let due = self.unsettled.values().map(|(_, at)| *at).min();
        let due_at = due.unwrap_or(self.sweep_at).min(self.sweep_at);
        let due_at = due_at.min(self.scrub_at.unwrap_or(due_at));
        let due_at = due_at.min(self.tally_at.unwrap_or(due_at));
        let (work, since) = tokio::select! {
            taken = self.shared.queue.take(self.shared.group) => taken?,
            () = tokio::time::sleep_until(due_at) => return Some(Ok(())),
            () = self.shared.tally.some.notified() => {
                self.tallied();
                return Some(Ok(()));
            }
            () = self.shared.suspicion.notified() => {
                return Some(self.examine().await.map_err(|_| None));
            }
        };
        let until = Instant::from_std(since) + self.shared.ack_timeout;
        match self.commit(&work, until).await {
            Err(Failure::Down) => Some(Err(Some(work))),
            _ => Some(Ok(())),
        }
    }

    /// What nobody waits for.
    async fn chores(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        if self.scrub_at.is_some_and(|at| at <= now) {
            self.scrub(false).await;
        }
        if self.tally_at.is_some_and(|at| at <= now) {
            self.enter().await?;
        }
        match self.sweep_at <= now {
            true => self.sweep().await,
            false => Ok(()),
        }
    }

    /// Commits and answers.
    async fn commit(&mut self, work: &Work, until: Instant) -> Result<(), Failure> {
        #[cfg(test)]
        self.shared.explode();
        match work {
            Work::Keep(group) => {
                let (keeps, kept) = self.keep(group, until).await?;
                self.refresh(&keeps, &kept);
                self.note_unsettled(&keeps, &kept);
                self.shared
                    .queue
                    .answer_keeps(kept.into_iter().map(|kept| match kept {
                        Some(kept) => Ack::Recorded(kept.turn.id.clone()),
                        None => Ack::Off,
                    }));
            }
            Work::Upsert(upsert) => {
                let ask = Arc::new(upsert.clone());
                let shared = self.shared.clone();
                let done = self.attempt(until, move |db| {
                    let (ask, shared) = (ask.clone(), shared.clone());
                    async move { super::upsert::upsert(&db, &ask, &shared.rules).await }
                });
                let answer = match done.await {
                    Ok(Ok((upserted, mark))) => {
                        let new = upserted.profile.clone();
                        let residents = &self.shared.residents;
                        residents.update(&upsert.user, mark, |resident| resident.profile = new);
                        Ok(upserted)
                    }
                    Ok(Err(error)) => Err(error),
                    Err(Failure::Refused) => Err(Error::invalid("body", REFUSED)),
                    Err(Failure::Down) => return Err(Failure::Down),
                };
                if let Some(Command::Upsert(_, reply)) = self.shared.queue.answer() {
                    let _ = reply.send(answer);
                }
            }
            Work::Import(import) => {
                let answer = self.import(import, until).await?;
                if let Some(Command::Import(_, reply)) = self.shared.queue.answer() {
                    let _ = reply.send(answer);
                }
            }
            Work::Privacy(ask) => self.privacy(ask, until).await?,
            Work::Delivered(delivered) => {
                let (ask, shared) = (delivered.clone(), self.shared.clone());
                let done = self.attempt(until, move |db| {
                    let (ask, shared) = (ask.clone(), shared.clone());
                    async move { delivered::delivered(&db, &ask, &shared.rules).await }
                });
                let answer = match done.await {
                    Err(Failure::Down) => return Err(Failure::Down),
                    done => done.map_err(|_| Error::StoreDown),
                };
                if let (Ok(()), Some(undelivered)) = (&answer, &self.shared.undelivered) {
                    let turn = std::slice::from_ref(&delivered.turn);
                    undelivered.done(&delivered.user, turn);
                }
                if let Some(Command::Delivered(_, reply)) = self.shared.queue.answer() {
                    let _ = reply.send(answer);
                }
            }
            Work::Embed(embedded) => {
                let answer = self.embed(embedded, until).await?;
                if let Some(Command::Embed(_, reply)) = self.shared.queue.answer() {
                    let _ = reply.send(answer);
                }
            }
            Work::Extraction(user, what) => {
                let answer = self.extraction(user, what, until).await?;
                if let Some(Command::Extraction(.., reply)) = self.shared.queue.answer() {
                    let _ = reply.send(answer);
                }
            }
        }
        Ok(())
    }

    /// Keeps a group in one transaction; one whose data the store refuses turn by turn, so that
    /// the others are kept.
    pub(super) async fn keep(
        &self,
        group: &[Arc<Writeback>],
        until: Instant,
    ) -> Result<Group, Failure> {
        let keeps: Arc<Vec<_>> = Arc::new(group.iter().cloned().map(Keep::new).collect());
        let mut kept = Vec::new();
        let mut parts: VecDeque<_> = std::iter::once(0..keeps.len()).collect();
        while let Some(part) = parts.pop_front().filter(|part| !part.is_empty()) {
            let (ours, range, shared) = (keeps.clone(), part.clone(), self.shared.clone());
            let done = self.attempt(until, move |db| {
                let (ours, range, shared) = (ours.clone(), range.clone(), shared.clone());
                async move { keep(&db, &ours[range], &shared.rules).await }
            });
            match done.await {
                Ok(some) => kept.extend(some),
                Err(Failure::Refused) if part.len() > 1 => {
                    parts = part.map(|at| at..at + 1).collect();
                }
                Err(Failure::Refused) => {
                    tracing::error!("the store refuses a turn; it is not remembered");
                    kept.push(None);
                }
                Err(Failure::Down) => return Err(Failure::Down),
            }
        }
        Ok((keeps, kept))
    }

    /// The very next recall sees what was just kept, and what it teaches.
    fn refresh(&self, keeps: &[Keep], kept: &[Option<Kept>]) {
        let mut users: BTreeMap<(&UserKey, i64), Vec<(&Keep, &Kept)>> = BTreeMap::new();
        for (keep, kept) in keeps.iter().zip(kept) {
            if let Some(kept) = kept {
                let at = (&keep.writeback.user, kept.mark);
                users.entry(at).or_default().push((keep, kept));
            }
        }
        for ((user, mark), turns) in users {
            self.shared.residents.update(user, mark, |resident| {
                for (keep, kept) in turns {
                    resident.remember(kept.turn.clone());
                    if kept.fresh {
                        let turn = &kept.turn;
                        let profile = &mut resident.profile;
                        let rules = &self.shared.rules;
                        rules.apply(profile, &turn.id, turn.at_ms, &keep.said);
                    }
                }
            });
        }
    }

    pub(super) fn note_unsettled(&mut self, keeps: &[Keep], kept: &[Option<Kept>]) {
        for (keep, kept) in keeps.iter().zip(kept) {
            let shared = &self.shared;
            // A repeat may bring another answer.
            if let (Some(unembedded), Some(_)) = (&shared.unembedded, kept) {
                unembedded.note(&keep.writeback.user);
            }
            let Some(kept) = kept.as_ref().filter(|kept| kept.fresh) else {
                continue;
            };
            if shared.rules.extracts && keep.writeback.says_something() {
                let (user, said) = (&keep.writeback.user, est_tokens(&kept.turn.query));
                let conversation = keep.writeback.named_conversation();
                shared.gathering.note(user, said, conversation);
            }
            if !keep.said.is_empty() {
                let user = keep.writeback.user.clone();
                if let Some(undelivered) = &self.shared.undelivered {
                    let (turn, at_ms) = (kept.turn.id.clone(), kept.turn.at_ms);
                    let said = keep.said.clone().into();
                    undelivered.note(&user, Untold { turn, at_ms, said });
                    continue;
                }
                self.unsettled
                    .entry(user)
                    .or_insert_with(|| (0, Instant::now()));
            }
        }
    }

    /// What an earlier run left in the outbox.
    async fn find_unsettled(&mut self) -> Result<(), Failure> {
        let until = Instant::now() + self.shared.ack_timeout;
        if let Some(undelivered) = &self.shared.undelivered {
            let found = self.attempt(until, |db| async move { delivered::pending(&db).await });
            let found = found.await?.into_iter();
            found.for_each(|(user, untold)| undelivered.note(&user, untold));
            return Ok(());
        }
        let found = self.attempt(until, |db| async move { settle::unsettled(&db).await });
        for user in found.await? {
            self.unsettled.insert(user, (0, Instant::now()));
        }
        Ok(())
    }

    /// Reads fail: does the store take writes? Connections to a server are made anew either way.
    pub(super) async fn examine(&self) -> Result<(), Failure> {
        let until = Instant::now() + self.shared.ack_timeout / 2;
        let shared = self.shared.clone();
        let done = self.attempt(until, move |_| {
            let shared = shared.clone();
            async move { shared.reconnect().await?.probe().await }
        });
        done.await
    }
}

pub(super) const REFUSED: &str = "the store refuses these values; names or values may be too long";
