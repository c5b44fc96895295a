//! Health and metrics, for operators.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER};
use actix_web::web::Data;
use ficha_authority::Metrics;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use serde_json::json;
use utoipa::ToSchema;

use crate::state::State;

/// The process answers.
#[utoipa::path(get, path = "/health/live", tag = "Operation", responses((status = 200, description = "The process answers", body = Health)))]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({ "status": "ok" }))
}

/// The process can work: it has read its database within the last two seconds, and the database takes changes.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "Operation",
    responses(
        (status = 200, description = "Ready", body = Health),
        (
            status = 503,
            description = "The database has not answered for two seconds, or takes no changes, or the server is stopping",
            body = Health
        ),
    )
)]
pub async fn ready(state: Data<State>) -> HttpResponse {
    if state.is_stopping() {
        let answer = json!({ "status": "the server is stopping" });
        return HttpResponse::ServiceUnavailable().insert_header((CACHE_CONTROL, "no-store")).json(answer);
    }
    let (mut response, status) = match (state.authority.is_fresh(), state.authority.takes_changes()) {
        (true, true) => (HttpResponse::Ok(), "ok"),
        (false, _) => (HttpResponse::ServiceUnavailable(), "the database does not answer"),
        // Tokens can still be checked.
        (true, false) => (HttpResponse::ServiceUnavailable(), "the database takes no changes"),
    };
    if !state.authority.is_ready() {
        response.insert_header((RETRY_AFTER, "1"));
    }
    response.insert_header((CACHE_CONTROL, "no-store")).json(json!({ "status": status }))
}

/// Counters and gauges, as Prometheus reads them. No label holds a name, an address or a token.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Operation",
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain"))
)]
pub async fn metrics(state: Data<State>) -> HttpResponse {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = prometheus_text::encode(&mut text, &registry(&state));
    HttpResponse::Ok().content_type(prometheus_text::CONTENT_TYPE).body(text)
}

fn registry(state: &State) -> Registry {
    let mut registry = Registry::default();
    authority_counters(&mut registry, state.authority.metrics());
    let mut counter = |name: &str, help: &str, value: u64| registry.register(name, help, ConstCounter::new(value));
    let cache = state.guard.cache_stats();
    counter("ficha_verified_token_cache_hits", "Tokens that had been verified before", cache.hits);
    counter("ficha_verified_token_cache_misses", "Tokens whose signature was verified", cache.misses);
    let database = state.authority.database();
    counter("ficha_database_failures", "Calls that failed because of the database", database.failures);
    counter(
        "ficha_database_changes_lost",
        "Changes that were acknowledged and not kept; anything but 0 is an alarm",
        database.changes_lost,
    );
    let refused = state.connections.refused() as u64;
    counter("ficha_connections_refused", "Connections refused because their source held too many", refused);
    let mut gauge = |name: &str, help: &str, value: u64| registry.register(name, help, ConstGauge::new(value));
    gauge("ficha_denylist_entries", "Denied ids", state.authority.denylist().len() as u64);
    gauge("ficha_followers_waiting", "Held polls of the denylist", state.authority.followers_waiting() as u64);
    gauge("ficha_connections", "Open connections of clients", state.connections.open() as u64);
    gauge("ficha_database_fresh", "1 while the database answers", u64::from(state.authority.is_fresh()));
    let writable = u64::from(state.authority.takes_changes());
    gauge("ficha_database_writable", "1 while the database takes changes and keeps them", writable);
    let counted = state.authority.metrics();
    gauge("ficha_events_newest_number", "The number of the newest event", counted.events_number.get());
    let help = "The first 48 bits of the newest event's hash";
    gauge("ficha_events_newest_hash", help, counted.events_hash.get());
    hashing_metrics(&mut registry, state);
    registry
}

fn authority_counters(registry: &mut Registry, counted: &Metrics) {
    let mut counter = |name: &str, help: &str, value: u64| registry.register(name, help, ConstCounter::new(value));
    counter("ficha_logins", "Successful logins", counted.logins.get());
    counter("ficha_login_failures", "Failed logins", counted.login_failures.get());
    counter("ficha_logins_throttled", "Failed logins that were throttled", counted.logins_throttled.get());
    counter("ficha_logins_busy", "Logins refused because the queue was full", counted.logins_busy.get());
    counter("ficha_refreshes", "Refreshes that rotated the token", counted.refreshes.get());
    counter("ficha_refresh_retries", "Refreshes that repeated the last one", counted.refresh_retries.get());
    counter("ficha_refresh_replays", "Refresh tokens replayed after the grace", counted.refresh_replays.get());
    let ahead = counted.future_generations.get();
    counter("ficha_refresh_ahead_of_database", "Refresh tokens that prove a restored database", ahead);
    let histories = counted.history_changes.get();
    counter("ficha_database_history_changes", "Failovers and restores of the database that were noticed", histories);
    counter("ficha_client_tokens", "Tokens that clients obtained for themselves", counted.client_tokens.get());
    counter("ficha_revocations", "Revoked sessions and tokens", counted.revocations.get());
    counter(
        "ficha_revocations_malformed",
        "Revocations of something that can't be a token",
        counted.revocations_malformed.get(),
    );
    counter("ficha_client_failures", "Failed client authentications", counted.client_failures.get());
    counter("ficha_denylist_polls", "Answered polls of the denylist", counted.feed_polls.get());
    counter("ficha_denylist_resets", "Polls with an unknown cursor", counted.feed_resets.get());
    let refused = counted.feed_refused.get();
    counter("ficha_denylist_polls_refused", "Polls refused because too many were held", refused);
    counter("ficha_background_restarts", "Background tasks that had to be restarted", counted.task_restarts.get());
    counter(
        "ficha_event_lines_lost",
        "Events that could not be written to standard output",
        counted.event_lines_lost.get(),
    );
    counter("ficha_log_lines_lost", "Log lines that could not be written", counted.log_lost.get());
}

fn hashing_metrics(registry: &mut Registry, state: &State) {
    let hashing = state.authority.hashing().stats();
    registry.register("ficha_hashes", "Passwords hashed", ConstCounter::new(hashing.completed));
    registry.register(
        "ficha_hashing_queue",
        "Logins waiting for a hashing thread",
        ConstGauge::new(hashing.queued as u64),
    );
    registry.register("ficha_hashing_lanes", "Busy hashing lanes", ConstGauge::new(hashing.running as u64));
    let by_lanes = Family::<[(&'static str, u64); 1], Counter>::default();
    for (index, value) in (1..).zip(&hashing.lanes_used) {
        by_lanes.get_or_create(&[("lanes", index)]).inc_by(*value);
    }
    let help = "Passwords hashed, by how many lanes were busy on their thread";
    registry.register("ficha_hashes_by_lanes", help, by_lanes);
}

/// What a health check answers.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes a response in the OpenAPI description")]
struct Health {
    /// `ok`, or why not.
    status: String,
}
