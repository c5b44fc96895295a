//! The metadata of a resource as a response.

use actix_web::body::BoxBody;
use actix_web::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL};
use actix_web::{HttpRequest, HttpResponse, Responder};

use crate::resource_metadata::{CACHED, ResourceMetadata};

/// As JSON, which every web page may read:
///
/// ```
/// use actix_web::{App, web};
/// use ficha_resource::ResourceMetadata;
///
/// let metadata = ResourceMetadata::new("https://notes.example.com", "https://auth.example.com");
/// let path = metadata.path();
/// let app = App::new().route(&path, web::get().to(move || std::future::ready(metadata.clone())));
/// ```
impl Responder for ResourceMetadata {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response.content_type("application/json").insert_header((CACHE_CONTROL, CACHED));
        response.insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*")).body(self.json())
    }
}
