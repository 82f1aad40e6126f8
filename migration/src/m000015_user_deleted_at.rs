//! `sundynix_user`: when a turn of theirs was deleted last (0: never), so that keeping turns looks
//! for deleted ones only where there are some.

use crate::number;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter()
            .table("sundynix_user")
            .add_column(number("deleted_at").default(0))
            .take();
        manager.alter_table(table).await
    }
}
