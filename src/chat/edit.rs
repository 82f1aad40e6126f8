//! Edits.
/// Edits to a body, by span.
pub struct Edits {}
