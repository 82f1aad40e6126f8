//! Whether the database can be reached, found out without changing anything.

use super::{
    StoreError,
    database::{Place, connect},
};
use std::{
    fmt::Display,
    fs::OpenOptions,
    io::{ErrorKind, Read},
};

/// How every SQLite file begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

impl Place {
    /// What is there, in words.
    pub async fn probe(&self) -> Result<String, StoreError> {
        match self {
            // Opening it as a database would already leave files beside it.
            Place::Sqlite(path, _) => {
                let shown = path.display();
                let failed = |what: &dyn Display| {
                    StoreError(format!("server.data: cannot use '{shown}': {what}"))
                };
                let mut file = match OpenOptions::new().read(true).write(true).open(path) {
                    Ok(file) => file,
                    Err(e) if e.kind() == ErrorKind::NotFound => {
                        return Ok(format!(
                            "{shown} is not there yet; the first start makes it"
                        ));
                    }
                    Err(e) => return Err(failed(&e)),
                };
                let mut head = Vec::new();
                let read = file
                    .by_ref()
                    .take(MAGIC.len() as u64)
                    .read_to_end(&mut head);
                read.map_err(|e| failed(&e))?;
                match head.is_empty() || head == MAGIC {
                    true => Ok(shown.to_string()),
                    false => Err(failed(&"it is not an SQLite database")),
                }
            }
            Place::Postgres(_) => {
                let reached = async { connect(self, 1).await?.close().await };
                reached.await.map_err(|e| self.error(&e))?;
                Ok("PostgreSQL answers".into())
            }
        }
    }
}
