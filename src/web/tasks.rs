//! Native tasks.
/// Detached tasks and their logs.
#[derive(Default)]
pub struct TaskTable {}
pub fn routes(_: &mut actix_web::web::ServiceConfig) {}
