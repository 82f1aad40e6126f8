//! Memory at another server, over MCP (`memory.mcp`): it holds the profiles, and this one reads
//! them with its `memory_get` and tells it with `memory_upsert` what turns taught. Any server with
//! two such tools will do; another sundynix is one. What is kept here are the turns, and what the
//! other has not taken yet.
//!
//! The connection lives on a thread of its own, for it is shared by the workers.

mod answer;
mod deliver;
mod http;
mod link;
mod search;
mod way;

use crate::{
    config::{Config, RemoteMemory},
    error::Error,
    memory::{Fact, Profile, Ranked, Rules, Undelivered, UserKey},
    runtime::Own,
    store::{SaidIn, Upserted},
};
pub use deliver::deliver;
use link::Link;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::sync::RwLock;
pub use way::{PASSED_ON, Way};

/// A sundynix takes so many values in one call.
const MOST_VALUES: usize = 200;

/// topic → key → value, as the tools take it; `null` removes.
pub type Preferences = Map<String, Value>;

/// Why a call gave no answer. None of them says what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It cannot be reached, or cannot do it now.
    #[error("the remote memory cannot be reached")]
    Unreachable,
    /// It took too long.
    #[error("the remote memory took too long")]
    Slow,
    /// It was reached, and refuses.
    #[error("the remote memory refuses")]
    Refused,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unreachable => Error::RemoteDown,
            Failure::Slow => Error::Timeout("the remote memory (memory.mcp)"),
            Failure::Refused => {
                Error::RemoteRefused("its tool failed or did not take what it was given")
            }
        }
    }
}

/// See the file's head.
pub struct Remote {
    /// What this server is called on the way of a request.
    name: Arc<str>,
    inner: Arc<Inner>,
    runtime: Own,
}

/// What the connection's own tasks need.
pub struct Inner {
    config: RemoteMemory,
    link: Link,
    /// What it has not taken yet.
    pub undelivered: Arc<Undelivered>,
    rules: Rules,
    /// Deliveries hold it to read, an erase to write: nothing said before an erase may arrive
    /// after it.
    gate: RwLock<()>,
}

impl Remote {
    /// Starts connecting, where a remote memory is configured.
    pub fn open(
        config: &Config,
        undelivered: Option<Arc<Undelivered>>,
    ) -> Result<Option<Remote>, String> {
        let Some(undelivered) = undelivered else {
            return Ok(None);
        };
        let runtime = Own::new("remote", 1).map_err(|e| format!("cannot start a thread: {e}"))?;
        let remote = &config.memory.mcp;
        let name: Arc<str> = uuid::Uuid::new_v4().simple().to_string().into();
        let link = Link::start(&runtime, remote, &name);
        let link = link.map_err(|e| format!("memory.mcp.url: {e}"))?;
        let inner = Arc::new(Inner {
            config: remote.clone(),
            link,
            undelivered,
            rules: Rules::new(&config.memory),
            gate: RwLock::default(),
        });
        Ok(Some(Remote {
            name,
            inner,
            runtime,
        }))
    }

    /// Refuses what this server has asked itself, by way of the one that it asks.
    pub fn check(&self, way: &Way) -> Result<(), Error> {
        match way.is_circle(&self.name) {
            true => Err(Error::RemoteRefused(
                "it asks this server in its turn; one of them has to keep the profiles",
            )),
            false => Ok(()),
        }
    }

    /// Whether it was reached last.
    pub fn is_up(&self) -> bool {
        self.inner.link.server().is_some()
    }

    /// Turns that it has not taken yet.
    pub fn waiting(&self) -> usize {
        self.inner.undelivered.count()
    }

    /// Tells it what was said, from now on.
    pub fn start_delivery(&self, memory: crate::actors::memory::MemoryPort) {
        self.runtime.spawn(deliver(self.inner.clone(), memory));
    }

    /// The user's profile there, with what it has not taken yet.
    pub async fn profile(&self, user: &UserKey, limit: Duration) -> Result<Profile, Failure> {
        let (inner, user) = (self.inner.clone(), user.clone());
        let asking = async move {
            let profile = inner.profile(&user, limit).await?;
            Ok(inner.undelivered.over(&user, profile, &inner.rules))
        };
        self.run(asking).await
    }

    /// What it finds that was said, best first; nothing where it has no tool for that, fails or is
    /// late: its search only adds to what is recalled.
    pub async fn search(&self, user: &UserKey, query: Arc<str>, limit: Duration) -> Vec<Ranked> {
        let (inner, user) = (self.inner.clone(), user.clone());
        let searching = async move { inner.search(&user, &query, limit).await };
        self.run(searching).await.unwrap_or_default()
    }

    /// The user's own upsert, or what a turn kept elsewhere taught: (topic, key) → value; `None`
    /// removes. Answers with the profile there, and what of it is held back there.
    pub async fn put(
        &self,
        user: &UserKey,
        slots: &BTreeMap<(String, String), Option<String>>,
        said: Option<SaidIn>,
    ) -> Result<Upserted, Failure> {
        let mut put = Preferences::new();
        for ((topic, key), value) in slots {
            let value = value.clone().map_or(Value::Null, Value::String);
            set(&mut put, topic, key, value);
        }
        let (inner, user) = (self.inner.clone(), user.clone());
        self.run(async move {
            let turn = said.as_ref().map(|said| (&*said.turn, said.at_ms));
            let answer = inner.upsert(&user, put, turn).await?;
            Ok(Upserted {
                profile: answer::profile(&answer),
                quarantined: answer::held(&answer),
            })
        })
        .await
    }

    /// Tells it what a model read in a user's turns, if `still` holds once no erase is under way.
    pub async fn learn(
        &self,
        user: &UserKey,
        facts: Vec<Fact>,
        still: impl Future<Output = bool> + Send + 'static,
    ) -> Result<(), Failure> {
        let (inner, user) = (self.inner.clone(), user.clone());
        self.run(async move {
            let _open = inner.gate.read().await;
            match still.await {
                true => inner.learn(&user, facts).await,
                false => Ok(()),
            }
        })
        .await
    }

    /// Erases the user here by `local`, and then takes every value out of the profile there;
    /// answers how many those were. Where the second fails all of it can be repeated.
    pub async fn erase<T: Send + 'static>(
        &self,
        user: &UserKey,
        local: impl Future<Output = T> + Send + 'static,
    ) -> Result<(T, u64), Failure> {
        let (inner, user) = (self.inner.clone(), user.clone());
        self.run(async move {
            let _alone = inner.gate.write().await;
            let local = local.await;
            Ok((local, inner.empty(&user).await?))
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        match self.runtime.spawn(Way::here().serving(work)) {
            Some(task) => task.await.unwrap_or(Err(Failure::Unreachable)),
            None => Err(Failure::Unreachable),
        }
    }
}

impl Inner {
    fn limit(&self) -> Duration {
        Duration::from_millis(self.config.timeout_ms)
    }

    /// The profile as it is there.
    async fn profile(&self, user: &UserKey, limit: Duration) -> Result<Profile, Failure> {
        let answer = self
            .link
            .call(&self.config.get_tool, user, Map::new(), limit);
        Ok(answer::profile(&answer.await?))
    }

    /// `turn`: its id, and when it was said. What it answers.
    async fn upsert(
        &self,
        user: &UserKey,
        preferences: Preferences,
        turn: Option<(&str, i64)>,
    ) -> Result<Value, Failure> {
        let mut arguments = Map::new();
        arguments.insert("preferences".into(), preferences.into());
        if let Some((turn, at_ms)) = turn {
            arguments.insert("turn_id".into(), turn.into());
            let server = self.link.server().ok_or(Failure::Unreachable)?;
            if let Some(at) = rfc3339(at_ms).filter(|_| server.tools.takes_said_at) {
                arguments.insert("said_at".into(), at.into());
            }
        }
        let tool = &self.config.upsert_tool;
        self.link.call(tool, user, arguments, self.limit()).await
    }

    /// Removes every value; answers how many there were.
    async fn empty(&self, user: &UserKey) -> Result<u64, Failure> {
        let (mut removed, mut asked) = (0, None);
        loop {
            let slots = self.profile(user, self.limit()).await?.slots;
            let left: Vec<_> = slots.into_keys().collect();
            if left.is_empty() {
                return Ok(removed);
            }
            // It says yes, and keeps them.
            if asked.as_ref() == Some(&left) {
                return Err(Failure::Refused);
            }
            for some in left.chunks(MOST_VALUES) {
                let mut nothing = Preferences::new();
                for (topic, key) in some {
                    set(&mut nothing, topic, key, Value::Null);
                }
                self.upsert(user, nothing, None).await?;
            }
            removed += left.len() as u64;
            asked = Some(left);
        }
    }
}

/// Sets topic → key → value.
fn set(preferences: &mut Preferences, topic: &str, key: &str, value: Value) {
    let topic = preferences.entry(topic).or_insert_with(|| json!({}));
    if let Some(keys) = topic.as_object_mut() {
        keys.insert(key.into(), value);
    }
}

fn rfc3339(unix_ms: i64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    at.ok()?.format(&Rfc3339).ok()
}
