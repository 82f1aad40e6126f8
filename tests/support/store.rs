//! A store opened on a directory of its own, and what is said to it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};
use sundynix::{
    config::Config,
    error::Error,
    memory::{Ack, Profile, Resident, Residents, TurnStatus, UserKey, Writeback},
    store::{Ask, Command, Done, Erased, Erasure, Store, Upsert},
};
use tokio::sync::oneshot;

/// Tries, and 20 ms each: far more than needed.
const PATIENCE: usize = 1_500;

/// One database and one data directory.
pub struct Place {
    pub config: Config,
    _dir: tempfile::TempDir,
}

impl Place {
    pub fn new(url: String) -> Place {
        let dir = tempfile::tempdir().expect("temp dir");
        let mut config = Config::default();
        // Tests tell times of their own; what is too old would be swept away.
        config.memory.keep_turns = 0;
        config.server.data = dir.path().join("data");
        config.store.url = url;
        // Where it matters a test says so: a busy machine is no outage.
        config.store.ack_timeout_ms = 20_000;
        Place { config, _dir: dir }
    }

    pub fn open(&self) -> Open {
        self.open_with(1 << 20)
    }

    pub fn open_with(&self, cache: u64) -> Open {
        let residents = Arc::new(Residents::new(cache));
        let store = Store::open(&self.config, residents.clone()).expect("the store opens");
        Open { store, residents }
    }

    /// Whether any file of the store has this in it.
    pub fn files_hold(&self, text: &str) -> bool {
        let files = std::fs::read_dir(&self.config.server.data).expect("a directory");
        let mut files = files.filter_map(|file| std::fs::read(file.ok()?.path()).ok());
        files.any(|bytes| {
            let mut parts = bytes.windows(text.len());
            parts.any(|part| part == text.as_bytes())
        })
    }
}

pub struct Open {
    pub store: Store,
    pub residents: Arc<Residents>,
}

impl Open {
    pub fn send(&self, writeback: Writeback) -> oneshot::Receiver<Ack> {
        let (reply, ack) = oneshot::channel();
        self.store
            .enqueue(Command::Keep(Arc::new(writeback), reply));
        ack
    }

    pub async fn keep(&self, writeback: Writeback) -> Ack {
        self.send(writeback).await.expect("an answer")
    }

    pub async fn put(&self, user: &str, key: &str, value: Option<&str>) -> Profile {
        for _ in 0..PATIENCE {
            match self.put_on(user, key, value, None).await {
                Err(Error::StoreDown) => self.store_is_up().await,
                stored => return stored.expect("stored"),
            }
        }
        panic!("the store stays down");
    }

    pub async fn put_on(
        &self,
        user: &str,
        key: &str,
        value: Option<&str>,
        on_version: Option<u64>,
    ) -> Result<Profile, Error> {
        let (reply, answer) = oneshot::channel();
        let at = ("identity".to_owned(), key.to_owned());
        let upsert = Upsert {
            user: UserKey::local(user),
            slots: BTreeMap::from([(at, value.map(str::to_owned))]),
            on_version,
            said: None,
        };
        self.store.enqueue(Command::Upsert(upsert, reply));
        let done = answer.await.expect("an answer");
        done.map(|done| done.profile)
    }

    pub async fn erase(&self, user: &str) -> Erased {
        for _ in 0..PATIENCE {
            let (reply, answer) = oneshot::channel();
            self.store.enqueue(Command::Privacy(erasing(user), reply));
            match answer.await.expect("an answer") {
                Err(Error::StoreDown) => self.store_is_up().await,
                Ok(Done::Erased(erased)) => return erased,
                odd => panic!("not erased: {odd:?}"),
            }
        }
        panic!("the store stays down");
    }

    pub async fn resident(&self, user: &str) -> Arc<Resident> {
        for _ in 0..PATIENCE {
            match self.store.resident(&UserKey::local(user)).await {
                Ok(resident) => return resident,
                Err(_) => self.store_is_up().await,
            }
        }
        panic!("the store stays down");
    }

    /// On a busy machine a store may be too slow to count as up all the time.
    pub async fn store_is_up(&self) {
        for _ in 0..PATIENCE {
            if !self.store.is_down() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the store stays down");
    }

    /// As a fresh process would read it.
    pub async fn cold(&self, user: &str) -> Arc<Resident> {
        self.residents.clear();
        self.resident(user).await
    }

    /// What the next recall would see.
    pub async fn turns(&self, user: &str) -> Vec<(String, String)> {
        let turns = &self.resident(user).await.turns;
        turns
            .iter()
            .map(|t| (t.id.to_string(), t.answer.to_string()))
            .collect()
    }
}

pub fn erasing(user: &str) -> Ask {
    Ask::Erase(Arc::new(Erasure {
        user: UserKey::local(user),
        on_version: None,
        asked_ms: None,
        deed: None,
    }))
}

impl Drop for Open {
    fn drop(&mut self) {
        self.store.close();
    }
}

pub const HOUR: i64 = 3_600_000;

/// A turn of today.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_millis() as i64
}

/// A name that looks like one, another for each number.
pub fn name(n: usize) -> String {
    let letter = |digit: u8| char::from(digit - b'0' + b'a');
    let letters: String = n.to_string().bytes().map(letter).collect();
    format!("Xen{letters}")
}

pub fn turn(user: &str, id: &str, query: &str, answer: &str, began_ms: i64) -> Writeback {
    Writeback {
        user: UserKey::local(user),
        turn: id.into(),
        conversation: "c".into(),
        query: query.into(),
        answer: answer.into(),
        status: TurnStatus::Complete,
        began_ms,
    }
}

pub fn partial(writeback: Writeback) -> Writeback {
    let status = TurnStatus::Partial;
    Writeback {
        status,
        ..writeback
    }
}

pub fn recorded(id: &str) -> Ack {
    Ack::Recorded(id.into())
}

pub fn value(resident: &Arc<Resident>, key: &str) -> Option<String> {
    let mut slots = resident.profile.slots.iter();
    slots
        .find(|((_, k), _)| k == key)
        .and_then(|(_, slot)| slot.value.clone())
}
