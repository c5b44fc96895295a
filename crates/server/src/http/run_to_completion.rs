//! What a request began is finished, whether or not its client is still there.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorServiceUnavailable;
use actix_web::middleware::Next;

use crate::error::ApiError;

/// Runs each request in a task of its own, so that a client that hangs up does not stop it half-way: a revocation that
/// was committed is audited too. Every route has this but the denylist's: a poll ends with its connection, and gives its
/// place back.
pub async fn run_to_completion<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let work = actix_web::rt::spawn(next.call(request));
    match work.await {
        Ok(answer) => answer,
        // What a panic says is not for the client; the hook of the process has written it down.
        Err(ended) if ended.is_panic() => Err(ApiError::Bug.into()),
        Err(_) => Err(ErrorServiceUnavailable("the server is shutting down")),
    }
}
