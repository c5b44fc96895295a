//! Health and metrics, for whoever runs the server.

use std::fmt::Write;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER};
use actix_web::web::Data;
use serde_json::json;

use crate::state::State;

/// The process answers.
#[utoipa::path(get, path = "/health/live", tag = "Operation", responses((status = 200, description = "The process answers")))]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({ "status": "ok" }))
}

/// The process can do its work: it has read its database within two seconds, and the database takes changes.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "Operation",
    responses(
        (status = 200, description = "Ready"),
        (status = 503, description = "The database has not answered for two seconds, or takes no changes"),
    )
)]
pub async fn ready(state: Data<State>) -> HttpResponse {
    let (mut response, status) = match (state.authority.is_fresh(), state.authority.takes_changes()) {
        (true, true) => (HttpResponse::Ok(), "ok"),
        (false, _) => (HttpResponse::ServiceUnavailable(), "the database does not answer"),
        // Tokens are checked as ever.
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
    responses((status = 200, description = "Prometheus text format", content_type = "text/plain"))
)]
pub async fn metrics(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(render(&state))
}

fn render(state: &State) -> String {
    let counted = state.authority.metrics();
    let hashing = state.authority.hashing().stats();
    let cache = state.guard.cache_stats();
    let mut text = Text::default();
    text.counter("ficha_logins_total", "Logins that succeeded", counted.logins.get());
    text.counter("ficha_login_failures_total", "Logins that failed", counted.login_failures.get());
    text.counter(
        "ficha_logins_throttled_total",
        "Failed logins that were throttled unseen",
        counted.logins_throttled.get(),
    );
    text.counter("ficha_logins_busy_total", "Logins turned away by a full queue", counted.logins_busy.get());
    text.counter("ficha_refreshes_total", "Refreshes that rotated a session", counted.refreshes.get());
    text.counter("ficha_refresh_retries_total", "Refreshes that repeated the last one", counted.refresh_retries.get());
    text.counter(
        "ficha_refresh_replays_total",
        "Refresh tokens used again past the grace",
        counted.refresh_replays.get(),
    );
    let ahead = counted.future_generations.get();
    text.counter("ficha_refresh_ahead_of_database_total", "Refresh tokens that prove a restored database", ahead);
    text.counter(
        "ficha_client_tokens_total",
        "Tokens that clients obtained for themselves",
        counted.client_tokens.get(),
    );
    text.counter("ficha_revocations_total", "Sessions and tokens revoked", counted.revocations.get());
    text.counter("ficha_client_failures_total", "Clients that failed to authenticate", counted.client_failures.get());
    text.counter("ficha_hashes_total", "Passwords hashed", hashing.completed);
    text.counter("ficha_verified_token_cache_hits_total", "Tokens found verified", cache.hits);
    text.counter("ficha_verified_token_cache_misses_total", "Tokens verified anew", cache.misses);
    text.counter("ficha_denylist_polls_total", "Polls of the denylist that were answered", counted.feed_polls.get());
    text.counter("ficha_denylist_resets_total", "Polls whose cursor was not known", counted.feed_resets.get());
    text.counter("ficha_denylist_polls_refused_total", "Polls refused for want of a place", counted.feed_refused.get());
    text.gauge("ficha_hashing_queue", "Logins waiting for a hashing thread", hashing.queued as u64);
    text.gauge("ficha_hashing_lanes", "Hashing lanes at work", hashing.running as u64);
    text.gauge("ficha_denylist_entries", "Ids denied", state.authority.denylist().len() as u64);
    text.gauge(
        "ficha_followers_waiting",
        "Polls of the denylist that are held",
        state.authority.followers_waiting() as u64,
    );
    text.gauge("ficha_database_fresh", "1 while the database answers", u64::from(state.authority.is_fresh()));
    let writable = u64::from(state.authority.takes_changes());
    text.gauge("ficha_database_writable", "1 while the database takes changes and keeps them", writable);
    let database = state.authority.database();
    text.counter("ficha_database_failures_total", "Calls that failed because of the database", database.failures);
    text.counter(
        "ficha_database_changes_lost_total",
        "Changes that were acknowledged and not kept; anything but 0 is an alarm",
        database.changes_lost,
    );
    text.counter(
        "ficha_background_restarts_total",
        "Background tasks that ended and were started again",
        counted.task_restarts.get(),
    );
    text.counter("ficha_audit_events_lost_total", "Audit events that are in the log only", counted.audit_lost.get());
    text.counter("ficha_log_lines_lost_total", "Log lines that could not be written", counted.log_lost.get());
    text.lanes(&hashing.lanes_used);
    text.0
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.line(name, "counter", help, value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.line(name, "gauge", help, value);
    }

    /// How many passwords were hashed with how many others beside them on their thread.
    fn lanes(&mut self, used: &[u64]) {
        let name = "ficha_hashes_by_lanes_total";
        writeln!(
            self.0,
            "# HELP {name} Passwords hashed, by how many lanes were busy on their thread\n# TYPE {name} counter"
        )
        .expect("a String takes any text");
        for (index, value) in used.iter().enumerate() {
            writeln!(self.0, "{name}{{lanes=\"{}\"}} {value}", index + 1).expect("a String takes any text");
        }
    }

    fn line(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
            .expect("a String takes any text");
    }
}
