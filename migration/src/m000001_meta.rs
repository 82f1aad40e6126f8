//! `sundynix_meta`: what all replicas on one database share, as the secret that keys hashes.

use crate::text;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sundynix_meta")
            .col(text("key").primary_key())
            .col(text("value"))
            .take();
        manager.create_table(table).await
    }
}
