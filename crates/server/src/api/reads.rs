//! `audit.reads`: what an administrator has read is an event.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest};
use ficha_authority::{Actor, AdminError};

use super::problem::Problem;
use crate::state::State;

/// Records what is read before it is answered: what can't be recorded is not shown.
pub async fn record_reads<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let request = response.request();
    let Some(state) = request.app_data::<Data<State>>().cloned() else { return Ok(response) };
    match record_read(request, &state, response.status()).await {
        Ok(()) => Ok(response),
        Err(error) => {
            let problem = Problem::from(error).response(&state);
            Ok(response.into_response(problem))
        }
    }
}

/// Records what a request of an administrator reads, if that is to be recorded and is about to be answered.
pub async fn record_read(request: &HttpRequest, state: &State, status: StatusCode) -> Result<(), AdminError> {
    let actor = request.extensions().get::<Actor>().cloned();
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD) && status.is_success();
    let Some(actor) = actor.filter(|_| is_reading && state.authority.settings().admin.record_reads) else {
        return Ok(());
    };
    // Names only: what was searched for may be personal.
    let names: Vec<String> =
        url::form_urlencoded::parse(request.query_string().as_bytes()).map(|(name, _)| name.into_owned()).collect();
    state.authority.admin().record_reading(&actor, request.path(), &names).await
}
