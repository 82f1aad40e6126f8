use super::*;
use crate::web::{fault::unknown_route, server};
use actix_web::{
    App,
    http::{Method, header},
    test::{TestRequest, call_service, init_service},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

fn document() -> Value {
    serde_json::from_slice(&DOCUMENT).unwrap()
}

/// Path → methods.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let document = document();
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().map(|m| m.to_uppercase());
            (path.clone(), methods.collect())
        })
        .collect()
}

#[actix_web::test]
async fn every_documented_path_is_served_with_these_methods_and_no_others() {
    let app = App::new()
        .configure(server::routes)
        .default_service(web::to(unknown_route));
    let app = init_service(app).await;
    for (path, methods) in documented() {
        let uri = path.replace(['{', '}'], "");
        let request = TestRequest::with_uri(&uri)
            .method(Method::TRACE)
            .to_request();
        let response = call_service(&app, request).await;
        assert_eq!(response.status(), 405, "{path} is not served");
        let allow = response
            .headers()
            .get(header::ALLOW)
            .unwrap()
            .to_str()
            .unwrap();
        let served = allow
            .split(", ")
            .filter(|m| *m != "HEAD")
            .map(str::to_owned);
        assert_eq!(served.collect::<BTreeSet<_>>(), methods, "{path}");
    }
}

/// The paths of all `web::resource("…")` in the code of the surfaces.
fn resources(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            resources(&path, found);
            continue;
        }
        if path.ends_with("tests.rs") {
            continue;
        }
        let code = fs::read_to_string(&path).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap();
        let paths = code.split("web::resource(\"").skip(1);
        found.extend(paths.map(|rest| rest.split('"').next().unwrap().replace(":.+", "")));
    }
}

#[test]
fn every_served_route_is_documented() {
    let mut served = BTreeSet::new();
    let surfaces = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    resources(&surfaces, &mut served);
    let documented = documented().into_keys().map(|path| {
        let within = path.strip_prefix("/api/v1").or(path.strip_prefix("/v1"));
        within.unwrap_or(&path).to_owned()
    });
    assert_eq!(served, documented.collect());
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_can_fail() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let text = document.to_string();
    for name in text.split("\"#/components/schemas/").skip(1) {
        let name = name.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name}"
        );
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                operation["responses"]["default"].is_object(),
                "{method} {path}"
            );
            ids.insert(operation["operationId"].to_string());
        }
    }
    let operations = documented().values().map(BTreeSet::len).sum::<usize>();
    assert_eq!(ids.len(), operations, "an operation id is used twice");
}
