//! `sundynix_extraction`: turns that the extraction model has not read yet, in the order they were
//! kept. No payload: the turn is in `sundynix_turn`. Empty where no such model is configured.

use crate::{flag, number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sundynix_extraction")
            .col(number("seq").auto_increment().primary_key())
            .col(text("tenant"))
            .col(text("app"))
            .col(text("user_id"))
            .col(text("turn_id"))
            // Of the user's text, roughly: what fills a flush.
            .col(number("tokens"))
            .col(number("kept_at"))
            // How often it failed, why last, and when it may be tried again.
            .col(number("attempts").default(0))
            .col(number("next_at").default(0))
            .col(text("error").default(""))
            // Failed too often: stays for a look, and can be queued again.
            .col(flag("dead"))
            .take();
        manager.create_table(table).await?;
        // A turn is read once, however often it is noted.
        let by_turn = Index::create()
            .name("sundynix_extraction_by_turn")
            .table("sundynix_extraction")
            .col("tenant")
            .col("app")
            .col("user_id")
            .col("turn_id")
            .unique()
            .take();
        manager.create_index(by_turn).await
    }
}
