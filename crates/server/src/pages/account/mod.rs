//! `/account`: what users see and change of their own.

pub mod events;
pub mod password;
pub mod sessions;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::answer::answered;
use super::see_other;
use super::visitor::visitor;
use crate::state::State;

/// The first page of an account.
pub async fn home(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let outcome = visitor(&request, &state).await.map(|_| see_other(&state, "/account/sessions"));
    answered(&request, &state, outcome).await
}
