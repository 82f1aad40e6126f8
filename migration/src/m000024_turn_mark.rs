//! What has changed of a user since a mark: a turn bears the mark of the commit that wrote it last,
//! and a user the mark of the last deletion. So a replica that knows a user as of a mark reads what
//! came after it, and all only where something was taken away.

use crate::number;
use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let turn = Table::alter()
            .table("sundynix_turn")
            .add_column(number("mark").default(0))
            .take();
        manager.alter_table(turn).await?;
        let user = Table::alter()
            .table("sundynix_user")
            .add_column(number("deleted_mark").default(0))
            .take();
        manager.alter_table(user).await?;
        // A SQLite file has one owner, who knows without asking: there it would only cost.
        if manager.get_database_backend() != DatabaseBackend::Postgres {
            return Ok(());
        }
        let by_mark = Index::create()
            .name("sundynix_turn_by_mark")
            .table("sundynix_turn")
            .col("tenant")
            .col("app")
            .col("user_id")
            .col("mark")
            .take();
        manager.create_index(by_mark).await
    }
}
