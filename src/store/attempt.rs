//! One transaction, tried until it succeeds, is refused, or its time is over. Each try runs in a
//! task of its own, so that a database that hangs counts as down just as one that fails.

use super::{committer::Committer, database::Database};
use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::error::{DatabaseError, Error as SqlxError},
};
use std::{
    future::Future,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::time::Instant;

/// Between two tries of a transaction.
pub const PAUSE: Duration = Duration::from_millis(50);

/// Why a transaction did not happen.
#[derive(Debug)]
pub enum Failure {
    /// The store failed or did not answer in time. What was asked may have happened all the same.
    Down,
    /// The store refused what was to be written; another try would end the same.
    Refused,
}

impl Committer {
    /// Tries a transaction until it succeeds, is refused, or `until` has come.
    pub(super) async fn attempt<T, F>(
        &self,
        until: Instant,
        transaction: impl Fn(Arc<Database>) -> F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        loop {
            let shared = self.shared.clone();
            let transaction = &transaction;
            let connected = tokio::time::timeout_at(until, shared.writable()).await;
            let error = match connected {
                Err(_) => return Err(Failure::Down),
                Ok(Err(error)) => error,
                Ok(Ok(database)) => {
                    // Until it is known to have ended well.
                    shared.failed.store(true, SeqCst);
                    let mut task = tokio::spawn(transaction(database));
                    let done = tokio::time::timeout_at(until, &mut task).await;
                    let well = matches!(done, Ok(Ok(Ok(_))));
                    shared.failed.store(!well, SeqCst);
                    match done {
                        Ok(Ok(Ok(done))) => return Ok(done),
                        Ok(Ok(Err(error))) => error,
                        Ok(Err(crash)) => match crash.try_into_panic() {
                            Ok(panic) => std::panic::resume_unwind(panic),
                            Err(_) => return Err(Failure::Down),
                        },
                        Err(_) => {
                            task.abort();
                            return Err(Failure::Down);
                        }
                    }
                }
            };
            if refused(&error) {
                return Err(Failure::Refused);
            }
            let error = shared.place.error(&error);
            tracing::debug!(%error, "a transaction failed");
            if Instant::now() + PAUSE >= until {
                return Err(Failure::Down);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether the database refuses the data itself, and not only now.
fn refused(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) =
        error
    else {
        return false;
    };
    let SqlxError::Database(error) = &**error else {
        return false;
    };
    let code = DatabaseError::code(&**error).unwrap_or_default();
    match code.parse::<u32>() {
        // SQLite: too big, constraint, mismatch, range.
        Ok(code) if code < 10_000 => matches!(code & 0xff, 18 | 19 | 20 | 25),
        // PostgreSQL: data exception, integrity violation, program limit exceeded.
        _ => ["22", "23", "54"]
            .iter()
            .any(|class| code.starts_with(class)),
    }
}
