//! Which users have turns that are not read yet, and when it is their turn: once there are enough
//! tokens, when another conversation has begun, or after a while without another turn. It holds
//! numbers only; the turns are in the store, and after a restart it is filled from there.

use super::Clock;
use crate::memory::UserKey;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// What waits of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Of what they said, roughly.
    pub tokens: usize,
    /// When the last of it was kept.
    pub last_ms: i64,
    /// Nothing is done before: a pause after a failure, the next day after too much was spent.
    pub not_before_ms: i64,
    /// The conversation that goes on, where it has a name.
    pub conversation: Option<Arc<str>>,
    /// One has ended that was not read yet.
    pub ended: bool,
    /// Turns noted since the start: a look at the store that missed one is out of date.
    pub noted: u64,
}

#[derive(Default)]
struct Users {
    users: HashMap<UserKey, (Gathered, i64)>,
    /// By when they are due.
    order: BTreeSet<(i64, UserKey)>,
}

impl Users {
    fn forget(&mut self, user: &UserKey) {
        if let Some((_, due)) = self.users.remove(user) {
            self.order.remove(&(due, user.clone()));
        }
    }
}

/// See the file's head.
pub struct Gathering {
    clock: Arc<Clock>,
    flush_tokens: usize,
    idle_ms: i64,
    users: Mutex<Users>,
    /// Something may be due earlier than it was.
    pub changed: Notify,
}

impl Gathering {
    /// Of nobody yet.
    pub fn new(clock: Arc<Clock>, flush_tokens: usize, idle_s: u64) -> Self {
        Gathering {
            clock,
            flush_tokens,
            idle_ms: i64::try_from(idle_s.saturating_mul(1_000)).unwrap_or(i64::MAX),
            users: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// A turn was kept; `conversation` where it has one that may go on.
    pub fn note(&self, user: &UserKey, tokens: usize, conversation: Option<&Arc<str>>) {
        let now = self.clock.now_ms();
        self.change(user, |gathered| {
            let before = gathered.conversation.as_ref();
            gathered.ended |= matches!((before, conversation), (Some(a), Some(b)) if a != b);
            if conversation.is_some() {
                gathered.conversation = conversation.cloned();
            }
            gathered.tokens += tokens;
            gathered.last_ms = now;
            gathered.noted += 1;
        });
    }

    /// What is there in the store (none: the user is done), unless a turn was noted since it was
    /// looked at.
    pub fn replace(&self, user: &UserKey, noted: u64, left: Option<Gathered>) -> bool {
        let mut users = self.lock();
        let now = users
            .users
            .get(user)
            .map_or(0, |(gathered, _)| gathered.noted);
        if now != noted {
            return false;
        }
        self.change_in(&mut users, user, |gathered| {
            *gathered = left.clone().unwrap_or_default();
        });
        if left.is_none() {
            users.forget(user);
        }
        true
    }

    /// Nothing of the user is left.
    pub fn forget(&self, user: &UserKey) {
        self.lock().forget(user);
    }

    /// Since when the first has been due; one that waits for its second try has not been.
    pub fn overdue_since(&self) -> Option<i64> {
        let users = self.lock();
        let (_, first) = users.order.first()?;
        let (gathered, due) = users.users.get(first)?;
        Some((*due).max(gathered.last_ms))
    }

    /// The user is next: a conversation ended, or turns were put in by others. `at_once`: whatever
    /// they are waiting for.
    pub fn urge(&self, user: &UserKey, at_once: bool) {
        self.change(user, |gathered| {
            gathered.ended = true;
            gathered.conversation = None;
            gathered.noted += 1;
            if at_once {
                gathered.not_before_ms = 0;
            }
        });
    }

    /// Not before `at_ms`.
    pub fn put_off(&self, user: &UserKey, at_ms: i64) {
        self.change(user, |gathered| gathered.not_before_ms = at_ms);
    }

    /// Who is next, and when.
    pub fn next(&self) -> Option<(i64, UserKey)> {
        self.lock().order.first().cloned()
    }

    /// What is known of the user.
    pub fn of(&self, user: &UserKey) -> Option<Gathered> {
        self.lock()
            .users
            .get(user)
            .map(|(gathered, _)| gathered.clone())
    }

    /// How many users wait.
    pub fn len(&self) -> usize {
        self.lock().users.len()
    }

    /// Nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn change(&self, user: &UserKey, change: impl FnOnce(&mut Gathered)) {
        self.change_in(&mut self.lock(), user, change);
        self.changed.notify_one();
    }

    fn change_in(&self, users: &mut Users, user: &UserKey, change: impl FnOnce(&mut Gathered)) {
        let (mut gathered, before) = users.users.remove(user).unwrap_or_default();
        users.order.remove(&(before, user.clone()));
        change(&mut gathered);
        let ready = gathered.ended || gathered.tokens >= self.flush_tokens;
        let due = match ready {
            true => gathered.not_before_ms,
            false => gathered
                .not_before_ms
                .max(gathered.last_ms.saturating_add(self.idle_ms)),
        };
        users.order.insert((due, user.clone()));
        users.users.insert(user.clone(), (gathered, due));
    }

    fn lock(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(gathering: &Gathering) -> Option<i64> {
        gathering.next().map(|(due, _)| due)
    }

    #[test]
    fn tokens_time_or_another_conversation() {
        let clock = Arc::new(Clock::default());
        let all = Gathering::new(clock.clone(), 100, 60);
        let (ada, bob) = (UserKey::local("ada"), UserKey::local("bob"));
        let (one, two): (Arc<str>, Arc<str>) = ("one".into(), "two".into());
        assert_eq!(due(&all), None);
        all.note(&ada, 60, Some(&one));
        let idle = due(&all).unwrap();
        assert!((clock.now_ms()..=clock.now_ms() + 60_000).contains(&idle));
        all.note(&ada, 30, None);
        all.note(&ada, 5, Some(&one));
        assert!(due(&all).unwrap() >= idle);
        all.note(&bob, 100, Some(&one));
        assert_eq!(all.next(), Some((0, bob.clone())), "enough tokens");
        assert!(!all.replace(&bob, 0, None), "one was noted since");
        assert!(all.replace(&bob, 1, None));
        all.note(&ada, 1, Some(&two));
        assert_eq!(all.next(), Some((0, ada.clone())), "another conversation");
        all.put_off(&ada, i64::MAX);
        assert_eq!(due(&all), Some(i64::MAX));
        all.forget(&ada);
        assert!(all.is_empty() && due(&all).is_none());
        all.note(&ada, 1, Some(&two));
        all.urge(&ada, false);
        assert_eq!(due(&all), Some(0), "an explicit end");
    }
}
