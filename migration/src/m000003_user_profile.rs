//! `sundynix_user_profile`: the resident profile, a row a slot. Without a `value` it is a
//! tombstone. A slot without a `turn_id` was `PUT` by the user: pinned.

use crate::{flag, number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sundynix_user_profile")
            .col(text("tenant"))
            .col(text("app"))
            .col(text("user_id"))
            .col(text("topic"))
            .col(text("key"))
            .col(ColumnDef::new("value").text())
            .col(number("version"))
            .col(flag("pinned"))
            .col(text("turn_id"))
            .col(text("quote"))
            .col(number("valid_from"))
            .col(number("updated_at"))
            .primary_key(
                Index::create()
                    .col("tenant")
                    .col("app")
                    .col("user_id")
                    .col("topic")
                    .col("key"),
            )
            .take();
        manager.create_table(table).await
    }
}
