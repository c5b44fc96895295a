//! `audit.reads`: what an administrator has read is an event.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use ficha_authority::Actor;

use super::problem::Problem;
use crate::state::State;

/// Records what is read before it is answered: what can't be recorded is not shown.
pub async fn record_reads<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let request = response.request();
    let state = request.app_data::<Data<State>>().cloned();
    let actor = request.extensions().get::<Actor>().cloned();
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD) && response.status().is_success();
    let (Some(state), Some(actor), true) = (state, actor, is_reading) else { return Ok(response) };
    if !state.authority.settings().admin.record_reads {
        return Ok(response);
    }
    // Names only: what was searched for may be personal.
    let names: Vec<String> =
        url::form_urlencoded::parse(request.query_string().as_bytes()).map(|(name, _)| name.into_owned()).collect();
    match state.authority.admin().record_reading(&actor, request.path(), &names).await {
        Ok(()) => Ok(response),
        Err(error) => {
            let problem = Problem::from(error).response(&state);
            Ok(response.into_response(problem))
        }
    }
}
