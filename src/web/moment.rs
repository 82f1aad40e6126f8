//! Moments as callers write them: ISO 8601 (without an offset: UTC; a date alone: its beginning),
//! or a Unix time, in milliseconds where it is too large for seconds.

use crate::error::Error;
use serde_json::Value;
use time::{
    Date, OffsetDateTime, PrimitiveDateTime,
    format_description::well_known::{Iso8601, Rfc3339},
};

/// Smaller numbers are years or mistakes, not times.
const SECONDS_BEGIN: f64 = 1e8;
/// Seconds of the year 5138; as milliseconds, 1973.
const SECONDS_END: f64 = 1e11;

/// Unix milliseconds; the error names `field`.
pub fn moment(field: impl FnOnce() -> String, value: &Value) -> Result<i64, Error> {
    let read = match value {
        Value::Number(number) => number.as_f64().and_then(unix),
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => unix(number),
            Err(_) => iso(text.trim()),
        },
        _ => None,
    };
    read.ok_or_else(|| {
        let detail = "takes a time: ISO 8601 (2026-05-08T13:56:00Z) or a Unix time";
        Error::invalid(field(), detail)
    })
}

fn unix(number: f64) -> Option<i64> {
    if number.abs() < SECONDS_BEGIN {
        return None;
    }
    let ms = match number.abs() < SECONDS_END {
        true => number * 1000.0,
        false => number,
    };
    (ms.abs() < 2.5e14).then_some(ms as i64)
}

fn iso(text: &str) -> Option<i64> {
    let text = match text.as_bytes().get(10) {
        Some(b' ') => text.replacen(' ', "T", 1),
        _ => text.to_owned(),
    };
    let there = OffsetDateTime::parse(&text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&text, &Iso8601::PARSING));
    let utc =
        || PrimitiveDateTime::parse(&text, &Iso8601::PARSING).map(PrimitiveDateTime::assume_utc);
    // A date is read from what has a time too, and a wrong time with it.
    let day = || match text.contains('T') {
        true => None,
        false => Date::parse(&text, &Iso8601::PARSING).ok(),
    };
    let day = || day().map(|day| day.midnight().assume_utc());
    let at = there.or_else(|_| utc()).ok().or_else(day)?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

/// As shown to callers.
pub fn shown(at_ms: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000);
    at.ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_people_write() {
        let noon = 1_641_038_400_000;
        for value in [
            json!("2022-01-01T12:00:00"),
            json!("2022-01-01 12:00:00"),
            json!("2022-01-01T12:00"),
            json!("2022-01-01T12:00:00Z"),
            json!("2022-01-01T14:00:00+02:00"),
            json!("2022-01-01T12:00:00.000Z"),
            json!(1_641_038_400),
            json!("1641038400"),
            json!(1_641_038_400_000_i64),
        ] {
            assert_eq!(moment(|| "ts".into(), &value).unwrap(), noon, "{value}");
        }
        let day = moment(|| "ts".into(), &json!("2022-01-01")).unwrap();
        assert_eq!(day, noon - 12 * 3_600_000);
        assert_eq!(shown(noon), "2022-01-01T12:00:00Z");
        for value in [
            json!("yesterday"),
            json!(null),
            json!([1]),
            json!(1e300),
            json!("2026"),
            json!("2026-11-01T23:59:60Z"),
            json!(2026),
            json!(""),
        ] {
            assert!(moment(|| "ts".into(), &value).is_err(), "{value}");
        }
    }
}
