//! Versions as HTTP tells them: a profile's version is its `ETag`; `If-None-Match` asks whether it is
//! another, `If-Match` wants a change on this one alone.

use crate::{error::Error, memory::Profile};
use actix_web::{
    HttpRequest,
    http::header::{self, HeaderName},
};

/// The tag of a profile that nobody has written yet.
const NOTHING: &str = "\"0\"";

/// The `ETag`.
pub fn tag(profile: &Profile) -> String {
    format!("\"{}\"", profile.version)
}

/// Whether `If-None-Match` names this tag. `*` is any profile that there is.
pub fn is_known(req: &HttpRequest, tag: &str) -> bool {
    let known = req.headers().get_all(header::IF_NONE_MATCH);
    let mut known = known
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','));
    known.any(|known| match strong(known) {
        "*" => tag != NOTHING,
        known => known == tag,
    })
}

/// An entity tag without the mark that compressing proxies put before it.
fn strong(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The version that a change is for: that of `If-Match`, where `*` is any; with `If-None-Match: *`
/// that of a profile that nobody has written yet.
pub fn on_version(req: &HttpRequest) -> Result<Option<u64>, Error> {
    const IF_MATCH: HeaderName = header::IF_MATCH;
    const IF_NONE_MATCH: HeaderName = header::IF_NONE_MATCH;
    let mut tags = req.headers().get_all(IF_MATCH);
    let Some(tag) = tags.next() else {
        return match req.headers().get(IF_NONE_MATCH) {
            None => Ok(None),
            Some(any) if any == "*" => Ok(Some(0)),
            Some(_) => Err(Error::invalid(
                "If-None-Match",
                "takes * where something is changed",
            )),
        };
    };
    if req.headers().contains_key(IF_NONE_MATCH) {
        return Err(Error::invalid("If-None-Match", "does not go with If-Match"));
    }
    let tag = tag
        .to_str()
        .ok()
        .map(strong)
        .filter(|_| tags.next().is_none());
    if tag == Some("*") {
        return Ok(None);
    }
    let version = tag.and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
    let wrong = || Error::invalid("If-Match", "takes the ETag of one version, as \"3\"");
    version.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn if_match_is_one_version() {
        let version = |tag: &'static str| {
            let req = TestRequest::default().insert_header(("if-match", tag));
            on_version(&req.to_http_request())
        };
        assert_eq!(
            on_version(&TestRequest::default().to_http_request()).unwrap(),
            None
        );
        assert_eq!(version("*").unwrap(), None);
        assert_eq!(version("\"3\"").unwrap(), Some(3));
        assert_eq!(version("W/\"3\"").unwrap(), Some(3));
        for odd in ["3", "\"abc\"", "\"1\", \"2\"", "", "\"-1\""] {
            assert_eq!(version(odd).unwrap_err().field(), Some("If-Match"), "{odd}");
        }
    }

    #[test]
    fn if_none_match_is_known_or_nothing() {
        let with = |tag: &'static str| {
            let req = TestRequest::default().insert_header(("if-none-match", tag));
            req.to_http_request()
        };
        for (tag, at, known) in [
            ("*", "\"3\"", true),
            ("*", "\"0\"", false),
            ("\"2\", W/\"3\"", "\"3\"", true),
            ("\"2\"", "\"3\"", false),
        ] {
            assert_eq!(is_known(&with(tag), at), known, "{tag} {at}");
        }
        assert_eq!(on_version(&with("*")).unwrap(), Some(0));
        let odd = on_version(&with("\"3\"")).unwrap_err();
        assert_eq!(odd.field(), Some("If-None-Match"));
    }
}
