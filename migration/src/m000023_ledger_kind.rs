//! `sundynix_ledger` by kind: what was spent on reading turns is one thing, what recall puts into
//! prompts another, and there may be more. A kind is a row, so that a new one needs no column.

use crate::{number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("ALTER TABLE sundynix_ledger RENAME TO sundynix_ledger_before")
            .await?;
        let table = Table::create()
            .table("sundynix_ledger")
            .col(text("tenant"))
            .col(text("app"))
            .col(text("user_id"))
            .col(number("day"))
            .col(text("kind"))
            .col(number("calls"))
            .col(number("prompt_tokens"))
            .col(number("completion_tokens"))
            .primary_key(
                Index::create()
                    .col("tenant")
                    .col("app")
                    .col("user_id")
                    .col("day")
                    .col("kind"),
            )
            .take();
        manager.create_table(table).await?;
        db.execute_unprepared(
            "INSERT INTO sundynix_ledger (tenant, app, user_id, day, kind, calls, prompt_tokens, \
             completion_tokens) SELECT tenant, app, user_id, day, 'extraction', calls, \
             prompt_tokens, completion_tokens FROM sundynix_ledger_before",
        )
        .await?;
        db.execute_unprepared("DROP TABLE sundynix_ledger_before")
            .await?;
        Ok(())
    }
}
