//! Errors in backends' own words: every server has another shape for them.

use crate::error::Error;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// The longest message passed on, in bytes.
const MESSAGE: usize = 2048;

/// What a backend says of its error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub message: String,
    pub code: Option<String>,
    pub param: Option<String>,
}

/// Reads an error body of any shape.
pub(super) fn read(body: &[u8]) -> Said {
    match serde_json::from_slice(body) {
        Ok(value) => of_json(&value).unwrap_or_default(),
        // A proxy's page in HTML says nothing that its status does not.
        Err(_) if body.trim_ascii_start().starts_with(b"<") => Said::default(),
        Err(_) => Said {
            message: cut(&String::from_utf8_lossy(body)),
            ..Said::default()
        },
    }
}

/// As much of an answer as tells whether it is one.
#[derive(Deserialize)]
struct Glance<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
}

/// The error in an answer whose status said nothing of one. `Err`: it is no whole JSON object.
pub(super) fn under_200(body: &[u8]) -> Result<Option<Said>, serde_json::Error> {
    let seen: Glance = serde_json::from_slice(body)?;
    let object = seen.object.map(RawValue::get);
    let failed = seen.error.is_some() || object == Some(r#""error""#);
    Ok(failed.then(|| read(body)))
}

fn of_json(value: &Value) -> Option<Said> {
    let error = match value.get("error") {
        Some(error @ Value::Object(_)) => error,
        Some(Value::String(text)) => {
            return Some(Said {
                message: cut(text),
                ..Said::default()
            });
        }
        _ => value,
    };
    let text = |key: &str| match error.get(key)? {
        Value::String(text) if !text.is_empty() => Some(cut(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let number_is_no_code = error.get("code").is_none_or(Value::is_number);
    let code = match number_is_no_code {
        true => text("type").or_else(|| text("code")),
        false => text("code").or_else(|| text("type")),
    };
    let detail = || match error.get("detail")? {
        Value::String(text) => Some(cut(text)),
        // FastAPI: [{"loc": […], "msg": …}]
        Value::Array(all) => Some(cut(all.first()?.get("msg")?.as_str()?)),
        _ => None,
    };
    Some(Said {
        message: text("message").or_else(detail)?,
        code,
        param: text("param"),
    })
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(MESSAGE);
    let clean = text[..end].trim().chars();
    clean
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect()
}

impl Said {
    /// As the caller is told of a 4xx.
    pub(super) fn refused(self, status: u16) -> Error {
        Error::Refused {
            status,
            message: match self.message.is_empty() {
                true => format!("it answered {status}"),
                false => self.message,
            },
            code: self.code,
            param: self.param,
        }
    }

    /// As the caller is told of anything else.
    pub(super) fn upstream(self, what: &str) -> Error {
        Error::Upstream(match self.message.is_empty() {
            true => what.to_owned(),
            false => format!("{what}: {}", self.message),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(message: &str, code: Option<&str>, param: Option<&str>) -> Said {
        Said {
            message: message.into(),
            code: code.map(Into::into),
            param: param.map(Into::into),
        }
    }

    #[test]
    fn every_shape_is_read() {
        for (body, expected) in [
            (
                r#"{"error":{"message":"m","type":"t","code":"c","param":"p"}}"#,
                said("m", Some("c"), Some("p")),
            ),
            (
                r#"{"error":{"message":"m","type":"t","code":400,"param":null}}"#,
                said("m", Some("t"), None),
            ),
            (
                r#"{"error":{"message":"m","code":400}}"#,
                said("m", Some("400"), None),
            ),
            (
                r#"{"error":{"message":"m","code":null}}"#,
                said("m", None, None),
            ),
            (r#"{"error":"text"}"#, said("text", None, None)),
            (r#"{"message":"m"}"#, said("m", None, None)),
            (r#"{"detail":"d"}"#, said("d", None, None)),
            (
                r#"{"detail":[{"loc":["body"],"msg":"d"}]}"#,
                said("d", None, None),
            ),
            (
                r#"{"object":"error","message":"m","type":"t","param":"p","code":40301}"#,
                said("m", Some("t"), Some("p")),
            ),
            ("plain \u{7}text\n", said("plain  text", None, None)),
            ("<html>502</html>", Said::default()),
            ("", Said::default()),
            ("[1]", Said::default()),
        ] {
            assert_eq!(read(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let long = "中".repeat(2000);
        assert_eq!(read(long.as_bytes()).message.chars().count(), MESSAGE / 3);
    }

    #[test]
    fn an_answer_is_no_error() {
        let said = |body: &str| under_200(body.as_bytes()).ok();
        assert_eq!(said(r#"{"choices":[],"error":null}"#), Some(None));
        assert_eq!(said("data: {}"), None);
        assert_eq!(said(r#"{"choices":["#), None);
        assert!(said(r#"{"error":"x"}"#).unwrap().is_some());
        let object = r#"{"object":"error","message":"x"}"#;
        assert!(said(object).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(
            words in prop::collection::vec(prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"error\"", "\"message\"", "\"code\"", "\"detail\"",
                "\"msg\"", "null", "7", "\"\\ud800\"", "\"", "中", "<html>",
            ]), 0..24),
            bytes in prop::collection::vec(any::<u8>(), 0..16),
        ) {
            for body in [[words.concat().as_bytes(), &bytes[..]].concat(), bytes.clone()] {
                read(&body);
                let _ = under_200(&body);
            }
        }
    }
}
