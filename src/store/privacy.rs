//! What the committer does for a user's privacy: erase all, delete one turn, keep their wishes.

use super::{
    Command, Erased, TurnDeleted, attempt::Failure, committer::Committer, delete_turn::delete_turn,
    entity::audit, erase::erase, now_ms, wish::set,
};
use crate::{
    error::Error,
    memory::{MemoryMode, Settings, TurnId, UserKey},
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    EntityTrait,
};
use std::sync::Arc;
use tokio::{sync::oneshot, time::Instant};

/// What is asked.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Erase all of a user, if their profile is at this version.
    Erase(UserKey, Option<u64>),
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
    /// With a receipt.
    TurnDeleted(TurnDeleted),
    /// It is kept.
    Kept,
}

/// The way an answer goes.
pub type Reply = oneshot::Sender<Result<Done, Error>>;

/// Something that somebody does for somebody else.
#[derive(Clone, Debug)]
pub struct Deed {
    /// Who, as they name themselves.
    pub actor: String,
    /// In which request.
    pub request_id: String,
    /// What.
    pub action: &'static str,
    /// Whose memory it is, as a keyed hash.
    pub subject: String,
}

impl Committer {
    /// Does it, and answers.
    pub(super) async fn privacy(&mut self, ask: &Ask, until: Instant) -> Result<(), Failure> {
        let answer = match ask {
            Ask::Erase(user, on_version) => self.erase(user, *on_version, until).await,
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
        user: &UserKey,
        on_version: Option<u64>,
        until: Instant,
    ) -> Result<Result<Done, Error>, Failure> {
        let (of, shared) = (user.clone(), self.shared.clone());
        let done = self.attempt(until, move |db| {
            let (of, shared) = (of.clone(), shared.clone());
            let settles = shared.undelivered.is_none();
            async move { erase(&db, &of, on_version, settles, &shared.rules).await }
        });
        let done = done.await;
        self.shared.residents.remove(user);
        if let (Ok(Ok(_)), Some(undelivered)) = (&done, &self.shared.undelivered) {
            undelivered.forget(user);
        }
        if matches!(done, Ok(Ok(_))) {
            self.shared.gathering.forget(user);
            self.shared.tally.forget(user);
        }
        let mut erased = match done? {
            Ok(erased) => erased,
            Err(error) => return Ok(Err(error)),
        };
        erased.remains = self.scrub(false).await;
        Ok(Ok(Done::Erased(erased)))
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
            async move {
                let row = audit::ActiveModel {
                    seq: NotSet,
                    at: Set(now_ms()),
                    tenant: Set("default".into()),
                    actor: Set(deed.actor.clone()),
                    request_id: Set(deed.request_id.clone()),
                    action: Set(deed.action.into()),
                    subject: Set(deed.subject.clone()),
                };
                let insert = audit::Entity::insert(row);
                insert.exec_without_returning(&db.writer).await.map(drop)
            }
        });
        done.await?;
        Ok(Ok(Done::Kept))
    }
}
