//! What a backend says in the head of its answer beyond the answer itself (`x-ratelimit-…`,
//! `openai-processing-ms`): callers may know what to do with it. Only such names pass; how the
//! answer is framed, kept or cached on its way is between two neighbours each.

use awc::http::header::{HeaderMap, HeaderName, HeaderValue};

/// Names that are told to callers begin so …
const TOLD: [&str; 2] = ["x-", "openai-"];
/// … except what sundynix says itself.
const OWN: [&str; 3] = ["x-request-id", "x-accel-", "x-sundynix-"];

/// Headers to pass on.
pub type Extras = Vec<(HeaderName, HeaderValue)>;

/// Picks them.
pub(super) fn extras(head: &HeaderMap) -> Extras {
    let begins = |name: &str, with: &[&str]| with.iter().any(|start| name.starts_with(start));
    let told = |name: &HeaderName| begins(name.as_str(), &TOLD) && !begins(name.as_str(), &OWN);
    let told = head.iter().filter(|(name, _)| told(name));
    told.map(|(n, v)| (n.clone(), v.clone())).collect()
}
