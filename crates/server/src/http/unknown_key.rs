//! A token that another server has signed with a key that this one does not know yet.

use actix_web::ResponseError;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::web::Data;
use ficha_authority::AuthorityError;
use ficha_resource::Presented;

use crate::error::ApiError;
use crate::state::State;

/// Reads the keys again if the presented token has an unknown one: after a purge, a 401 for a token that another server
/// has just issued would log its user out. If they can't be read, the answer is 503.
pub async fn load_unknown_key<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let presented = Presented::from_authorization(request.headers().get_all(AUTHORIZATION));
    if let (Some(state), Ok(Some(presented))) = (request.app_data::<Data<State>>(), presented) {
        let loaded = state.authority.load_unknown_key(presented.token).await;
        if let Err(error) = loaded {
            // A response and not an error, which would pass by the headers of every response.
            let answer = ApiError::from(AuthorityError::from(error)).error_response();
            return Ok(request.into_response(answer).map_into_right_body());
        }
    }
    Ok(next.call(request).await?.map_into_left_body())
}
