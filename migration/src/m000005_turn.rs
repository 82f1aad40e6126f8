//! `sundynix_turn`: what was said, a row a turn.

use crate::{flag, number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sundynix_turn")
            .col(text("tenant"))
            .col(text("app"))
            .col(text("user_id"))
            .col(text("turn_id"))
            .col(text("conversation"))
            .col(number("at"))
            .col(text("query"))
            .col(text("answer"))
            .col(flag("complete"))
            .primary_key(
                Index::create()
                    .col("tenant")
                    .col("app")
                    .col("user_id")
                    .col("turn_id"),
            )
            .take();
        manager.create_table(table).await?;
        let by_time = Index::create()
            .name("sundynix_turn_by_time")
            .table("sundynix_turn")
            .col("tenant")
            .col("app")
            .col("user_id")
            .col("at")
            .take();
        manager.create_index(by_time).await
    }
}
