//! `sundynix_quarantine`: values that look like an instruction to the model. They are in no prompt
//! and in no profile until somebody releases them.

use crate::{flag, number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sundynix_quarantine")
            .col(number("seq").auto_increment().primary_key())
            .col(text("tenant"))
            .col(text("app"))
            .col(text("user_id"))
            .col(text("topic"))
            .col(text("key"))
            .col(text("value"))
            // Which rule it met.
            .col(text("rule"))
            // Where it came from, as in the profile.
            .col(flag("pinned"))
            .col(text("turn_id"))
            .col(text("quote"))
            .col(number("valid_from"))
            .take();
        manager.create_table(table).await?;
        let by_user = Index::create()
            .name("sundynix_quarantine_by_user")
            .table("sundynix_quarantine")
            .col("tenant")
            .col("app")
            .col("user_id")
            .take();
        manager.create_index(by_user).await
    }
}
