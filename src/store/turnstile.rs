//! Reads of a user who is not here go one by one: those who come meanwhile wait, and find the user
//! here. Otherwise everybody who speaks at once after a start would read, and index, all of it anew.

use super::shared::lock;
use crate::memory::UserKey;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// With more users than this, those whom nobody reads any more are let go.
const MANY: usize = 64;

/// See the file's head.
#[derive(Default)]
pub struct Turnstile(Mutex<HashMap<UserKey, Weak<AsyncMutex<()>>>>);

impl Turnstile {
    /// Waits until nobody else reads the user.
    pub async fn enter(&self, user: &UserKey) -> OwnedMutexGuard<()> {
        self.of(user).lock_owned().await
    }

    fn of(&self, user: &UserKey) -> Arc<AsyncMutex<()>> {
        let mut all = lock(&self.0);
        if let Some(here) = all.get(user).and_then(Weak::upgrade) {
            return here;
        }
        if all.len() >= MANY {
            all.retain(|_, reading| reading.strong_count() > 0);
        }
        let new = Arc::new(AsyncMutex::new(()));
        all.insert(user.clone(), Arc::downgrade(&new));
        new
    }
}
