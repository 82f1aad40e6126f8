//! Query strings, read strictly: a parameter that is not known is a mistake that its sender wants
//! to hear of.

use crate::error::Error;
use actix_web::{HttpRequest, web};

/// The parameters of one request.
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads them; `known` are all there are.
    pub fn read(req: &HttpRequest, known: &[&str]) -> Result<Self, Error> {
        let wrong = |_| Error::invalid("the query", "the query string cannot be read");
        let pairs = web::Query::<Vec<(String, String)>>::from_query(req.query_string());
        let pairs = pairs.map_err(wrong)?.into_inner();
        for (at, (name, _)) in pairs.iter().enumerate() {
            let named: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            if !known.contains(&&**name) {
                let detail = match known {
                    [] => "this takes no query parameters".to_owned(),
                    known => format!("this is no parameter here; there are: {}", known.join(", ")),
                };
                return Err(Error::invalid(named, detail));
            }
            if pairs[..at].iter().any(|(before, _)| before == name) {
                return Err(Error::invalid(named, "this parameter is there twice"));
            }
        }
        Ok(Query(pairs))
    }

    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| &**value)
    }

    /// The value of one that is either `true` or `false` (or not there).
    pub fn flag(&self, name: &'static str) -> Result<bool, Error> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::invalid(name, "takes true or false")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn read(uri: &str) -> Result<Query, Error> {
        let req = TestRequest::with_uri(uri).to_http_request();
        Query::read(&req, &["detail", "cap"])
    }

    #[test]
    fn what_is_not_known_is_named() {
        let query = read("/x?detail=true&cap=a%20b").unwrap();
        assert_eq!(query.get("cap"), Some("a b"));
        assert!(query.flag("detail").unwrap());
        assert!(!read("/x").unwrap().flag("detail").unwrap());
        for (uri, field) in [
            ("/x?as_of=1", "as_of"),
            ("/x?detail=1&detail=2", "detail"),
            ("/x?=", ""),
        ] {
            assert_eq!(read(uri).err().unwrap().field(), Some(field));
        }
        let odd = read("/x?detail=yes").unwrap();
        assert_eq!(odd.flag("detail").unwrap_err().field(), Some("detail"));
    }
}
