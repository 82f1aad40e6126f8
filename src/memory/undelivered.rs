//! What users stated here and the remote memory has not taken yet, where there is one. It lies in
//! the outbox as well, which survives the process; here it is at hand for delivery, and for the
//! very next recall.

use super::{Profile, Rules, Statement, TurnId, UserKey};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// One turn, and what is stated in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// The turn.
    pub turn: TurnId,
    /// When it was said, Unix milliseconds.
    pub at_ms: i64,
    /// What is stated, in its order.
    pub said: Arc<[Statement]>,
}

/// See the file's head.
#[derive(Default)]
pub struct Undelivered {
    users: Mutex<BTreeMap<UserKey, Vec<Untold>>>,
    /// Something was added.
    pub more: Notify,
}

impl Undelivered {
    /// A turn was kept. Noted again it changes nothing.
    pub fn note(&self, user: &UserKey, untold: Untold) {
        let mut users = self.users();
        let of_user = users.entry(user.clone()).or_default();
        if of_user.iter().all(|known| known.turn != untold.turn) {
            of_user.push(untold);
            of_user.sort_by_key(|untold| untold.at_ms);
        }
        drop(users);
        self.more.notify_one();
    }

    /// The remote has these turns, or is never going to.
    pub fn done(&self, user: &UserKey, turns: &[TurnId]) {
        let mut users = self.users();
        if let Some(of_user) = users.get_mut(user) {
            of_user.retain(|untold| !turns.contains(&untold.turn));
            if of_user.is_empty() {
                users.remove(user);
            }
        }
    }

    /// The user was erased.
    pub fn forget(&self, user: &UserKey) {
        self.users().remove(user);
    }

    /// Whose turns wait.
    pub fn waiting(&self) -> Vec<UserKey> {
        self.users().keys().cloned().collect()
    }

    /// A user's turns, oldest first.
    pub fn of(&self, user: &UserKey) -> Vec<Untold> {
        self.users().get(user).cloned().unwrap_or_default()
    }

    /// How many turns wait.
    pub fn count(&self) -> usize {
        self.users().values().map(Vec::len).sum()
    }

    /// A remote profile as it will be once it has taken what waits. The version stays the remote's.
    pub fn over(&self, user: &UserKey, mut profile: Profile, rules: &Rules) -> Profile {
        let version = profile.version;
        for untold in self.of(user) {
            rules.apply(&mut profile, &untold.turn, untold.at_ms, &untold.said);
        }
        profile.version = version;
        profile
    }

    fn users(&self) -> MutexGuard<'_, BTreeMap<UserKey, Vec<Untold>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::MemoryConfig, memory::statements};

    fn untold(turn: &str, at_ms: i64, text: &str) -> Untold {
        Untold {
            turn: turn.into(),
            at_ms,
            said: statements(text).into(),
        }
    }

    #[test]
    fn what_waits_is_seen_over_the_remote_profile_and_once() {
        let (all, ada) = (Undelivered::default(), UserKey::local("ada"));
        all.note(&ada, untold("t2", 2, "My name is Eva."));
        all.note(&ada, untold("t1", 1, "My name is Ada."));
        all.note(&ada, untold("t1", 1, "My name is Ada."));
        assert_eq!(all.count(), 2);
        let rules = Rules::new(&MemoryConfig::default());
        let profile = all.over(&ada, Profile::default(), &rules);
        let name = &profile.slots[&("identity".into(), "name".into())];
        assert_eq!((name.value.as_deref(), profile.version), (Some("Eva"), 0));

        all.done(&ada, &["t1".into(), "t2".into()]);
        assert_eq!((all.count(), all.waiting().len()), (0, 0));
        assert_eq!(
            all.over(&ada, Profile::default(), &rules),
            Profile::default()
        );
    }
}
