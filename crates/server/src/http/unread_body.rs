//! A request's use of its connection: the server works on it, and does not read what nobody wants.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use actix_http::ConnectionType;
use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::Version;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest};
use futures_util::Stream;

use crate::http::connections::Connection;

/// Marks the connection as busy during the request. If the answer comes before the body was read to its end, the
/// connection is closed: otherwise a body without an end would hold it for ever.
pub async fn close_on_unread_body<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let connection = connection(request.request()).cloned();
    let _busy = connection.as_ref().map(Connection::work);
    // On HTTP/2 the stream alone is reset.
    if request.version() >= Version::HTTP_2 || !has_body(request.headers()) {
        return next.call(request).await;
    }
    let ended = Arc::new(AtomicBool::new(false));
    let body = Body { payload: request.take_payload(), ended: Arc::clone(&ended) };
    request.set_payload(Payload::Stream { payload: Box::pin(body) });
    let mut answer = next.call(request).await;
    if !ended.load(Ordering::Acquire) {
        if let Ok(response) = &mut answer {
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        if let Some(connection) = connection {
            connection.close_soon();
        }
    }
    answer
}

/// The connection of a request; `None` in tests without one.
pub fn connection(request: &HttpRequest) -> Option<&Arc<Connection>> {
    request.conn_data::<Arc<Connection>>()
}

/// Somebody has authenticated on the connection of this request.
pub fn mark_authenticated(request: &HttpRequest) {
    if let Some(connection) = connection(request) {
        connection.authenticated();
    }
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).map(|length| length.as_bytes());
    headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|length| length != b"0")
}

/// Notices the end of a body.
struct Body {
    payload: Payload,
    ended: Arc<AtomicBool>,
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let next = Pin::new(&mut this.payload).poll_next(cx);
        if matches!(next, Poll::Ready(None)) {
            this.ended.store(true, Ordering::Release);
        }
        next
    }
}
