//! What is in memory of the users who are here now: profile and turns, shared by all
//! workers, bounded in bytes. Only what was read from the store or committed to it gets in; a
//! user's `mark`, which each of their commits raises, and a generation that the committer raises
//! keep a slow reader from putting back what a commit has just outdated.

use super::{Facts, KeptTurn, Memories, Profile, Settings, UserKey};
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// How many of a user's latest turns are held ready.
pub const RECENT_TURNS: usize = 32;

/// Users share generations; a false alarm costs one read.
const STRIPES: usize = 64;

/// One user, as recall needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// What is known of them.
    pub profile: Profile,
    /// The latest turns, oldest first.
    pub turns: VecDeque<Arc<KeptTurn>>,
    /// All turns, to be searched; shared by all copies of the user.
    pub memories: Arc<Memories>,
    /// The profile, to be searched where it is too large; shared likewise.
    pub facts: Arc<Facts>,
    /// When they were erased last, Unix milliseconds (0: never): older write-backs are dropped.
    pub epoch_ms: i64,
    /// What they have said of their memory.
    pub settings: Settings,
}

impl Resident {
    /// Adds a turn, or replaces the one of the same id, in the order of their beginnings.
    pub fn remember(&mut self, turn: Arc<KeptTurn>) {
        self.memories.remember(&turn);
        self.turns.retain(|kept| kept.id != turn.id);
        let place = self
            .turns
            .partition_point(|kept| (kept.at_ms, &kept.id) < (turn.at_ms, &turn.id));
        self.turns.insert(place, turn);
        if self.turns.len() > RECENT_TURNS {
            self.turns.pop_front();
        }
    }

    /// About what it takes in memory.
    fn bytes(&self) -> u64 {
        const EACH: usize = 160;
        let slots = self.profile.slots.iter().map(|((topic, key), slot)| {
            EACH + topic.len() + key.len() + slot.value.as_ref().map_or(0, String::len) * 2
        });
        let turns = self.turns.iter();
        let turns = turns.map(|t| EACH + t.id.len() + t.query.len() + t.answer.len());
        let memories = self.memories.bytes() + self.facts.bytes();
        (EACH + slots.sum::<usize>() + turns.sum::<usize>() + memories) as u64
    }
}

#[derive(Clone)]
struct Entry {
    mark: i64,
    resident: Arc<Resident>,
    /// As it was when it was put in: memories grow in place, and the cache must find the weight it
    /// counted.
    bytes: u64,
}

impl Entry {
    fn new(mark: i64, resident: Arc<Resident>) -> Self {
        let bytes = resident.bytes();
        Entry {
            mark,
            resident,
            bytes,
        }
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<UserKey, Entry> for Bytes {
    fn weight(&self, user: &UserKey, entry: &Entry) -> u64 {
        user.user.len() as u64 + entry.bytes
    }
}

/// The users who are here now.
pub struct Residents {
    cache: Cache<UserKey, Entry, Bytes>,
    /// What all of them may take.
    most: u64,
    generations: Vec<Mutex<u64>>,
    /// Whoever reads asks the store for the mark: what is behind may stay, to be brought up to date.
    checked: AtomicBool,
    hasher: RandomState,
}

impl Residents {
    /// At most so many bytes.
    pub fn new(bytes: u64) -> Self {
        let users = usize::try_from(bytes / 4096).unwrap_or(usize::MAX);
        Residents {
            cache: cache(users.clamp(16, 1 << 20), bytes),
            most: bytes,
            generations: (0..STRIPES).map(|_| Mutex::default()).collect(),
            checked: AtomicBool::new(false),
            hasher: RandomState::new(),
        }
    }

    /// What one user's memories may take, and leave room for others.
    pub fn most_of_one(&self) -> usize {
        usize::try_from(self.most / 4 * 3).unwrap_or(usize::MAX)
    }

    /// Others write too: nobody takes what is here for the truth without asking for its mark.
    pub fn are_checked(&self) {
        self.checked.store(true, Relaxed);
    }

    /// The user, if here.
    pub fn get(&self, user: &UserKey) -> Option<Arc<Resident>> {
        self.cache.get(user).map(|entry| entry.resident)
    }

    /// The user, if here, and the mark it was read at.
    pub fn marked(&self, user: &UserKey) -> Option<(i64, Arc<Resident>)> {
        let entry = self.cache.get(user)?;
        Some((entry.mark, entry.resident))
    }

    /// What [`Residents::insert`] wants to see unchanged: taken before the user is read.
    pub fn generation(&self, user: &UserKey) -> u64 {
        *self.stripe(user)
    }

    /// Puts in what was read, unless something of the user was committed since `generation`; says
    /// whether nothing was.
    pub fn insert(
        &self,
        user: &UserKey,
        generation: u64,
        mark: i64,
        resident: Arc<Resident>,
    ) -> bool {
        let now = self.stripe(user);
        let current = *now == generation;
        if current {
            self.cache.insert(user.clone(), Entry::new(mark, resident));
        }
        current
    }

    /// A commit raised the user's mark to `mark`: changes them in place if they are here as of
    /// just before. If they are here as of an earlier mark they are dropped, unless readers check.
    pub fn update(&self, user: &UserKey, mark: i64, change: impl FnOnce(&mut Resident)) {
        let mut generation = self.stripe(user);
        *generation += 1;
        match self.cache.peek(user) {
            Some(mut entry) if entry.mark + 1 == mark => {
                change(Arc::make_mut(&mut entry.resident));
                let entry = Entry::new(mark, entry.resident);
                // Replacing counts as a use; one that was evicted meanwhile stays away.
                let _ = self.cache.replace(user.clone(), entry, true);
            }
            Some(entry) if entry.mark >= mark => {}
            Some(_) if self.checked.load(Relaxed) => {}
            Some(_) => drop(self.cache.remove(user)),
            None => {}
        }
    }

    /// Drops the user.
    pub fn remove(&self, user: &UserKey) {
        let mut generation = self.stripe(user);
        *generation += 1;
        self.cache.remove(user);
    }

    /// Drops everybody: what was committed during an outage is not known for sure.
    pub fn clear(&self) {
        let mut all: Vec<_> = self.generations.iter().map(lock).collect();
        all.iter_mut().for_each(|generation| **generation += 1);
        self.cache.clear();
    }

    fn stripe(&self, user: &UserKey) -> MutexGuard<'_, u64> {
        let hash = self.hasher.hash_one(user);
        lock(&self.generations[(hash % STRIPES as u64) as usize])
    }
}

/// In one piece: by default it would be cut into four pieces a core, with as many bytes each, and
/// whoever weighs more than such a piece would never be here, and be read anew each time.
fn cache(users: usize, bytes: u64) -> Cache<UserKey, Entry, Bytes> {
    let mut options = OptionsBuilder::new();
    options.shards(1).hot_allocation(0.97);
    options
        .estimated_items_capacity(users)
        .weight_capacity(bytes);
    match options.build() {
        Ok(options) => Cache::with_options(
            options,
            Bytes,
            DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        ),
        // Only where a capacity is missing.
        Err(_) => Cache::with_weighter(users, bytes, Bytes),
    }
}

fn lock(stripe: &Mutex<u64>) -> MutexGuard<'_, u64> {
    stripe.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::TurnStatus;

    fn turn(id: &str, at_ms: i64) -> Arc<KeptTurn> {
        Arc::new(KeptTurn {
            id: id.into(),
            conversation: "c".into(),
            at_ms,
            query: "q".into(),
            answer: "a".into(),
            role: "".into(),
            status: TurnStatus::Complete,
        })
    }

    #[test]
    fn turns_stand_in_order_once_and_bounded() {
        let mut r = Resident::default();
        for at in [3, 1, 2, 3] {
            r.remember(turn(&format!("t{at}"), at));
        }
        let ids: Vec<_> = r.turns.iter().map(|t| t.id.to_string()).collect();
        assert_eq!(ids, ["t1", "t2", "t3"]);
        (10..100).for_each(|at| r.remember(turn(&format!("t{at}"), at)));
        assert_eq!(r.turns.len(), RECENT_TURNS);
        assert_eq!(r.turns[0].at_ms, 68);
    }

    #[test]
    fn a_slow_reader_puts_nothing_stale_back() {
        let (all, ada) = (Residents::new(1 << 20), UserKey::local("ada"));
        let before = all.generation(&ada);
        all.update(&ada, 1, |_| {});
        all.insert(&ada, before, 0, Arc::default());
        assert!(all.get(&ada).is_none());
        all.insert(&ada, all.generation(&ada), 1, Arc::default());
        assert!(all.get(&ada).is_some());
    }

    #[test]
    fn a_commit_changes_what_is_here_once_and_drops_what_missed_one() {
        let (all, ada) = (Residents::new(1 << 20), UserKey::local("ada"));
        all.insert(&ada, all.generation(&ada), 4, Arc::default());
        all.update(&ada, 5, |r| r.remember(turn("t", 1)));
        all.update(&ada, 5, |_| panic!("seen already"));
        assert_eq!(all.get(&ada).expect("here").turns.len(), 1);
        all.update(&ada, 7, |_| panic!("one was missed"));
        assert!(all.get(&ada).is_none());
        // Where readers ask for the mark, it stays for them to find what came since.
        all.are_checked();
        all.insert(&ada, all.generation(&ada), 4, Arc::default());
        all.update(&ada, 7, |_| panic!("one was missed"));
        assert_eq!(all.marked(&ada).map(|(mark, _)| mark), Some(4));
    }

    #[test]
    fn one_user_may_take_most_of_it() {
        let (all, ada) = (Residents::new(1 << 20), UserKey::local("ada"));
        let mut resident = Resident::default();
        (0..1_800).for_each(|n| resident.remember(turn(&format!("a turn named {n}"), n)));
        let bytes = resident.bytes();
        assert!((512 << 10..950 << 10).contains(&bytes), "{bytes}");
        all.insert(&ada, all.generation(&ada), 1, Arc::new(resident));
        assert!(all.get(&ada).is_some());
    }

    #[test]
    fn it_is_bounded_in_bytes() {
        let all = Residents::new(64 << 10);
        for n in 0..1000 {
            let user = UserKey::local(&format!("u{n}"));
            let mut resident = Resident::default();
            resident.remember(turn("t", n));
            all.insert(&user, all.generation(&user), 1, Arc::new(resident));
        }
        assert!(all.cache.weight() <= 64 << 10);
        assert!(!all.cache.is_empty());
    }
}
