//! Finishes a request even if its client has disconnected.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorServiceUnavailable;
use actix_web::middleware::Next;

use crate::error::ApiError;

/// Runs each request in its own task, so that a client that disconnects does not stop it half-way: a committed
/// revocation, for example, is always audited too. The denylist is the only route without this: a poll ends with its
/// connection, and frees its slot.
pub async fn run_to_completion<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let work = actix_web::rt::spawn(next.call(request));
    match work.await {
        Ok(answer) => answer,
        // The panic message is not for the client; the panic hook has logged it.
        Err(ended) if ended.is_panic() => Err(ApiError::Bug.into()),
        Err(_) => Err(ErrorServiceUnavailable("the server is shutting down")),
    }
}
