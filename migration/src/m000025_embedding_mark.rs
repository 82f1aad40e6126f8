//! The mark of the commit that kept a vector: a replica that knows its user reads only those that
//! came since.

use crate::number;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let embedding = Table::alter()
            .table("sundynix_embedding")
            .add_column(number("mark").default(0))
            .take();
        manager.alter_table(embedding).await
    }
}
