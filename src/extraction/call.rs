//! The calls of one flush: at most two. The second is for an answer that cannot be used, which the
//! model is shown again, or for a backend that knows no `response_format`.

use crate::{
    config::ExtractConfig,
    error::Error,
    memory::{
        Profile, UserKey, est_tokens,
        extract::{FlushTurn, Item, Reading, Spent, ask, plain_ask, read, repair},
    },
    pool::{Answer, Client, Lease, Request},
    state::State,
};
use bytes::Bytes;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Characters of the fence's tag.
const TAG: usize = 12;

/// What came of a flush's calls.
pub enum Called {
    /// What the model read, and what that cost.
    Read(Vec<Item>, Spent),
    /// Nothing that can be used, and why.
    Bad(String, Spent),
    /// Not now: what is waited for.
    Later(&'static str),
}

/// Calls the model.
pub struct Caller {
    state: Arc<State>,
    client: Client,
}

/// How one call ended.
enum One {
    Answered(Bytes),
    /// The backend will not take it so.
    Unwanted,
    Failed(&'static str),
    Later(&'static str),
}

impl Caller {
    /// On the current thread, which must be an actix runtime.
    pub fn new(state: &Arc<State>) -> Self {
        Caller {
            client: Client::new(),
            state: state.clone(),
        }
    }

    fn config(&self) -> &ExtractConfig {
        &self.state.config.memory.extract
    }

    /// A place at a backend, or what is waited for.
    pub fn place(&self) -> Result<Lease, &'static str> {
        let pool = &self.state.pool;
        let Ok(model) = pool.resolve(Some(&self.config().model)) else {
            return Err("a backend that serves memory.extract.model");
        };
        if pool.is_crowded(None) {
            return Err("users to be served");
        }
        // What a user said goes where memory may go, and nowhere else.
        pool.lease_for_memory(&model)
    }

    /// Has the turns read.
    pub async fn read(
        &self,
        mut lease: Lease,
        user: &UserKey,
        known: &Profile,
        turns: &[FlushTurn],
    ) -> Called {
        // An alias stands for one of several.
        let model = lease.model().clone();
        let tag = self.tag(user, turns);
        let (rules, most) = (self.state.store.rules(), self.config().max_tokens);
        let first = ask(&model, rules, known, turns, &tag, most);
        let mut spent = Spent::default();
        let second = match self.one(&mut lease, &model, &first).await {
            One::Later(why) => return Called::Later(why),
            One::Failed(why) => return Called::Bad(why.to_owned(), spent),
            One::Unwanted => plain_ask(&model, rules, known, turns, &tag, most),
            One::Answered(body) => match judged(&body, &first, &mut spent) {
                Ok(items) => return Called::Read(items, spent),
                Err((why, text)) => repair(first, &text, &why),
            },
        };
        match self.one(&mut lease, &model, &second).await {
            One::Later(why) => Called::Later(why),
            One::Failed(why) => Called::Bad(why.to_owned(), spent),
            One::Unwanted => Called::Bad("the backend refuses the request".into(), spent),
            One::Answered(body) => match judged(&body, &second, &mut spent) {
                Ok(items) => Called::Read(items, spent),
                Err((why, _)) => Called::Bad(why, spent),
            },
        }
    }

    async fn one(&self, lease: &mut Lease, model: &Arc<str>, request: &Value) -> One {
        let request = Request {
            model: model.clone(),
            body: request.to_string().into(),
            unedited: None,
            stream: false,
            show_usage: true,
        };
        let backend = lease.backend().clone();
        let limit = Duration::from_secs(self.config().timeout_s);
        let opened = tokio::select! {
            opened = timeout(limit, self.client.open(&backend, &request)) => opened,
            () = self.state.pool.crowded(&backend.name) => return One::Later("users to be served"),
        };
        match opened {
            Ok(Ok((Answer::Whole(body), _))) => {
                lease.good();
                One::Answered(body)
            }
            Ok(Ok((Answer::Stream(_), _))) => One::Failed("the backend streams unasked"),
            // Whoever was not even reached says nothing about the turns.
            Ok(Err(failure)) if failure.unreached => One::Later("a backend that can be reached"),
            Ok(Err(failure)) => match failure.error {
                Error::Refused {
                    status: 400 | 404 | 415 | 422 | 501,
                    ..
                } => One::Unwanted,
                Error::Refused {
                    status: 408 | 425 | 429,
                    ..
                } => One::Later("a backend with time"),
                Error::Refused { .. } => One::Failed("the backend refuses the request"),
                Error::Timeout(_) => One::Failed("the model took too long"),
                _ => One::Failed("the backend failed"),
            },
            Err(_) => One::Failed("the model took too long"),
        }
    }

    /// Nobody who speaks can know it, and it differs from flush to flush.
    fn tag(&self, user: &UserKey, turns: &[FlushTurn]) -> String {
        let whose = [&*user.tenant, &*user.app, &*user.user];
        let ids = turns.iter().map(|turn| &*turn.id);
        let parts = whose.into_iter().chain(ids).map(str::as_bytes);
        let mut tag = self.state.secret.hash("extraction", parts);
        tag.truncate(TAG);
        tag
    }
}

/// What an answer says, or why it cannot be used and its text.
fn judged(body: &[u8], request: &Value, spent: &mut Spent) -> Result<Vec<Item>, (String, String)> {
    let Reading { items, text, cost } = read(body);
    // A backend that does not count is counted for.
    let (prompt, completion) = cost.unwrap_or_else(|| {
        let asked = est_tokens(&request["messages"].to_string());
        (asked as u64, est_tokens(&text) as u64)
    });
    *spent += Spent {
        calls: 1,
        prompt,
        completion,
    };
    items.map_err(|bad| (bad.to_string(), text))
}
