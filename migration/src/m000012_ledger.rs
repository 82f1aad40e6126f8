//! `sundynix_ledger`: tokens that a user's memory cost, by day (UTC, as days since 1970).

use crate::{number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sundynix_ledger")
            .col(text("tenant"))
            .col(text("app"))
            .col(text("user_id"))
            .col(number("day"))
            .col(number("calls"))
            .col(number("prompt_tokens"))
            .col(number("completion_tokens"))
            .primary_key(
                Index::create()
                    .col("tenant")
                    .col("app")
                    .col("user_id")
                    .col("day"),
            )
            .take();
        manager.create_table(table).await
    }
}
