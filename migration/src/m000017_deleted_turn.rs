//! `sundynix_deleted_turn`: ids of turns that were deleted one by one. A write-back of theirs that
//! began before does not bring them back.

use crate::{number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sundynix_deleted_turn")
            .col(text("tenant"))
            .col(text("app"))
            .col(text("user_id"))
            .col(text("turn_id"))
            .col(number("deleted_at"))
            .primary_key(
                Index::create()
                    .col("tenant")
                    .col("app")
                    .col("user_id")
                    .col("turn_id"),
            )
            .take();
        manager.create_table(table).await
    }
}
