//! `sundynix_audit`: who read or erased what of somebody else's memory, and when. Whose it was is a
//! keyed hash: an erase leaves no user id here, and who knows one can still look it up.

use crate::{number, text};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sundynix_audit")
            .col(number("seq").auto_increment().primary_key())
            .col(number("at"))
            .col(text("tenant"))
            .col(text("actor"))
            .col(text("request_id"))
            .col(text("action"))
            .col(text("subject"))
            .take();
        manager.create_table(table).await?;
        let by_subject = Index::create()
            .name("sundynix_audit_by_subject")
            .table("sundynix_audit")
            .col("tenant")
            .col("subject")
            .take();
        manager.create_index(by_subject).await
    }
}
