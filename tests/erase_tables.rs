//! An erase empties every table that holds rows of users. Which those are the database itself is
//! asked, so that a new table cannot be forgotten: it gets a row, and must lose it.

use crate::support::{
    postgres,
    store::{Place, now, turn},
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};

/// Tables without a user id in them. One that is not listed makes this test fail, so that somebody
/// thinks about what an erase has to do with it.
const OF_NOBODY: [&str; 3] = ["sundynix_audit", "sundynix_meta", "sundynix_migration"];

/// The table of the users themselves: their row stays, for version, epoch and a wish.
const USERS: &str = "sundynix_user";

async fn rows(db: &DatabaseConnection, sql: &str) -> Vec<(String, String)> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.unwrap();
    let text = |row: &sea_orm::QueryResult, at: usize| row.try_get_by_index::<String>(at).unwrap();
    rows.iter()
        .map(|row| (text(row, 0), text(row, 1)))
        .collect()
}

/// Our tables, each with its columns and their types; numbers that count themselves are left out.
async fn tables(db: &DatabaseConnection) -> Vec<(String, Vec<(String, String)>)> {
    let sqlite = db.get_database_backend() == sea_orm::DatabaseBackend::Sqlite;
    let all = match sqlite {
        true => {
            "SELECT name, '' FROM sqlite_master WHERE type = 'table' AND name LIKE 'sundynix%' \
             ORDER BY name"
        }
        false => {
            "SELECT table_name::text, '' FROM information_schema.tables \
             WHERE table_schema = 'public' AND table_name LIKE 'sundynix%' ORDER BY table_name"
        }
    };
    let mut tables = Vec::new();
    for (table, _) in rows(db, all).await {
        let columns = match sqlite {
            true => format!("SELECT name, lower(type) FROM pragma_table_info('{table}')"),
            false => format!(
                "SELECT column_name::text, data_type::text FROM information_schema.columns \
                 WHERE table_schema = 'public' AND table_name = '{table}'"
            ),
        };
        let columns = rows(db, &columns).await.into_iter();
        tables.push((table, columns.filter(|(name, _)| name != "seq").collect()));
    }
    tables
}

/// Something that fits a column.
fn filler(kind: &str, sqlite: bool) -> &'static str {
    match kind {
        _ if kind.contains("bool") => "false",
        _ if kind.contains("text") || kind.contains("char") => "'x'",
        _ if kind.contains("int") || kind.contains("real") || kind.contains("double") => "1",
        _ if kind.contains("blob") || kind.contains("bytea") => match sqlite {
            true => "X'00'",
            false => "'\\x00'",
        },
        _ => panic!("say what fits a column of the type {kind}"),
    }
}

async fn count(db: &DatabaseConnection, table: &str, user: &str) -> i64 {
    let sql = format!("SELECT CAST(count(*) AS BIGINT) FROM {table} WHERE user_id = '{user}'");
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

#[tokio::test]
async fn every_table_of_users_is_emptied() {
    for url in [String::new(), postgres::database()] {
        let place = Place::new(url.clone());
        let open = place.open();
        for user in ["ada", "bob"] {
            open.keep(turn(user, "t", "My name is Ada.", "Hi", now() - 5))
                .await;
            open.put(user, "name", Some("Bea")).await;
        }
        drop(open);
        // The store has closed it: a SQLite file is opened by one at a time.
        let file = place.config.server.data.join("sundynix.db");
        let connect = match url.is_empty() {
            true => format!("sqlite://{}", file.display()),
            false => url.clone(),
        };
        let db = Database::connect(&connect).await.unwrap();
        let of_users: Vec<_> = tables(&db).await;
        let (of_users, others): (Vec<_>, Vec<_>) = of_users
            .into_iter()
            .partition(|(_, columns)| columns.iter().any(|(name, _)| name == "user_id"));
        let others: Vec<_> = others.into_iter().map(|(table, _)| table).collect();
        assert_eq!(others, OF_NOBODY);
        assert!(of_users.len() >= 9, "{of_users:?}");
        for (table, columns) in of_users.iter().filter(|(table, _)| table != USERS) {
            for user in ["ada", "bob"] {
                let names: Vec<_> = columns
                    .iter()
                    .map(|(name, _)| format!("\"{name}\""))
                    .collect();
                let values = columns.iter().map(|(name, kind)| match &**name {
                    "tenant" | "app" => "'default'".to_owned(),
                    "user_id" => format!("'{user}'"),
                    _ => filler(kind, url.is_empty()).to_owned(),
                });
                let values: Vec<_> = values.collect();
                let (names, values) = (names.join(", "), values.join(", "));
                let sql = format!("INSERT INTO {table} ({names}) VALUES ({values})");
                db.execute_unprepared(&sql).await.unwrap();
                assert!(count(&db, table, user).await >= 1);
            }
        }
        db.close().await.unwrap();

        let open = place.open();
        open.erase("ada").await;
        drop(open);
        let db = Database::connect(&connect).await.unwrap();
        for (table, _) in of_users.iter().filter(|(table, _)| table != USERS) {
            assert_eq!(
                count(&db, table, "ada").await,
                0,
                "{table}: an erase leaves rows in it"
            );
            // What only waits may have been settled.
            let left = count(&db, table, "bob").await;
            assert!(
                left >= 1 || table == "sundynix_outbox",
                "{table}: of others as well"
            );
        }
        db.close().await.unwrap();
    }
}
