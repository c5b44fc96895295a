//! Server-Sent Events (HTML Standard, section 9.2), as a response.

use std::convert::Infallible;

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};

use crate::error::no_store;

/// A response that sends each part as it comes.
pub fn event_stream(parts: impl Stream<Item = Bytes> + 'static) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    no_store(&mut response);
    // nginx would hold back what is sent.
    response.content_type("text/event-stream").insert_header(("x-accel-buffering", "no"));
    response.streaming(parts.map(Ok::<_, Infallible>))
}
