//! The metadata of a resource as a response.

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};

use crate::resource_metadata::{CACHED, ResourceMetadata};

/// As JSON, which every web page may read. `get(metadata)` of axum is a handler that answers it:
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use ficha_resource::ResourceMetadata;
///
/// let metadata = ResourceMetadata::new("https://notes.example.com", "https://auth.example.com");
/// let app: Router = Router::new().route(&metadata.path(), get(metadata));
/// ```
impl IntoResponse for ResourceMetadata {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.json()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(CACHED));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        response
    }
}
