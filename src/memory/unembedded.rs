//! Whose memories may lack vectors: who said something, or was read and found to lack some, stands
//! in line to be looked at. It holds names only; what is lacking is found in the store, so that a
//! crash, a lost line or another model costs a look and loses nothing.

use super::UserKey;
use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::sync::Notify;

#[derive(Default)]
struct Line {
    order: VecDeque<UserKey>,
    there: HashSet<UserKey>,
}

/// See the file's head.
pub struct Unembedded {
    /// Whose vectors count; those of another model are as good as none.
    pub model: Arc<str>,
    /// How many dimensions they have; 0: not known yet.
    dims: AtomicUsize,
    line: Mutex<Line>,
    /// Somebody has joined the line.
    pub joined: Notify,
}

impl Unembedded {
    /// Nobody yet. `dims`: 0 where the model is to tell.
    pub fn new(model: &str, dims: usize) -> Self {
        Unembedded {
            model: model.into(),
            dims: dims.into(),
            line: Mutex::default(),
            joined: Notify::new(),
        }
    }

    /// How many dimensions vectors have, as far as that is known; else 0.
    pub fn dims(&self) -> usize {
        self.dims.load(Relaxed)
    }

    /// The model's vectors have so many. False: they are known to have another number.
    pub fn learn(&self, dims: usize) -> bool {
        match self.dims.compare_exchange(0, dims, Relaxed, Relaxed) {
            Ok(_) => true,
            Err(known) => known == dims,
        }
    }

    /// The user may lack some.
    pub fn note(&self, user: &UserKey) {
        let mut line = self.lock();
        if line.there.insert(user.clone()) {
            line.order.push_back(user.clone());
            drop(line);
            self.joined.notify_one();
        }
    }

    /// The next to be looked at.
    pub fn take(&self) -> Option<UserKey> {
        let mut line = self.lock();
        let next = line.order.pop_front()?;
        line.there.remove(&next);
        Some(next)
    }

    /// How many stand in line.
    pub fn len(&self) -> usize {
        self.lock().order.len()
    }

    /// Whether nobody does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_in_line_once_and_dimensions_are_learnt_once() {
        let all = Unembedded::new("m", 0);
        let (ada, bob) = (UserKey::local("ada"), UserKey::local("bob"));
        for user in [&ada, &bob, &ada] {
            all.note(user);
        }
        assert_eq!(all.len(), 2);
        assert_eq!(all.take(), Some(ada.clone()));
        all.note(&ada);
        assert_eq!(
            (all.take(), all.take(), all.take()),
            (Some(bob), Some(ada), None)
        );
        assert_eq!(
            (all.dims(), all.learn(3), all.learn(3), all.learn(4)),
            (0, true, true, false)
        );
        assert!(!Unembedded::new("m", 8).learn(3));
    }
}
