//! `sundynix_outbox`: turns that are not settled yet, in the order they were kept. No payload:
//! the turn is in `sundynix_turn`. A row that failed too often is `dead`, and stays for a look.

use crate::{flag, number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sundynix_outbox")
            .col(number("seq").auto_increment().primary_key())
            .col(text("tenant"))
            .col(text("app"))
            .col(text("user_id"))
            .col(text("turn_id"))
            .col(flag("dead"))
            .take();
        manager.create_table(table).await?;
        let by_user = Index::create()
            .name("sundynix_outbox_by_user")
            .table("sundynix_outbox")
            .col("tenant")
            .col("app")
            .col("user_id")
            .take();
        manager.create_index(by_user).await
    }
}
