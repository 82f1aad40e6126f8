//! Which servers a request has come through: each sundynix that asks another one adds its name to a
//! header. One that finds its own there is asked by itself, over servers that keep each other's
//! profiles, and says so at once instead of asking on until every deadline has passed.

use http::{HeaderName, HeaderValue};
use std::sync::Arc;

/// The header; that it is there says that a request comes from a sundynix, which asks for its own
/// user.
pub const PASSED_ON: HeaderName = HeaderName::from_static("x-sundynix-passed-on");
/// No way is longer, circle or not.
const MOST: usize = 8;

tokio::task_local! {
    /// The way of the request that is served.
    static WAY: Way;
}

/// Names, in their order.
#[derive(Clone, Default)]
pub struct Way(Arc<[Box<str>]>);

/// Rides with a request to the other server: the way there.
#[derive(Clone)]
pub struct Via(pub HeaderValue);

impl Way {
    /// As the header tells it; what cannot be one of our names is none.
    pub fn read(header: &HeaderValue) -> Way {
        let names = header.to_str().unwrap_or_default().split(',');
        Way(names.take(MOST).map(|name| name.trim().into()).collect())
    }

    /// The way of the request that is served, if it came from a sundynix.
    pub fn here() -> Way {
        WAY.try_with(Clone::clone).unwrap_or_default()
    }

    /// Serves a request that came on it.
    pub async fn serving<T>(self, work: impl Future<Output = T>) -> T {
        WAY.scope(self, work).await
    }

    /// Whether it leads back to the server of this name, or nowhere.
    pub fn is_circle(&self, name: &str) -> bool {
        self.0.len() >= MOST || self.0.iter().any(|known| **known == *name)
    }

    /// The header for the next server.
    pub fn on(&self, name: &str) -> HeaderValue {
        let names = self.0.iter().map(|known| &**known);
        let names: Vec<_> = names.chain([name]).collect();
        // They have come as one.
        HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_is_on_the_way_knows() {
        assert!(!Way::here().is_circle("a"));
        let there = Way::read(&Way::here().on("a"));
        let back = there.serving(async { Way::read(&Way::here().on("b")) });
        let back = back.await;
        let known = |name| back.is_circle(name);
        assert_eq!([known("a"), known("b"), known("c")], [true, true, false]);
        let long = HeaderValue::from_static("1,1,1,1,1,1,1,1,1,1");
        assert!(Way::read(&long).is_circle("a"), "or else without end");
        let odd = HeaderValue::from_bytes(b"\xff").unwrap();
        assert!(!Way::read(&odd).is_circle("a"));
    }
}
