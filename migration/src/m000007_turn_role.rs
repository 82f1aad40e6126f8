//! `sundynix_turn`: who speaks where it is not the user (an imported item's `role`); empty: the
//! user, or the assistant where there is an answer alone.

use crate::text;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter()
            .table("sundynix_turn")
            .add_column(text("role").default(""))
            .take();
        manager.alter_table(table).await
    }
}
