//! `sundynix_extraction`: which replica has a turn read, and until when the others leave it alone.

use crate::{number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for column in [
            text("claimed_by").default("").take(),
            number("claimed_until").default(0).take(),
        ] {
            let table = Table::alter()
                .table("sundynix_extraction")
                .add_column(column)
                .take();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
