//! Why a backend gave no answer: whose fault that is, whether another may be asked, and when this
//! one wants to be asked again.

use super::{address::Forbidden, refusal};
use crate::error::Error;
use awc::{
    error::{ConnectError, SendRequestError},
    http::header::{HeaderMap, HttpDate, RETRY_AFTER},
};
use std::{
    io::ErrorKind,
    time::{Duration, SystemTime},
};

/// Longer than this nobody is kept away by a `Retry-After`: it may be a slip, and a backend that
/// still cannot will say so again.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// See the file's head.
#[derive(Debug)]
pub struct Failure {
    /// What the caller would be told.
    pub error: Error,
    /// Another backend may be asked: nothing has come yet, and the request is not to blame.
    pub elsewhere: bool,
    /// No connection was made.
    pub unreached: bool,
    /// The backend does not want to be asked again any earlier.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// The request's own fault, or one that another backend would only repeat.
    pub fn here(error: Error) -> Self {
        Failure {
            error,
            elsewhere: false,
            unreached: false,
            retry_after: None,
        }
    }

    /// Not the request's fault.
    pub fn elsewhere(error: Error) -> Self {
        Failure {
            elsewhere: true,
            ..Failure::here(error)
        }
    }

    /// The backend did not hold to its protocol.
    pub fn upstream(what: impl Into<String>) -> Self {
        Failure::elsewhere(Error::Upstream(what.into()))
    }

    /// Whether asking took hardly anything of a backend: nothing was there, or it has no such model.
    /// Asking the next one is then no part of a storm.
    pub fn cost_nothing(&self) -> bool {
        self.unreached || matches!(self.error, Error::Refused { status: 404, .. })
    }

    /// No answer came.
    pub(super) fn unanswered(error: SendRequestError) -> Self {
        let unreached = match &error {
            SendRequestError::Connect(error) => !matches!(error, ConnectError::Disconnected),
            _ => false,
        };
        Failure {
            unreached,
            ..Failure::upstream(describe(error))
        }
    }

    /// An answer with this status, which is none of the good ones.
    ///
    /// Asked elsewhere are 408, 425 and 429 (this backend cannot now), 5xx (a crash here says
    /// nothing of the next), 401, 403 and 3xx (what is wrong is our configuration of this one) and
    /// 404 (it has lost the model that others serve). All other 4xx are about the request.
    pub(super) fn of_status(status: u16, text: &[u8]) -> Self {
        match status {
            // Its words may show our key, and the caller can do nothing about it.
            401 | 403 => Failure::upstream("it refused our credentials; check its `api_key`"),
            300..400 => {
                Failure::upstream(format!("it answered {status}; redirects are not followed"))
            }
            400..500 => Failure {
                elsewhere: matches!(status, 404 | 408 | 425 | 429),
                ..Failure::here(refusal::read(text).refused(status))
            },
            _ => {
                let what = format!("it answered {status}");
                Failure::elsewhere(refusal::read(text).upstream(&what))
            }
        }
    }
}

/// When a backend wants to be asked again: seconds, a date, or milliseconds as OpenAI writes them.
pub(super) fn retry_after(head: &HeaderMap) -> Option<Duration> {
    let value = |name: &str| head.get(name)?.to_str().ok().map(str::trim);
    let millis = || {
        value("retry-after-ms")?
            .parse()
            .ok()
            .map(Duration::from_millis)
    };
    let said = value(RETRY_AFTER.as_str()).and_then(|said| match said.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let until: SystemTime = said.parse::<HttpDate>().ok()?.into();
            until.duration_since(SystemTime::now()).ok()
        }
    });
    let wait = millis().or(said)?;
    Some(wait.min(LONGEST_REST))
}

/// Closed before a byte of an answer came.
pub(super) fn is_stale(error: &SendRequestError) -> bool {
    let reset = |kind| {
        matches!(
            kind,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
        )
    };
    match error {
        SendRequestError::Connect(ConnectError::Disconnected) => true,
        SendRequestError::Send(error) => reset(error.kind()),
        SendRequestError::Response(actix_web::error::ParseError::Io(error)) => reset(error.kind()),
        _ => false,
    }
}

/// In our own words: a library's may show a URL.
pub(super) fn describe(error: SendRequestError) -> String {
    match error {
        SendRequestError::Connect(ConnectError::Disconnected) | SendRequestError::Send(_) => {
            "it closed the connection without an answer".into()
        }
        SendRequestError::Connect(ConnectError::Timeout) => "connecting took too long".into(),
        SendRequestError::Connect(ConnectError::Resolver(_) | ConnectError::NoRecords) => {
            "its host name is not known".into()
        }
        SendRequestError::Connect(ConnectError::Io(error))
            if error.get_ref().is_some_and(|e| e.is::<Forbidden>()) =>
        {
            Forbidden.to_string()
        }
        SendRequestError::Connect(ConnectError::Io(error)) => {
            match error
                .get_ref()
                .and_then(|e| e.downcast_ref::<rustls::Error>())
            {
                Some(error) => format!("no secure connection to it ({error})"),
                None => format!("it cannot be reached ({})", error.kind()),
            }
        }
        SendRequestError::Connect(_) => "it cannot be reached".into(),
        SendRequestError::Response(actix_web::error::ParseError::Io(_)) => {
            "it broke off before its answer".into()
        }
        _ => "what it answered is not HTTP".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use awc::http::header::{HeaderName, HeaderValue};

    #[test]
    fn every_way_to_say_when() {
        let asked = |name: &'static str, value: &str| {
            let mut head = HeaderMap::new();
            let value = HeaderValue::from_str(value).unwrap();
            head.insert(HeaderName::from_static(name), value);
            retry_after(&head)
        };
        let after = "retry-after";
        assert_eq!(asked(after, "7"), Some(Duration::from_secs(7)));
        assert_eq!(asked(after, "86400"), Some(LONGEST_REST));
        assert_eq!(
            asked("retry-after-ms", "20"),
            Some(Duration::from_millis(20))
        );
        for nothing in ["soon", "-1", "", "Mon, 01 Jan 2001 00:00:00 GMT"] {
            assert_eq!(asked(after, nothing), None, "{nothing}");
        }
        let date = HttpDate::from(SystemTime::now() + Duration::from_secs(30)).to_string();
        let wait = asked(after, &date).unwrap();
        assert!(
            wait <= Duration::from_secs(30) && wait > Duration::from_secs(20),
            "{wait:?}"
        );
    }
}
