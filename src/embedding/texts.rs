//! The texts that lack a vector: found user by user, asked about in batches, written by the memory
//! actor's queue. A batch that fails is halved while the model takes a plain word; so one text that
//! it cannot take does not hold up the others, and is put aside in the end.

use super::{
    Standing,
    ask::{Asker, Trouble},
};
use crate::{
    actors::memory::MemoryPort,
    config::EmbeddingsConfig,
    memory::{TurnId, Unembedded, UserKey, Vector, beginning},
    state::State,
    store::{
        Command,
        embedding::{self as stored, Embedded, Text},
    },
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::sleep;

/// Before another look at a backend that is busy or away: doubles up to sixteen times that.
const LOOK: Duration = Duration::from_millis(250);
/// After the first failure, and after one of the store: doubles up to `LONGEST`.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// Users looked at in one step of a pass over all.
const PAGE: usize = 64;
/// Between two passes, which find what others left behind.
const EVERY_MS: i64 = 3_600_000;
/// What any embedding model takes.
const PLAIN: &str = "hello";
/// A text that fails alone so often, while a plain word is taken, is put aside.
const STRIKES: u8 = 3;
/// So many texts may be on their way to that.
const STRUCK: usize = 1_000;

/// See the file's head.
pub struct Worker<'a> {
    pub state: &'a Arc<State>,
    pub memory: &'a MemoryPort,
    pub asker: &'a Asker,
    pub unembedded: &'a Unembedded,
    pub config: &'a EmbeddingsConfig,
    pub standing: &'a Standing,
}

/// Why it goes no further for now.
enum Stop {
    /// Somebody else comes first, or nobody is there to ask.
    Later,
    /// It failed.
    Failed,
}

/// A pass over all users.
struct Pass {
    /// The last one that was looked at.
    after: Option<UserKey>,
    /// When the next step is due, by the clock.
    at_ms: i64,
    /// What was known of the dimensions when it began: vectors of others are found lacking.
    dims: usize,
}

/// How often a text has failed alone.
type Strikes = HashMap<(UserKey, TurnId, bool), u8>;

impl Worker<'_> {
    /// Never ends.
    pub async fn work(&self) {
        let clock = &self.state.store.rules().clock;
        let mut pass = Pass {
            after: None,
            at_ms: 0,
            dims: self.unembedded.dims(),
        };
        let (mut strikes, mut looks, mut failures) = (Strikes::new(), 0, 0);
        loop {
            if self.unembedded.dims() != pass.dims {
                pass = Pass {
                    after: None,
                    at_ms: 0,
                    dims: self.unembedded.dims(),
                };
            }
            if self.unembedded.is_empty() {
                if pass.at_ms <= clock.now_ms() && self.step(&mut pass).await.is_err() {
                    sleep(PAUSE).await;
                    continue;
                }
                if self.unembedded.is_empty() && pass.at_ms > clock.now_ms() {
                    tokio::select! {
                        () = self.unembedded.joined.notified() => {}
                        () = clock.sleep_until(pass.at_ms) => {}
                    }
                }
            }
            match self.round(&mut strikes).await {
                Ok(()) => (looks, failures) = (0, 0),
                Err(Stop::Later) => {
                    sleep(LOOK * 2_u32.pow(looks)).await;
                    looks = (looks + 1).min(4);
                }
                Err(Stop::Failed) => {
                    let pause = (PAUSE * 2_u32.pow(failures)).min(LONGEST);
                    failures = (failures + 1).min(16);
                    clock
                        .sleep_until(clock.now_ms() + pause.as_millis() as i64)
                        .await;
                }
            }
        }
    }

    /// The next users of a pass stand in line.
    async fn step(&self, pass: &mut Pass) -> Result<(), ()> {
        let (store, after) = (&self.state.store, pass.after.clone());
        let reading =
            store.reading(move |db| async move { stored::users(&db, after.as_ref(), PAGE).await });
        let users = reading.await.map_err(drop)?;
        users.iter().for_each(|user| self.unembedded.note(user));
        if users.len() < PAGE {
            pass.at_ms = store.rules().clock.now_ms() + EVERY_MS;
        }
        pass.after = users.into_iter().next_back().filter(|_| pass.at_ms == 0);
        Ok(())
    }

    /// A batch, if anything is lacking. Whoever was not done with joins the line again.
    async fn round(&self, strikes: &mut Strikes) -> Result<(), Stop> {
        let (mut texts, mut users) = (Vec::new(), Vec::new());
        while texts.len() < self.config.batch
            && let Some(user) = self.unembedded.take()
        {
            let more = self.lacking(&user, self.config.batch - texts.len()).await;
            match more {
                Ok(more) if more.is_empty() => {}
                Ok(more) => {
                    texts.extend(more);
                    users.push(user);
                }
                Err(stop) => {
                    self.unembedded.note(&user);
                    users.iter().for_each(|user| self.unembedded.note(user));
                    return Err(stop);
                }
            }
        }
        if texts.is_empty() {
            return Ok(());
        }
        let done = self.embed(texts, strikes).await;
        self.standing.ends();
        // Also after a success: there may be more of them.
        users.iter().for_each(|user| self.unembedded.note(user));
        done
    }

    async fn lacking(&self, user: &UserKey, most: usize) -> Result<Vec<Text>, Stop> {
        let (store, of) = (&self.state.store, user.clone());
        let (model, dims) = (self.unembedded.model.clone(), self.unembedded.dims());
        let consent = store.rules().consent;
        let reading = store.reading(move |db| async move {
            stored::lacking(&db, &of, &model, dims, most, consent).await
        });
        reading.await.map_err(|error| {
            tracing::warn!(%error, "it cannot be read which texts lack a vector");
            self.standing
                .failed("the store does not tell which texts lack a vector");
            Stop::Failed
        })
    }

    /// Asks about the texts, in smaller parts where that fails because of one of them.
    async fn embed(&self, texts: Vec<Text>, strikes: &mut Strikes) -> Result<(), Stop> {
        let (mut parts, mut done) = (VecDeque::from([texts]), Ok(()));
        while let Some(mut part) = parts.pop_front() {
            self.standing.begins();
            let shown = part
                .iter()
                .map(|one| beginning(&one.text, self.config.max_tokens));
            let refused = match self.asker.texts(&shown.collect::<Vec<_>>()).await {
                Ok(vectors) => {
                    let vectors = vectors.into_iter().map(Some);
                    let texts = part.into_iter().zip(vectors).collect();
                    self.standing.embedded(self.write(texts).await?);
                    continue;
                }
                Err(Trouble::Later(why)) => return self.later(why),
                Err(Trouble::Refused) => {
                    self.standing.failed("the backend refuses the request");
                    true
                }
                Err(Trouble::Failed(why)) => {
                    self.standing.failed(why);
                    false
                }
            };
            match self.asker.texts(&[PLAIN]).await {
                Ok(_) => {}
                Err(Trouble::Later(why)) => return self.later(why),
                Err(_) => return Err(Stop::Failed),
            }
            if part.len() > 1 {
                parts.push_front(part.split_off(part.len() / 2));
                parts.push_front(part);
            } else if let Some(text) = part.pop() {
                if refused || struck(strikes, &text) {
                    tracing::warn!("the embedding model does not take a text; it is put aside");
                    let texts = vec![(text, None)];
                    self.standing.refused(self.write(texts).await?);
                } else {
                    done = Err(Stop::Failed);
                }
            }
        }
        done
    }

    fn later(&self, why: &'static str) -> Result<(), Stop> {
        self.standing.waits(why);
        Err(Stop::Later)
    }

    /// How many of them are still there.
    async fn write(&self, texts: Vec<(Text, Option<Vector>)>) -> Result<usize, Stop> {
        let model = self.unembedded.model.clone();
        let embedded = Arc::new(Embedded { model, texts });
        let command = |reply| Command::Embed(embedded.clone(), reply);
        match self.memory.ask(command).await {
            Some(Ok(kept)) => Ok(kept),
            _ => Err(Stop::Failed),
        }
    }
}

/// Whether it has failed often enough.
fn struck(strikes: &mut Strikes, text: &Text) -> bool {
    if strikes.len() >= STRUCK {
        strikes.clear();
    }
    let at = (text.user.clone(), text.turn.clone(), text.answer);
    let count = strikes.entry(at).or_default();
    *count += 1;
    *count >= STRIKES
}
