//! What has failed a turn, and is not asked for it again.

use super::{BackendId, leg::Leg};
use std::sync::Arc;

/// See the file's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The backend.
    pub backend: BackendId,
    /// What it was asked for; another model of the same server is another thing to ask for. `None`:
    /// nothing, for it could not be reached.
    pub model: Option<Arc<str>>,
}

impl Tried {
    /// All of a backend.
    pub fn all_of(backend: BackendId) -> Self {
        Tried {
            backend,
            model: None,
        }
    }

    pub(super) fn is(&self, leg: &Leg) -> bool {
        let same = |model: &Arc<str>| *model == leg.name;
        self.backend == leg.backend.id && self.model.as_ref().is_none_or(same)
    }
}
