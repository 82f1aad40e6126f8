//! `sundynix_profile_history`: values that were superseded or deleted, and when they held.

use crate::{flag, number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sundynix_profile_history")
            .col(number("seq").auto_increment().primary_key())
            .col(text("tenant"))
            .col(text("app"))
            .col(text("user_id"))
            .col(text("topic"))
            .col(text("key"))
            .col(text("value"))
            .col(number("version"))
            .col(flag("pinned"))
            .col(text("turn_id"))
            .col(text("quote"))
            .col(number("valid_from"))
            .col(number("valid_to"))
            .take();
        manager.create_table(table).await?;
        let by_user = Index::create()
            .name("sundynix_profile_history_by_user")
            .table("sundynix_profile_history")
            .col("tenant")
            .col("app")
            .col("user_id")
            .take();
        manager.create_index(by_user).await
    }
}
