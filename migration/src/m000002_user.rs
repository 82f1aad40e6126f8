//! `sundynix_user`: one row a user, which every write of theirs locks first.
//! `version` is the profile's ETag; `epoch` the last erase, older write-backs are dropped; `mark`
//! rises with every write that a cached copy of the user would have to know of.

use crate::{number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sundynix_user")
            .col(text("tenant"))
            .col(text("app"))
            .col(text("user_id"))
            .col(number("version").default(0))
            .col(number("epoch").default(0))
            .col(number("mark").default(0))
            .col(text("settings").default("{}"))
            .primary_key(Index::create().col("tenant").col("app").col("user_id"))
            .take();
        manager.create_table(table).await
    }
}
