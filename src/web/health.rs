//! x
pub fn routes(_: &mut actix_web::web::ServiceConfig) {}
pub fn api_routes(_: &mut actix_web::web::ServiceConfig) {}
