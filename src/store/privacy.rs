//! What the committer does for a user's privacy: erase all, delete one turn, keep their wishes.

use super::{
    Command, Erased, TurnDeleted, attempt::Failure, audit::enter, committer::Committer,
    delete_turn::delete_turn, erase::erase, wish::set,
};
use crate::{
    error::Error,
    memory::{MemoryMode, Settings, TurnId, UserKey},
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};
use tokio::{sync::oneshot, time::Instant};

/// What is asked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Erase all of a user.
    Erase(Arc<Erasure>),
    /// Delete a turn, and what only it supported.
    DeleteTurn(UserKey, TurnId),
    /// What memory may do for a user from now on.
    Mode(UserKey, MemoryMode),
    /// Somebody reads or erases for somebody else.
    Note(Arc<Deed>),
}

/// What was done.
#[derive(Clone, Debug)]
pub enum Done {
    /// With a receipt.
    Erased(Erased),
    /// It lies in the spool, for the store is down; so many write-backs are gone from there.
    ErasePending(u64),
    /// With a receipt.
    TurnDeleted(TurnDeleted),
    /// It is kept.
    Kept,
}

/// The way an answer goes.
pub type Reply = oneshot::Sender<Result<Done, Error>>;

/// The end of all that is known of a user.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// Whose.
    pub user: UserKey,
    /// Only if their profile is at this version; then it does not wait for a store that is down.
    pub on_version: Option<u64>,
    /// When it was asked for, Unix milliseconds, if it has waited since: what began later is kept.
    pub asked_ms: Option<i64>,
    /// The note that goes with it.
    pub deed: Option<Arc<Deed>>,
}

/// Something that somebody does for somebody else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deed {
    /// Who, as they name themselves.
    pub actor: String,
    /// In which request.
    pub request_id: String,
    /// What.
    pub action: Cow<'static, str>,
    /// Whose memory it is, as a keyed hash.
    pub subject: String,
}

impl Committer {
    /// Does it, and answers.
    pub(super) async fn privacy(&mut self, ask: &Ask, until: Instant) -> Result<(), Failure> {
        let answer = match ask {
            Ask::Erase(erasure) => self.erase(erasure, until).await,
            Ask::DeleteTurn(user, turn) => self.delete_turn(user, turn, until).await,
            Ask::Mode(user, mode) => self.set_mode(user, *mode, until).await,
            Ask::Note(deed) => self.note(deed, until).await,
        };
        let answer = match answer {
            Err(Failure::Down) => return Err(Failure::Down),
            Err(Failure::Refused) => Err(Error::StoreDown),
            Ok(answer) => answer,
        };
        if let Some(Command::Privacy(_, reply)) = self.shared.queue.answer() {
            let _ = reply.send(answer);
        }
        Ok(())
    }

    async fn erase(
        &mut self,
        erasure: &Arc<Erasure>,
        until: Instant,
    ) -> Result<Result<Done, Error>, Failure> {
        Ok(match self.erase_all(erasure, until).await? {
            Err(error) => Err(error),
            Ok(mut erased) => {
                erased.remains = self.scrub(false).await;
                Ok(Done::Erased(erased))
            }
        })
    }

    /// Erases, here as well; the file may still hold it.
    pub(super) async fn erase_all(
        &self,
        erasure: &Arc<Erasure>,
        until: Instant,
    ) -> Result<Result<Erased, Error>, Failure> {
        let (of, shared) = (erasure.clone(), self.shared.clone());
        let done = self.attempt(until, move |db| {
            let (of, shared) = (of.clone(), shared.clone());
            let settles = shared.undelivered.is_none();
            async move { erase(&db, &of, settles, &shared.rules).await }
        });
        let done = done.await;
        self.shared.residents.remove(&erasure.user);
        if matches!(done, Ok(Ok(_))) {
            self.shared.forget(&erasure.user);
        }
        done
    }

    async fn delete_turn(
        &mut self,
        user: &UserKey,
        turn: &TurnId,
        until: Instant,
    ) -> Result<Result<Done, Error>, Failure> {
        let (of, id, shared) = (user.clone(), turn.clone(), self.shared.clone());
        let done = self.attempt(until, move |db| {
            let (of, turn, shared) = (of.clone(), id.clone(), shared.clone());
            let settles = shared.undelivered.is_none();
            async move { delete_turn(&db, &of, &turn, settles, &shared.rules).await }
        });
        let done = done.await;
        self.shared.residents.remove(user);
        if let (Ok(Some(_)), Some(undelivered)) = (&done, &self.shared.undelivered) {
            undelivered.done(user, std::slice::from_ref(turn));
        }
        let mut deleted = match done? {
            Some(deleted) => deleted,
            None => return Ok(Err(Error::NotFound("turn"))),
        };
        deleted.remains = self.scrub(false).await;
        Ok(Ok(Done::TurnDeleted(deleted)))
    }

    async fn set_mode(
        &self,
        user: &UserKey,
        mode: MemoryMode,
        until: Instant,
    ) -> Result<Result<Done, Error>, Failure> {
        let settings = Settings { mode: Some(mode) };
        let (of, shared) = (user.clone(), self.shared.clone());
        let done = self.attempt(until, move |db| {
            let (of, shared) = (of.clone(), shared.clone());
            async move { set(&db, &of, settings, &shared.rules).await }
        });
        let (mark, profile) = done.await?;
        if profile.is_some() {
            self.shared.gathering.forget(user);
            if let Some(undelivered) = &self.shared.undelivered {
                undelivered.forget(user);
            }
        }
        self.shared.residents.update(user, mark, |resident| {
            resident.settings = settings;
            if let Some(profile) = profile {
                resident.profile = profile;
            }
        });
        Ok(Ok(Done::Kept))
    }

    async fn note(&self, deed: &Arc<Deed>, until: Instant) -> Result<Result<Done, Error>, Failure> {
        let deed = deed.clone();
        let done = self.attempt(until, move |db| {
            let deed = deed.clone();
            async move { enter(&db.writer, &deed).await }
        });
        done.await?;
        Ok(Ok(Done::Kept))
    }
}
