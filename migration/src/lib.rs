//! The schema of sundynix, one file a table. Times are Unix milliseconds; every table carries the
//! prefix `sundynix_` and every user's row tenant, app and user, so that one database can be
//! shared with others and one user's rows never meet another's.

mod m000001_meta;
mod m000002_user;
mod m000003_user_profile;
mod m000004_profile_history;
mod m000005_turn;
mod m000006_outbox;
mod m000007_turn_role;
mod m000010_extraction;
mod m000011_quarantine;
mod m000012_ledger;
mod m000015_user_deleted_at;
mod m000016_times;
mod m000017_deleted_turn;
mod m000018_audit;
mod m000020_embedding;
mod m000023_ledger_kind;
mod m000024_turn_mark;
mod m000025_embedding_mark;
mod m000026_extraction_claim;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// Applies what is missing.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m000001_meta::Migration),
            Box::new(m000002_user::Migration),
            Box::new(m000003_user_profile::Migration),
            Box::new(m000004_profile_history::Migration),
            Box::new(m000005_turn::Migration),
            Box::new(m000006_outbox::Migration),
            Box::new(m000007_turn_role::Migration),
            Box::new(m000010_extraction::Migration),
            Box::new(m000011_quarantine::Migration),
            Box::new(m000012_ledger::Migration),
            Box::new(m000015_user_deleted_at::Migration),
            Box::new(m000016_times::Migration),
            Box::new(m000017_deleted_turn::Migration),
            Box::new(m000018_audit::Migration),
            Box::new(m000020_embedding::Migration),
            Box::new(m000023_ledger_kind::Migration),
            Box::new(m000024_turn_mark::Migration),
            Box::new(m000025_embedding_mark::Migration),
            Box::new(m000026_extraction_claim::Migration),
        ]
    }

    fn migration_table_name() -> DynIden {
        "sundynix_migration".into_iden()
    }
}

/// A text column that is always there.
fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().take()
}

/// A 64-bit number that is always there.
fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

/// A yes or no, no by default.
fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(name)
        .boolean()
        .not_null()
        .default(false)
        .take()
}
