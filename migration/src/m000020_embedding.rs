//! `sundynix_embedding`: what each side of a turn means, as one embedding model puts it, a byte a
//! dimension. A row without dimensions is a text that the model refuses.

use crate::{flag, number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sundynix_embedding")
            .col(text("tenant"))
            .col(text("app"))
            .col(text("user_id"))
            .col(text("turn_id"))
            .col(flag("answer"))
            .col(text("model"))
            .col(number("dims"))
            .col(ColumnDef::new("vector").blob().not_null())
            .primary_key(
                Index::create()
                    .col("tenant")
                    .col("app")
                    .col("user_id")
                    .col("turn_id")
                    .col("answer"),
            )
            .take();
        manager.create_table(table).await
    }
}
