//! What texts mean, asked of a backend's embedding model. Two kinds of work, one loop each, beside
//! the workers: the texts that were kept, behind everybody and in batches, and the questions that
//! are being asked now, whose callers wait for a moment and else go on by words alone. What lacks a
//! vector is found in the store: nothing is lost by a crash, a failure or a change of the model.

mod ask;
mod standing;
mod texts;

pub use standing::{EmbeddingHealth, Standing};

use crate::{
    actors::memory::MemoryPort,
    config::EmbeddingsConfig,
    memory::{Meant, MemoryMode, Resident, UserKey, Vector, beginning, est_tokens, is_wide},
    state::State,
};
use ask::Asker;
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

/// Questions that wait to be asked; one more goes by its words.
const WAITING: usize = 256;
/// After a crash.
const PAUSE: Duration = Duration::from_secs(1);

/// A question, and the way its vector goes.
type Question = (String, oneshot::Sender<Vector>);

/// See the file's head.
pub struct Embedding {
    config: EmbeddingsConfig,
    questions: mpsc::Sender<Question>,
    asked: Mutex<Option<mpsc::Receiver<Question>>>,
    /// How it goes.
    pub standing: Standing,
}

impl Embedding {
    /// As configured; `None`: there is no model.
    pub fn new(config: &EmbeddingsConfig) -> Option<Self> {
        let (questions, asked) = mpsc::channel(WAITING);
        (!config.model.is_empty()).then(|| Embedding {
            config: config.clone(),
            questions,
            asked: Mutex::new(Some(asked)),
            standing: Standing::default(),
        })
    }

    /// What a question means, within so much time and no more than is configured.
    async fn meant(&self, text: &str, within: Duration) -> Option<Meant> {
        if !text.chars().any(char::is_alphanumeric) || self.standing.rests() {
            return None;
        }
        let (reply, answer) = oneshot::channel();
        let question = beginning(text, self.config.max_tokens).to_owned();
        let most = Duration::from_millis(self.config.query_timeout_ms).min(within);
        let sent = self.questions.try_send((question, reply)).is_ok();
        let answered = match sent {
            true => timeout(most, answer).await.ok().and_then(Result::ok),
            false => None,
        };
        self.standing.asked(answered.is_some());
        let weight = match text.chars().any(is_wide) {
            true => self.config.weight_cjk,
            false => self.config.weight,
        };
        answered.map(|vector| Meant {
            vector,
            weight: weight as f32,
        })
    }
}

/// What a user's question means, within so much time. `None`: there is no model, or nothing to
/// compare with, or nobody says in time; then the question goes by its words.
pub async fn meant(
    state: &State,
    user: &UserKey,
    resident: &Resident,
    question: &str,
    within: Duration,
) -> Option<Meant> {
    let embedding = state.embedding.as_ref()?;
    let mode = resident.settings.mode(state.config.memory.consent);
    if mode == MemoryMode::Off || !resident.memories.have_vectors() {
        return None;
    }
    let meant = embedding.meant(question, within).await?;
    let tokens = est_tokens(question).min(embedding.config.max_tokens);
    state.store.asked(user, tokens);
    Some(meant)
}

/// Runs until it is dropped. Must be on an actix runtime: it has connections of its own.
pub async fn run(state: Arc<State>, memory: MemoryPort) {
    let Some(embedding) = &state.embedding else {
        return;
    };
    let asked = embedding
        .asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let asker = Asker::new(&state);
    tokio::join!(
        questions(&asker, asked),
        texts_for_ever(&state, &memory, &asker)
    );
}

/// Each question in a task of its own, which ends when nobody waits for it any more.
async fn questions(asker: &Asker, asked: Option<mpsc::Receiver<Question>>) {
    let Some(mut asked) = asked else { return };
    while let Some((text, mut reply)) = asked.recv().await {
        let asker = asker.clone();
        actix_web::rt::spawn(async move {
            tokio::select! {
                vector = asker.question(&text) => {
                    // Without one the channel closes: that is the answer.
                    if let Some(vector) = vector {
                        let _ = reply.send(vector);
                    }
                }
                () = reply.closed() => {}
            }
        });
    }
}

async fn texts_for_ever(state: &Arc<State>, memory: &MemoryPort, asker: &Asker) {
    let (Some(embedding), Some(unembedded)) = (&state.embedding, state.store.unembedded()) else {
        return;
    };
    loop {
        let worker = texts::Worker {
            state,
            memory,
            asker,
            unembedded,
            config: &embedding.config,
            standing: &embedding.standing,
        };
        if AssertUnwindSafe(worker.work())
            .catch_unwind()
            .await
            .is_err()
        {
            tracing::error!("the embedding of memories crashed; it looks for what is lacking anew");
            embedding.standing.crashed();
            sleep(PAUSE).await;
        }
    }
}
