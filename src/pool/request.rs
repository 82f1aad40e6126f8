//! What is sent to a backend, and what of it depends on who that is.

use super::Lease;
use crate::chat::renamed;
use bytes::Bytes;
use std::{borrow::Cow, sync::Arc};

/// What is sent to a backend: an OpenAI chat request; other dialects translate it.
#[derive(Clone)]
pub struct Request {
    /// The model that was resolved: a backend may know it by another name.
    pub model: Arc<str>,
    /// The request with memory merged in.
    pub body: Bytes,
    /// The request as it came, where `body` differs: a backend that answers the edited one with a
    /// 400 gets this once, and one that takes no memory gets nothing else.
    pub unedited: Option<Bytes>,
    /// Whether the answer comes as a stream.
    pub stream: bool,
    /// Whether the caller wants the chunk of usage, which is always asked for.
    pub show_usage: bool,
}

impl Request {
    /// As it goes to the leased backend: with the model by the name that it has there, and without
    /// memory where that may not go. Nearly always that is the request as it is.
    pub fn sent_to(&self, lease: &Lease) -> Cow<'_, Request> {
        self.adapted(lease.model(), lease.backend().takes_memory())
    }

    fn adapted(&self, model: &Arc<str>, takes_memory: bool) -> Cow<'_, Request> {
        let plain = self.unedited.as_ref().filter(|_| !takes_memory);
        if *model == self.model && plain.is_none() {
            return Cow::Borrowed(self);
        }
        let mut body = plain.unwrap_or(&self.body).clone();
        if *model != self.model
            && let Some(named) = renamed(&body, model)
        {
            body = named;
        }
        Cow::Owned(Request {
            model: model.clone(),
            body,
            unedited: None,
            ..*self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_gets_its_own_name_for_the_model_and_memory_only_if_it_may() {
        let request = Request {
            model: "smart".into(),
            body: r#"{"model":"smart","messages":["remembered"]}"#.into(),
            unedited: Some(r#"{"model":"smart","messages":[]}"#.into()),
            stream: true,
            show_usage: false,
        };
        let body = |model: &str, takes| {
            let sent = request.adapted(&model.into(), takes).into_owned();
            assert_eq!(&*sent.model, model);
            String::from_utf8(sent.body.to_vec()).unwrap()
        };
        assert!(matches!(
            request.adapted(&"smart".into(), true),
            Cow::Borrowed(_)
        ));
        assert_eq!(
            body("a/b", true),
            r#"{"model":"a/b","messages":["remembered"]}"#
        );
        assert_eq!(body("smart", false), r#"{"model":"smart","messages":[]}"#);
        assert_eq!(body("a/b", false), r#"{"model":"a/b","messages":[]}"#);
    }
}
