//! The detached tasks of one server, seen by all its workers: those that run, and for a while
//! those that have ended, bounded in time and bytes.

use super::log::Task;
use crate::{config::Limits, error::Error};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// So many tasks that are no longer kept are remembered by id and owner, to tell 410 from 404.
const REMEMBERED: usize = 10_000;

/// Whose key it is, and which.
type Key = (Option<String>, String);

/// All detached tasks.
#[derive(Default)]
pub struct TaskTable {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    tasks: HashMap<Arc<str>, Arc<Task>>,
    /// `Idempotency-Key` → its task, and a hash of the body it came with.
    keys: HashMap<Key, (Arc<str>, blake3::Hash)>,
    key_of: HashMap<Arc<str>, Key>,
    /// In the order they ended.
    ended: VecDeque<(Instant, Arc<str>, usize)>,
    ended_bytes: usize,
    /// Tasks that are no longer kept, and whose they were.
    gone: HashMap<Arc<str>, Option<String>>,
    gone_order: VecDeque<Arc<str>>,
}

/// What a new request comes to.
pub enum Begun {
    /// It is new: run it.
    New(Arc<Task>),
    /// The same key came before, with the same body.
    Known(Arc<Task>),
}

/// Who looks.
#[derive(Clone, Copy)]
pub enum Viewer<'a> {
    /// A request, with its user if it names one.
    User(Option<&'a str>),
    /// Whoever holds a capability for the task.
    Capable,
}

impl Viewer<'_> {
    fn sees(self, owner: &Option<String>) -> bool {
        match self {
            Viewer::User(user) => owner.as_deref() == user,
            Viewer::Capable => true,
        }
    }
}

impl TaskTable {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task that an `Idempotency-Key` stands for, if it is known.
    pub fn known(
        &self,
        limits: &Limits,
        key: &Key,
        body: &[u8],
    ) -> Result<Option<Arc<Task>>, Error> {
        let mut inner = self.lock();
        inner.sweep(limits);
        inner.known(key, body)
    }

    /// Enters a task, unless its key is known already: two that race get one task.
    pub fn begin(&self, task: Task, key: Option<(Key, &[u8])>) -> Result<Begun, Error> {
        let mut inner = self.lock();
        if let Some((key, body)) = &key
            && let Some(known) = inner.known(key, body)?
        {
            return Ok(Begun::Known(known));
        }
        let task = Arc::new(task);
        inner.tasks.insert(task.id.clone(), task.clone());
        if let Some((key, body)) = key {
            inner.key_of.insert(task.id.clone(), key.clone());
            inner
                .keys
                .insert(key, (task.id.clone(), blake3::hash(body)));
        }
        Ok(Begun::New(task))
    }

    /// A task has ended: its time begins to run.
    pub fn end(&self, limits: &Limits, task: &Task) {
        let mut inner = self.lock();
        if !inner.tasks.contains_key(&task.id) {
            return; // Its user was erased.
        }
        let bytes = task.bytes();
        inner
            .ended
            .push_back((Instant::now(), task.id.clone(), bytes));
        inner.ended_bytes += bytes;
        inner.sweep(limits);
    }

    /// A task, if it is here and the viewer may see it.
    pub fn get(&self, limits: &Limits, id: &str, viewer: Viewer) -> Result<Arc<Task>, Error> {
        let mut inner = self.lock();
        inner.sweep(limits);
        match (inner.tasks.get(id), inner.gone.get(id)) {
            (Some(task), _) if viewer.sees(&task.owner) => Ok(task.clone()),
            (None, Some(owner)) if viewer.sees(owner) => Err(Error::Gone("the task")),
            _ => Err(Error::NotFound("task")),
        }
    }

    /// The user was erased: nobody finds their tasks any more, and those that run are cancelled.
    /// How many there were.
    pub fn erase(&self, user: &str) -> u64 {
        let mut inner = self.lock();
        let theirs = |task: &&Arc<Task>| task.owner.as_deref() == Some(user);
        let tasks: Vec<_> = inner.tasks.values().filter(theirs).cloned().collect();
        for task in &tasks {
            task.erase();
            inner.forget(&task.id);
        }
        tasks.len() as u64
    }

    /// Lets go of what has been kept long enough.
    pub fn sweep(&self, limits: &Limits) {
        self.lock().sweep(limits);
    }

    /// Tasks that run.
    pub fn running(&self) -> usize {
        let inner = self.lock();
        inner.tasks.len() - inner.ended.len()
    }
}

impl Inner {
    /// Lets go of a task, and of the key that stood for it.
    fn forget(&mut self, id: &Arc<str>) {
        self.ended.retain(|(_, ended, bytes)| {
            let keep = ended != id;
            self.ended_bytes -= if keep { 0 } else { *bytes };
            keep
        });
        let task = self.tasks.remove(id);
        if let Some(key) = self.key_of.remove(id) {
            self.keys.remove(&key);
        }
        self.gone
            .insert(id.clone(), task.and_then(|t| t.owner.clone()));
        self.gone_order.push_back(id.clone());
        if self.gone_order.len() > REMEMBERED
            && let Some(oldest) = self.gone_order.pop_front()
        {
            self.gone.remove(&oldest);
        }
    }

    fn known(&self, key: &Key, body: &[u8]) -> Result<Option<Arc<Task>>, Error> {
        match self.keys.get(key) {
            None => Ok(None),
            Some((_, hash)) if *hash != blake3::hash(body) => Err(Error::KeyReused),
            Some((id, _)) => Ok(self.tasks.get(id).cloned()),
        }
    }

    /// Lets go of what has been kept long enough, and of the oldest where it is too much.
    fn sweep(&mut self, limits: &Limits) {
        let keep = Duration::from_secs(limits.task_keep_s);
        while let Some((at, id, bytes)) = self.ended.front() {
            if at.elapsed() < keep && self.ended_bytes <= limits.task_log_bytes {
                break;
            }
            let (id, bytes) = (id.clone(), *bytes);
            self.ended.pop_front();
            self.ended_bytes -= bytes;
            self.forget(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::exchange::Piece;

    fn task(id: &str) -> Task {
        Task::new(id.into(), None, 0)
    }

    fn new(begun: Begun) -> Arc<Task> {
        match begun {
            Begun::New(task) => task,
            Begun::Known(_) => panic!("it is known"),
        }
    }

    #[test]
    fn a_key_stands_for_one_task_and_one_body() {
        let table = TaskTable::default();
        let key = || (Some("ada".to_owned()), "k".to_owned());
        let first = new(table.begin(task("a"), Some((key(), b"x"))).unwrap());
        let again = table.begin(task("b"), Some((key(), b"x"))).unwrap();
        assert!(matches!(again, Begun::Known(t) if Arc::ptr_eq(&t, &first)));
        let other = table.begin(task("c"), Some((key(), b"y")));
        assert!(matches!(other, Err(Error::KeyReused)));
        let somebody = (Some("bob".to_owned()), "k".to_owned());
        new(table.begin(task("d"), Some((somebody, b"y"))).unwrap());
    }

    #[test]
    fn a_task_is_seen_by_its_own_user_only() {
        let (table, limits) = (TaskTable::default(), Limits::default());
        let owned = Task::new("a".into(), Some("ada".into()), 0);
        new(table.begin(owned, None).unwrap());
        new(table.begin(task("b"), None).unwrap());
        let sees = |id, viewer| table.get(&limits, id, viewer).is_ok();
        assert!(sees("a", Viewer::User(Some("ada"))));
        assert!(!sees("a", Viewer::User(Some("bob"))));
        assert!(!sees("a", Viewer::User(None)));
        assert!(sees("a", Viewer::Capable));
        assert!(sees("b", Viewer::User(None)));
        assert!(!sees("b", Viewer::User(Some("ada"))));
    }

    #[test]
    fn the_oldest_go_when_they_are_too_many_bytes_and_leave_a_410() {
        let limits = Limits {
            task_log_bytes: 150,
            ..Limits::default()
        };
        let table = TaskTable::default();
        for id in ["a", "b", "c"] {
            let task = new(table.begin(task(id), None).unwrap());
            task.push(Piece::Text("x".repeat(40)));
            task.push(Piece::Failed(Error::Cancelled.into()));
            table.end(
                &Limits {
                    task_log_bytes: 1 << 20,
                    ..limits.clone()
                },
                &task,
            );
        }
        let get = |id, viewer| table.get(&limits, id, viewer).err().unwrap().status();
        for id in ["a", "b", "c"] {
            assert_eq!(get(id, Viewer::User(None)), 410, "none fits");
        }
        assert_eq!(get("z", Viewer::User(None)), 404);
        assert_eq!(get("a", Viewer::User(Some("bob"))), 404, "it was not his");
        assert_eq!(get("a", Viewer::Capable), 410);
        assert_eq!(table.running(), 0);
    }
}
