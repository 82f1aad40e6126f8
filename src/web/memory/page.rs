//! What lists have in common: how much of one is asked for, where it goes on, and times.

use crate::{
    error::Error,
    web::{moment::moment, query::Query},
};
use serde_json::Value;
use std::fmt::Write;

/// Of a page, unless asked otherwise; and at most.
const LIMIT: u64 = 50;
const MOST: u64 = 200;

/// How many are asked for.
pub fn limit(query: &Query) -> Result<u64, Error> {
    let Some(limit) = query.get("limit") else {
        return Ok(LIMIT);
    };
    // What is no number is no limit either.
    limited(Some(limit.parse().unwrap_or(0)))
}

/// How many that comes to.
pub fn limited(limit: Option<u64>) -> Result<u64, Error> {
    let limit = Some(limit.unwrap_or(LIMIT)).filter(|n| (1..=MOST).contains(n));
    limit.ok_or_else(|| Error::invalid("limit", format!("takes 1 to {MOST}")))
}

/// A cursor that goes on after a row. Hex, for nobody should read more into it.
pub fn cursor(row: &str) -> String {
    row.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The row that a cursor goes on after.
pub fn after(query: &Query) -> Result<Option<String>, Error> {
    query.get("cursor").map(row).transpose()
}

fn row(cursor: &str) -> Result<String, Error> {
    let pairs = cursor.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|p| p.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    let bytes: Option<Vec<u8>> = pairs.collect();
    let row = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    row.ok_or_else(no_cursor)
}

/// The number that a cursor goes on after.
pub fn after_number(cursor: Option<&str>) -> Result<Option<i64>, Error> {
    let number = |cursor| row(cursor)?.parse().map_err(|_| no_cursor());
    cursor.map(number).transpose()
}

/// It is none of ours.
pub fn no_cursor() -> Error {
    Error::invalid("cursor", "takes the `next` of the page before")
}

/// The moment that `as_of` names, in Unix milliseconds.
pub fn as_of(text: &str) -> Result<i64, Error> {
    // In a query a plus is a space.
    let text = match text.rfind(' ') {
        Some(at) if at > "2026-11-25".len() => text.replace(' ', "+"),
        _ => text.to_owned(),
    };
    moment(|| "as_of".into(), &Value::String(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn query(text: &str) -> Query {
        let req = TestRequest::with_uri(&format!("/x?{text}")).to_http_request();
        Query::read(&req, &["limit", "cursor"]).unwrap()
    }

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        for row in ["", "12-ab", "7-轮"] {
            let asked = query(&format!("cursor={}", cursor(row)));
            assert_eq!(after(&asked).unwrap().as_deref(), Some(row));
        }
        for odd in ["cursor=zz", "cursor=abc", "cursor=ff", "cursor=%C3%A9"] {
            assert_eq!(after(&query(odd)).unwrap_err().field(), Some("cursor"));
        }
        assert_eq!(after(&query("")).unwrap(), None);
    }

    #[test]
    fn limits_and_moments() {
        assert_eq!(limit(&query("limit=7")).unwrap(), 7);
        for odd in ["limit=0", "limit=201", "limit=x", "limit=-1"] {
            assert_eq!(limit(&query(odd)).unwrap_err().field(), Some("limit"));
        }
        assert_eq!(as_of("1700000000123").unwrap(), 1_700_000_000_123);
        assert_eq!(
            as_of("2023-11-14T22:13:20.123Z").unwrap(),
            1_700_000_000_123
        );
        assert_eq!(
            as_of("2023-11-15T00:13:20.123 02:00").unwrap(),
            1_700_000_000_123
        );
        assert_eq!(as_of("yesterday").unwrap_err().field(), Some("as_of"));
    }
}
