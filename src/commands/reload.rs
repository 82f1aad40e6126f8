//! The settings file, followed while the server runs: looked at often, read anew once its content
//! has changed and stands still. What cannot be used changes nothing and is told of.

use super::{add_backend, placed};
use std::{io, path::Path, sync::Arc, time::Duration};
use sundynix::{
    config::Loaded,
    pool::{Client, Pool},
    state::StartError,
};
use tokio::{task::spawn_blocking, time::sleep};

/// Twice this, and what a new backend takes to answer, is less than two seconds.
const EVERY: Duration = Duration::from_millis(400);

/// What a file holds; `None`: it cannot be read. Its time of change would miss what a volume is
/// mounted over, or what is written twice within a second.
pub type Fingerprint = Option<blake3::Hash>;

/// See [`Fingerprint`].
pub fn fingerprint(file: &Path) -> Fingerprint {
    std::fs::read(file).ok().map(|bytes| blake3::hash(&bytes))
}

/// Follows the file of the settings that the server was started with, for as long as it is polled.
pub async fn follow(pool: Arc<Pool>, mut loaded: Loaded, seen: Fingerprint) {
    let client = Client::new();
    let (file, mut known, mut last) = (loaded.flags.file().to_owned(), seen, seen);
    loop {
        sleep(EVERY).await;
        let path = file.clone();
        let Ok(now) = spawn_blocking(move || fingerprint(&path)).await else {
            continue;
        };
        // Whoever writes it may not be through.
        let stands_still = std::mem::replace(&mut last, now) == now;
        if now == known || !stands_still {
            continue;
        }
        known = now;
        match again(&pool, &client, &loaded, now.is_some()).await {
            Ok(new) => {
                tracing::info!(file = %file.display(), "settings reloaded");
                let waits = new.waits_for_start(&loaded);
                if !waits.is_empty() {
                    let sections = waits.join(", ");
                    tracing::warn!(%sections, "changes of these settings hold from the next start");
                }
                loaded = new;
            }
            Err(why) => {
                tracing::error!(file = %file.display(), "settings not reloaded, the old ones hold: {why}");
                pool.reloaded(Err(why));
            }
        }
    }
}

/// Reads the settings and makes them hold.
async fn again(
    pool: &Pool,
    client: &Client,
    loaded: &Loaded,
    there: bool,
) -> Result<Loaded, String> {
    if !there {
        let error = io::Error::from(io::ErrorKind::NotFound);
        return Err(format!("the file cannot be read ({error})"));
    }
    let flags = loaded.flags.clone();
    let new = spawn_blocking(move || Loaded::from(&flags)).await;
    let new = new.map_err(|_| "reading them crashed")?;
    let new = new.map_err(|refused| refused.to_string())?;
    let mut config = new.config.clone();
    if loaded.config.backend.is_empty() {
        // It was found at the start, and nobody has named another since.
        add_backend(&mut config).await;
    }
    let reloaded = pool.reload(client, &config).await;
    reloaded.map_err(|bad| placed(StartError::Backend(bad), &new).to_string())?;
    Ok(new)
}
