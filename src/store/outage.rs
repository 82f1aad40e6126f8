//! While the store is down: write-backs and erases go to the spool at once, a probe finds the store back, the
//! spool is replayed in order, and only when nothing is left in it the store counts as up again.

use super::{
    Ask, Command, Done, Erasure,
    attempt::Failure,
    committer::{Committer, Group},
    now_ms,
    queue::Work,
    spool::Batch,
};
use crate::{
    error::Error,
    memory::{Ack, MemoryMode, Writeback},
};
use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::time::Instant;

/// Between two looks whether the store is back.
const PROBE: Duration = Duration::from_millis(500);
/// Write-backs spooled with one sync.
const SPOOL_GROUP: usize = 1_024;

impl Committer {
    /// Returns when the store is back and the spool empty, or with `false` when the queue is
    /// closed and empty. `work` is what could not be committed.
    pub(super) async fn outage(&mut self, work: Option<Work>) -> bool {
        if !self.shared.down.swap(true, SeqCst) {
            tracing::warn!("the store is down; write-backs go to the spool");
        }
        let mut wait = PROBE * u32::from(work.is_some());
        if let Some(work) = work {
            self.to_spool(work);
        }
        // The store has taken something since it was down.
        let mut back = false;
        loop {
            let (batch, end, whole) = self.batch();
            let mut replay = Box::pin(self.replay(wait, &batch, !back));
            // Once the store is back the last group is awaited with the queue held, or a steady
            // stream of turns would keep the spool from ever running empty.
            let hold = back && whole;
            let done = loop {
                tokio::select! {
                    done = &mut replay => break done,
                    taken = self.shared.queue.take(SPOOL_GROUP), if !hold => match taken {
                        Some((work, _)) => self.to_spool(work),
                        None => return false,
                    },
                }
            };
            drop(replay);
            back = done.is_ok();
            wait = PROBE * u32::from(!back);
            if let Ok((keeps, kept)) = done {
                if matches!(batch, Batch::Erase(_)) {
                    self.scrub_at = Some(Instant::now());
                }
                self.note_unsettled(&keeps, &kept);
                if self.advance(end) {
                    return true;
                }
            }
        }
    }

    /// The next of the spool, where it ends, and whether that is the end of the spool.
    fn batch(&self) -> (Batch, u64, bool) {
        let spool = self.shared.spool();
        match tokio::task::block_in_place(|| spool.next(self.shared.group)) {
            Ok((batch, end)) => (batch, end, end >= spool.end()),
            Err(error) => {
                tracing::error!(%error, "the spool cannot be read");
                (Batch::Keep(Vec::new()), 0, false)
            }
        }
    }

    /// Waits, then replays the batch; `probe`: looks first whether the store takes writes.
    async fn replay(&self, wait: Duration, batch: &Batch, probe: bool) -> Result<Group, Failure> {
        tokio::time::sleep(wait).await;
        if probe {
            self.examine().await?;
        }
        let until = Instant::now() + self.shared.ack_timeout;
        let erasure = match batch {
            Batch::Keep(group) => return self.keep(group, until).await,
            Batch::Erase(erasure) => erasure,
        };
        match self.erase_all(erasure, until).await {
            Err(Failure::Down) => return Err(Failure::Down),
            Err(Failure::Refused) | Ok(Err(_)) => {
                tracing::error!("the store refuses to erase a user who was to be erased");
            }
            Ok(Ok(_)) => {}
        }
        Ok(Group::default())
    }

    /// All of the spool up to `end` is in the store. Is that all, the store is up again.
    fn advance(&self, end: u64) -> bool {
        let mut spool = self.shared.spool();
        spool.replayed(end);
        if !spool.is_drained() {
            return false;
        }
        if let Err(error) = spool.empty() {
            // Replayed once more at the next start, which changes nothing.
            tracing::error!(%error, "the replayed spool cannot be emptied");
        }
        drop(spool);
        // What an unanswered transaction did is only known now.
        self.shared.residents.clear();
        self.shared.full.store(false, SeqCst);
        self.shared.down.store(false, SeqCst);
        tracing::info!("the store is up, the spool replayed");
        true
    }

    /// Puts turns into the spool and answers; refuses what cannot wait.
    fn to_spool(&self, work: Work) {
        if let Work::Privacy(Ask::Erase(erasure)) = &work
            && erasure.on_version.is_none()
        {
            return self.erase_later(erasure);
        }
        let Work::Keep(group) = work else {
            match self.shared.queue.answer() {
                Some(Command::Upsert(_, reply)) => drop(reply.send(Err(Error::StoreDown))),
                Some(Command::Import(_, reply)) => drop(reply.send(Err(Error::StoreDown))),
                Some(Command::Privacy(_, reply)) => drop(reply.send(Err(Error::StoreDown))),
                Some(Command::Delivered(_, reply)) => drop(reply.send(Err(Error::StoreDown))),
                Some(Command::Embed(_, reply)) => drop(reply.send(Err(Error::StoreDown))),
                Some(Command::Extraction(.., reply)) => drop(reply.send(Err(Error::StoreDown))),
                _ => {}
            }
            return;
        };
        let mut spool = self.shared.spool();
        let may_wait = |w: &Arc<Writeback>| self.may_wait(w) && !spool.bars(&w.user, w.began_ms);
        let wanted: Vec<_> = group.iter().map(may_wait).collect();
        let wait = group.iter().zip(&wanted).filter(|(_, wanted)| **wanted);
        let wait: Vec<_> = wait.map(|(writeback, _)| writeback.clone()).collect();
        let spooled = tokio::task::block_in_place(|| spool.append(&wait));
        let spooled = spooled.unwrap_or_else(|error| {
            tracing::error!(%error, "the spool cannot be written");
            0
        });
        drop(spool);
        self.shared.full.store(spooled < wait.len(), SeqCst);
        let mut at = 0;
        let acks = wanted.into_iter().map(|wanted| {
            at += usize::from(wanted);
            match wanted && at <= spooled {
                true => Ack::Spooled,
                false => Ack::Off,
            }
        });
        self.shared.queue.answer_keeps(acks);
    }

    /// An erase is as good as done once it is in the spool: nothing of the user is left there, none
    /// of it is shown, and it is carried out before the store counts as up.
    fn erase_later(&self, erasure: &Erasure) {
        let mut spool = self.shared.spool();
        let done = tokio::task::block_in_place(|| spool.erase(erasure, now_ms()));
        drop(spool);
        let answer = match done {
            Ok(Some(gone)) => {
                self.shared.forget(&erasure.user);
                Ok(Done::ErasePending(gone))
            }
            Ok(None) => Err(Error::StoreDown),
            Err(error) => {
                tracing::error!(%error, "the spool cannot be written");
                Err(Error::StoreDown)
            }
        };
        if let Some(Command::Privacy(_, reply)) = self.shared.queue.answer() {
            let _ = reply.send(answer);
        }
    }

    /// Whether what this user said may lie in the spool. The store cannot be asked: what is known
    /// here of their wishes holds, else what is taken for granted.
    fn may_wait(&self, writeback: &Writeback) -> bool {
        let here = self.shared.residents.get(&writeback.user);
        let settings = here.map_or_else(Default::default, |resident| resident.settings);
        settings.mode(self.shared.rules.consent) == MemoryMode::On
    }
}
