//! Native tasks.
/// Detached tasks and their logs.
#[derive(Default)]
pub struct TaskTable {}
