//! The database: a SQLite file by default, PostgreSQL by URL. One connection writes, few read.

use super::{StoreError, directory, entity::meta};
use crate::config::{StoreConfig, Sync};
use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database as Connector, DatabaseConnection,
    DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
    sea_query::OnConflict,
    sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{path::PathBuf, time::Duration};

/// SQLite waits so long for a lock of another process; well under the time an ack may take.
const BUSY: Duration = Duration::from_secs(1);
/// To open a connection, or to wait for one of the pool.
const CONNECT: Duration = Duration::from_secs(1);
/// Replicas that start at the same moment migrate one after the other.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(6034972146832915201)";

/// The SQLite file's name in the data directory.
pub const FILE: &str = "sundynix.db";

/// Where the database is.
#[derive(Clone)]
pub enum Place {
    /// A file of ours.
    Sqlite(PathBuf, Sync),
    /// A server, by URL.
    Postgres(String),
}

impl Place {
    /// As the configuration says.
    pub fn of(config: &StoreConfig, file: PathBuf) -> Result<Place, StoreError> {
        match config.url.split_once("://") {
            None if config.url.is_empty() => Ok(Place::Sqlite(file, config.sync)),
            Some(("postgres" | "postgresql", rest)) => {
                Ok(Place::Postgres(format!("postgres://{rest}")))
            }
            _ => Err(StoreError(
                "store.url: use postgres://user:password@host/database, or leave it empty for a \
                 SQLite file in the data directory"
                    .into(),
            )),
        }
    }

    /// Whether no other process writes there.
    pub fn is_ours(&self) -> bool {
        matches!(self, Place::Sqlite(..))
    }

    /// Says why it cannot be used, with the key that names it and without its password.
    pub fn error(&self, error: &DbErr) -> StoreError {
        let text = error.to_string();
        StoreError(match self {
            Place::Sqlite(path, _) => {
                format!("server.data: cannot use '{}': {text}", path.display())
            }
            Place::Postgres(url) => {
                let shown = redacted(url);
                let text = text.replace(url, &shown);
                format!("store.url: cannot use {shown}: {text}")
            }
        })
    }
}

/// Both ways to the database.
pub struct Database {
    /// One connection.
    pub writer: DatabaseConnection,
    /// `store.readers` connections.
    pub readers: DatabaseConnection,
}

impl Database {
    /// Connects.
    pub async fn open(place: &Place, readers: u32) -> Result<Database, DbErr> {
        Ok(Database {
            writer: connect(place, 1).await?,
            readers: connect(place, readers.max(1)).await?,
        })
    }

    /// The same with a new connection for writing. One on which a transaction failed is never
    /// used again: where SQLite has ended the transaction by itself (on a full disk) the driver
    /// takes it for open still, and what it then calls commits would only be savepoints.
    pub async fn with_new_writer(&self, place: &Place) -> Result<Database, DbErr> {
        Ok(Database {
            writer: connect(place, 1).await?,
            readers: self.readers.clone(),
        })
    }

    /// A writing transaction: on SQLite it takes the write lock at once, for one that upgrades
    /// later fails whatever its timeout.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.writer.begin_with_options(options).await
    }

    /// Applies the migrations that are missing.
    pub async fn migrate(&self, place: &Place) -> Result<(), DbErr> {
        if place.is_ours() {
            return Migrator::up(&self.writer, None).await;
        }
        let tx = self.begin().await?;
        tx.execute_unprepared(MIGRATION_LOCK).await?;
        Migrator::up(&tx, None).await?;
        tx.commit().await
    }

    /// The value of `key`; where there is none yet, the one offered, for all replicas.
    pub async fn shared(&self, key: &str, offered: String) -> Result<String, DbErr> {
        let row = meta::Model {
            key: key.to_owned(),
            value: offered.clone(),
        };
        meta::Entity::insert(row.into_active_model())
            .on_conflict(
                OnConflict::column(meta::Column::Key)
                    .do_nothing()
                    .to_owned(),
            )
            .exec_without_returning(&self.writer)
            .await?;
        let row = meta::Entity::find_by_id(key).one(&self.writer).await?;
        Ok(row.map_or(offered, |row| row.value))
    }

    /// Writes something: whether the store takes writes shows in nothing less.
    pub async fn probe(&self) -> Result<(), DbErr> {
        let tx = self.begin().await?;
        let row = meta::Model {
            key: "probe".into(),
            value: super::now_ms().to_string(),
        };
        let mut replace = OnConflict::column(meta::Column::Key);
        replace.update_column(meta::Column::Value);
        meta::Entity::insert(row.into_active_model())
            .on_conflict(replace)
            .exec_without_returning(&tx)
            .await?;
        tx.commit().await
    }

    /// Ends the connections.
    pub async fn close(&self, readers: bool) {
        let _ = self.writer.close_by_ref().await;
        if readers {
            let _ = self.readers.close_by_ref().await;
        }
    }
}

/// Opens so many connections.
pub async fn connect(place: &Place, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let url = match place {
        Place::Sqlite(..) => "sqlite://placeholder",
        Place::Postgres(url) => url,
    };
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(CONNECT)
        .connect_timeout(CONNECT)
        .max_lifetime(None)
        .idle_timeout(None)
        .test_before_acquire(false)
        // Statements carry what users said.
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    if let Place::Sqlite(path, sync) = place {
        directory::prepare(path).map_err(|e| DbErr::Custom(e.to_string()))?;
        let (path, sync) = (path.clone(), *sync);
        options.map_sqlx_sqlite_opts(move |_| {
            SqliteConnectOptions::new()
                .filename(&path)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(match sync {
                    Sync::Normal => SqliteSynchronous::Normal,
                    Sync::Full => SqliteSynchronous::Full,
                })
                .busy_timeout(BUSY)
                // A group of each size is a statement of its own.
                .statement_cache_capacity(256)
                // Erased means erased: freed pages are overwritten.
                .pragma("secure_delete", "ON")
                // What statements return goes through a temporary table: not through a file.
                .pragma("temp_store", "MEMORY")
        });
    } else {
        options
            .map_sqlx_postgres_opts(|options| {
                options
                    .application_name("sundynix")
                    .statement_cache_capacity(256)
            })
            .test_before_acquire_if_idle_for(Duration::from_secs(30));
    }
    let connecting = tokio::time::timeout(CONNECT * 2, Connector::connect(options));
    connecting
        .await
        .unwrap_or_else(|_| Err(DbErr::Custom("it does not answer".into())))
}

/// A URL as it may be shown.
fn redacted(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let rest = rest.split('?').next().unwrap_or_default();
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let url = "postgres://ada:p@ss@db.local:5432/x?password=again";
        assert_eq!(redacted(url), "postgres://ada@db.local:5432/x");
        let error = DbErr::Custom(format!("the string '{url}' cannot be parsed"));
        let shown = Place::Postgres(url.into()).error(&error).0;
        assert!(shown.starts_with("store.url") && !shown.contains("p@ss"));
        assert!(!shown.contains("again"));
    }
}
