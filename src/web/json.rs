//! JSON bodies of our own surfaces: the error names the path at fault and what would be right, and
//! repeats nothing of what was sent.

use crate::error::Error;
use serde::de::DeserializeOwned;

/// What some editors and Windows tools write before UTF-8; it says nothing.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads a body that is an object, strictly.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let body = body.strip_prefix(MARK).unwrap_or(body);
    // serde would take an array for a struct, member by member.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Error::invalid("the body", "expected a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        // serde_json calls a `null` for one of a few words bad syntax.
        let well_formed = || serde_json::from_slice::<serde_json::Value>(body).is_ok();
        match error.inner() {
            inner if !inner.is_data() && well_formed() => expected(&path, "a string"),
            inner => wrong(&path, inner),
        }
    })?;
    json.end().map_err(|error| wrong(".", &error))?;
    Ok(read)
}

/// Reads a line of many: where in the body it stands, only its caller knows.
pub fn parse_line<T: DeserializeOwned>(line: usize, text: &str) -> Result<T, Error> {
    parse(text.as_bytes()).map_err(|error| match error {
        Error::Invalid { field, detail } => {
            let detail = detail.replace("the body is not JSON (line 1, ", "it is not JSON (");
            let field = match &*field {
                "the body" => format!("line {line}"),
                field => format!("line {line}: {field}"),
            };
            Error::invalid(field, detail)
        }
        error => error,
    })
}

fn wrong(path: &str, error: &serde_json::Error) -> Error {
    if !error.is_data() {
        let (line, column) = (error.line(), error.column());
        let detail = format!("the body is not JSON (line {line}, column {column})");
        return Error::invalid("the body", detail);
    }
    let said = error.to_string();
    let quoted = |word: &str| {
        let rest = said.split_once(word)?.1;
        Some(rest.split('`').nth(1)?.to_owned())
    };
    let (parent, inside) = match path {
        "." | "?" => (String::new(), String::new()),
        path => (path.to_owned(), format!("{path}.")),
    };
    if let Some(name) = quoted("missing field") {
        return Error::invalid(format!("{inside}{name}"), format!("`{name}` is missing"));
    }
    if quoted("unknown field").is_some() {
        // The path ends in the unknown name already.
        let known = said.split_once("expected ").map(|(_, names)| names);
        let known = known.map(|names| names.split(" at line").next().unwrap_or(names));
        let detail = format!(
            "this field is not known here; expected {}",
            known.unwrap_or("none")
        );
        return Error::invalid(short(&parent), detail);
    }
    if let Some(name) = quoted("duplicate field") {
        return Error::invalid(name, "this field is there twice");
    }
    let what = said.rsplit_once("expected ").map(|(_, what)| what);
    let what = what.map(|what| what.split(" at line").next().unwrap_or(what));
    expected(path, what.unwrap_or("another value"))
}

/// What the value at a path has to be, in JSON's words rather than Rust's.
fn expected(path: &str, what: &str) -> Error {
    let field = match path {
        "." | "?" => "the body".into(),
        path => short(path),
    };
    let what = match what {
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number of 0 or more",
        "i64" | "i32" => "a whole number",
        "f64" | "f32" => "a number",
        "a map" => "an object",
        "a sequence" => "an array",
        what if what.starts_with("struct ") => "an object",
        what => what,
    };
    Error::invalid(field, format!("expected {what}"))
}

/// A path may hold names the caller made up.
fn short(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[allow(dead_code)]
        query: String,
        #[serde(default)]
        #[allow(dead_code)]
        meta: BTreeMap<String, String>,
        #[serde(default)]
        #[allow(dead_code)]
        mode: Option<Vec<crate::config::Mode>>,
    }

    #[test]
    fn the_path_is_named_and_nothing_is_repeated() {
        for (body, field) in [
            (r#"{"query": "secret"#, "the body"),
            (r#"["secret"]"#, "the body"),
            (r#"{}"#, "query"),
            (r#"{"query": 5}"#, "query"),
            (r#"{"query": "q", "meta": {"a": ["secret"]}}"#, "meta.a"),
            (r#"{"query": "q", "model_": "secret"}"#, "model_"),
            (r#"{"query": "q", "query": "secret"}"#, "query"),
            (r#"{"query": "q"} secret"#, "the body"),
            ("\u{FEFF}\u{FEFF}{}", "the body"),
        ] {
            let error = parse::<Body>(body.as_bytes()).unwrap_err();
            assert_eq!(error.field(), Some(field), "{body}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_byte_order_mark_says_nothing() {
        assert!(parse::<Body>("\u{FEFF}{\"query\": \"q\"}".as_bytes()).is_ok());
    }

    #[test]
    fn what_is_expected_is_said_in_words_of_json() {
        for (meta, field, detail) in [
            (r#""meta": []"#, "meta", "expected an object"),
            (r#""mode": {}"#, "mode", "expected an array"),
            (r#""mode": [null]"#, "mode[0]", "expected a string"),
        ] {
            let body = format!(r#"{{"query": "q", {meta}}}"#);
            let error = parse::<Body>(body.as_bytes()).unwrap_err();
            assert_eq!(error.field(), Some(field), "{body}: {error}");
            assert_eq!(error.to_string(), detail, "{body}");
        }
    }
}
