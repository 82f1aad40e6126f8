//! Two times: since when a slot has the value that it has (`valid_from` is also moved by saying the
//! same again), for reading the past; and since when a turn is kept, for an imported one may have
//! been said long ago.

use crate::number;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let slot = Table::alter()
            .table("sundynix_user_profile")
            .add_column(number("held_since").default(0))
            .take();
        manager.alter_table(slot).await?;
        let turn = Table::alter()
            .table("sundynix_turn")
            .add_column(number("kept_at").default(0))
            .take();
        manager.alter_table(turn).await?;
        let db = manager.get_connection();
        db.execute_unprepared("UPDATE sundynix_user_profile SET held_since = valid_from")
            .await?;
        db.execute_unprepared("UPDATE sundynix_turn SET kept_at = at")
            .await?;
        let by_age = Index::create()
            .name("sundynix_turn_by_age")
            .table("sundynix_turn")
            .col("kept_at")
            .take();
        manager.create_index(by_age).await?;
        let history = Index::create()
            .name("sundynix_profile_history_by_age")
            .table("sundynix_profile_history")
            .col("valid_to")
            .take();
        manager.create_index(history).await
    }
}
