//! `?wait=SECONDS` on a revocation: its receipt.

use std::time::Duration;

use actix_web::HttpRequest;
use ficha_authority::{Began, FollowerState, Receipt};
use serde::Serialize;
use utoipa::ToSchema;

use super::query::Parameters;
use super::sessions::millis_text;
use crate::http::unread_body::connection;
use crate::state::State;

/// The longest wait, in seconds.
const LONGEST: u64 = 30;

/// Who refuses what was revoked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminReceipt)]
pub struct ReceiptView {
    /// True if every resource server refuses it, and every server has said so of its own.
    complete: bool,
    /// How many followers have not named themselves: nothing is known about them.
    unnamed: u64,
    /// How many servers have not answered in time: nothing is known about their followers.
    silent: u64,
    services: Vec<ServiceReceipt>,
}

/// How one resource server stands to a revocation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminServiceReceipt)]
pub struct ServiceReceipt {
    service: String,
    instance: String,
    /// `applied`: a poll shows that it has it. `behind`: it may not have it yet. `cut_off`: its lease has ended, so it
    /// refuses everything. `accepts_stale`: it may not have it, and goes on accepting tokens.
    state: &'static str,
    /// For `applied`: how many milliseconds after the request began that was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    after_ms: Option<u64>,
    /// When it refuses everything at the latest, unless it gets an answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refuses_at: Option<String>,
}

/// Takes the parameter `wait`.
pub fn wait(parameters: &mut Parameters) -> Option<Duration> {
    parameters.number("wait", 0, LONGEST).map(Duration::from_secs)
}

/// The receipt of what was revoked, if it was asked for. Waiting ends with the caller, or with the server.
pub async fn receipt(
    request: &HttpRequest,
    state: &State,
    began: Began,
    wait: Option<Duration>,
) -> Option<ReceiptView> {
    Some(view(waited(request, state, began, wait?).await))
}

/// The same as plain data.
pub async fn waited(request: &HttpRequest, state: &State, began: Began, wait: Duration) -> Receipt {
    let admin = state.authority.admin();
    let receipt = admin.receipt(began, wait);
    match connection(request) {
        None => receipt.await,
        Some(connection) => tokio::select! {
            receipt = receipt => receipt,
            () = connection.hung_up() => admin.receipt(began, Duration::ZERO).await,
        },
    }
}

/// A receipt as it is shown.
pub fn view(receipt: Receipt) -> ReceiptView {
    let Receipt { complete, unnamed, silent, services, about: _ } = receipt;
    let services = services.into_iter().map(|one: FollowerState| ServiceReceipt {
        service: one.service,
        instance: one.instance,
        state: one.standing.as_str(),
        after_ms: one.after_ms,
        refuses_at: one.refuses_at.map(millis_text),
    });
    ReceiptView { complete, unnamed, silent, services: services.collect() }
}
