//! `GET /denylist`: the feed that resource servers follow (docs/src/reference/denylist.md).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll as Ready};
use std::time::Duration;
use utoipa::ToSchema;

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::ContentType;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use ficha_authority::{Declared, DeclaredParameters, FeedPage, Follower, FollowerPoll, LONGEST_WAIT, Poll};

use crate::error::{ApiError, no_store};
use crate::http::unread_body::{connection, mark_authenticated};
use crate::request::client_credentials::header_credentials;
use crate::request::form::Form;
use crate::state::State;

/// How much of a response is handed to the connection at once, in bytes.
const SLICE: usize = 32 * 1_024;

/// The longest nonce, in bytes.
const LONGEST_NONCE: usize = 128;

/// Returns the denylist, or what was added to it since a cursor; can wait for additions (long poll).
#[utoipa::path(
    get,
    path = "/denylist",
    tag = "Denylist",
    params(
        (
            "after" = Option<String>, Query,
            description = "The cursor from the previous response; omit it to get the whole list"
        ),
        (
            "wait" = Option<u32>, Query,
            description = "How many seconds to wait if there is nothing new, 0 to 30",
            minimum = 0, maximum = 30
        ),
        (
            "nonce" = Option<String>, Query,
            description = "Repeated in the response; up to 128 printable ASCII characters",
            max_length = 128
        ),
        (
            "service" = Option<String>, Query,
            description = "The follower's service, for receipts; 1 to 64 of A-Z a-z 0-9 . _ : -",
            pattern = "^[A-Za-z0-9._:-]{1,64}$"
        ),
        (
            "instance" = Option<String>, Query,
            description = "Which instance of the service it is, unique per follower; required with `service`",
            pattern = "^[A-Za-z0-9._:-]{1,64}$"
        ),
        (
            "lease" = Option<u64>, Query,
            description = "How many seconds it relies on an answer, counted from when it sent the request",
            minimum = 1, maximum = 86400
        ),
        (
            "stale" = Option<String>, Query,
            description = "What it does with tokens after that: `refuse` or `accept`",
            pattern = "^(refuse|accept)$"
        ),
        (
            "version" = Option<String>, Query,
            description = "The version of what it runs",
            pattern = "^[A-Za-z0-9._:-]{1,64}$"
        ),
    ),
    security((), ("basic" = [])),
    responses(
        (status = 200, description = "What was added after the cursor, possibly nothing", body = DenylistAnswer),
        (status = 400, description = "A parameter is not valid", body = crate::error::ErrorAnswer),
        (
            status = 401,
            description = "The client did not authenticate, or is not confidential",
            body = crate::error::ErrorAnswer
        ),
        (status = 403, description = "The client serves no audience", body = crate::error::ErrorAnswer),
        (
            status = 503,
            description = "The database does not answer, or too many followers are waiting",
            body = crate::error::ErrorAnswer
        ),
    )
)]
pub async fn denylist(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    // Credentials in the query are ignored.
    let credentials = header_credentials(request.headers())?;
    let source = state.proxies.trace(&request).sender();
    let follower = state.authority.authenticate_follower(&credentials, &source).await?;
    if !matches!(follower, Follower::Anonymous) {
        mark_authenticated(&request);
    }
    let query = Form::parse(request.query_string().as_bytes())?;
    let start = response_start(query.get("nonce"))?;
    let poll = Poll { after: query.get("after"), wait: parse_wait(query.get("wait"))? };
    let declared = Declared::parse(DeclaredParameters {
        service: query.get("service"),
        instance: query.get("instance"),
        lease: query.get("lease"),
        stale: query.get("stale"),
        version: query.get("version"),
    });
    let declared = declared.map_err(ApiError::InvalidRequest)?;
    let shows = state.authority.arrive(&follower, &source, declared.as_ref());
    let held = state.authority.poll_denylist(&follower, &source, poll, &shows);
    let page = tokio::select! {
        page = held => page?,
        // A client that has only shut down its side of the connection still gets a response.
        () = hung_up(&request) => {
            let now = Poll { wait: Duration::ZERO, ..poll };
            state.authority.poll_denylist(&follower, &source, now, &shows).await?
        }
    };
    let mut response = HttpResponse::Ok();
    no_store(&mut response);
    Ok(response.insert_header(ContentType::json()).body(Body::new(start, &page, shows)))
}

/// Ready once the client of this request has hung up.
async fn hung_up(request: &HttpRequest) {
    match connection(request) {
        Some(connection) => connection.hung_up().await,
        None => std::future::pending().await,
    }
}

/// The start of the JSON object: the nonce, if there is one.
fn response_start(nonce: Option<&str>) -> Result<Bytes, ApiError> {
    let Some(nonce) = nonce else { return Ok(Bytes::from_static(b"{")) };
    let printable = nonce.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if nonce.len() > LONGEST_NONCE || !printable {
        return Err(ApiError::InvalidRequest("nonce must be at most 128 printable ASCII characters"));
    }
    Ok(format!("{{\"nonce\":{},", serde_json::Value::from(nonce)).into())
}

fn parse_wait(text: Option<&str>) -> Result<Duration, ApiError> {
    let Some(text) = text else { return Ok(Duration::ZERO) };
    // `u64::from_str` accepts a plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| digits).map(Duration::from_secs);
    seconds
        .filter(|wait| *wait <= LONGEST_WAIT)
        .ok_or(ApiError::InvalidRequest("wait must be a whole number of seconds from 0 to 30"))
}

/// A start that belongs to one request, and a rest that all requests share. The rest goes out slice by slice: the
/// connection copies what it is handed, and asks for no more while it has enough to send.
struct Body {
    start: Bytes,
    rest: Bytes,
    /// Ends with it.
    poll: Option<FollowerPoll>,
}

impl Body {
    fn new(start: Bytes, page: &FeedPage, poll: FollowerPoll) -> Self {
        Self { start, rest: page.after_brace(), poll: Some(poll) }
    }
}

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized((self.start.len() + self.rest.len()) as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Ready<Option<Result<Bytes, Infallible>>> {
        let start = std::mem::take(&mut self.start);
        let next = if start.is_empty() {
            let length = self.rest.len().min(SLICE);
            self.rest.split_to(length)
        } else {
            start
        };
        if self.rest.is_empty()
            && let Some(mut poll) = self.poll.take()
        {
            poll.answered();
        }
        Ready::Ready((!next.is_empty()).then_some(Ok(next)))
    }
}

/// The response of `GET /denylist`.
#[derive(ToSchema)]
#[schema(as = DenylistPage)]
#[expect(dead_code, reason = "it only describes a response in the OpenAPI description")]
pub struct DenylistAnswer {
    /// The nonce from the request, if it had one.
    #[schema(nullable = false)]
    nonce: Option<String>,
    /// Send this as `after` in the next request. Opaque.
    cursor: String,
    /// True if the cursor in the request was unknown: the list starts from the beginning. Add the entries; remove none.
    reset: bool,
    /// True if there are more entries now; omitted otherwise.
    #[schema(nullable = false)]
    more: Option<bool>,
    /// Each entry is an id in UUID form and the time until which it is denied, in Unix seconds.
    #[schema(schema_with = crate::api::schemas::denylist_entries)]
    entries: Vec<(String, i64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_whole_number_of_seconds_up_to_thirty() {
        let seconds = |text| parse_wait(Some(text)).ok().map(|wait| wait.as_secs());
        assert_eq!((parse_wait(None).unwrap(), seconds("0"), seconds("30")), (Duration::ZERO, Some(0), Some(30)));
        for bad in ["31", "-1", "+1", "1.5", "10s", " 1", "x", "99999999999999999999", "1e1"] {
            assert_eq!(seconds(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_body_is_handed_out_whole_in_slices() {
        let text: Bytes = (0..100_000_u32).map(|at| at as u8).collect::<Vec<_>>().into();
        let mut body = Body { start: Bytes::from_static(b"{"), rest: text.clone(), poll: None };
        assert!(matches!(body.size(), BodySize::Sized(100_001)));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut handed = Vec::new();
        while let Ready::Ready(Some(Ok(slice))) = Pin::new(&mut body).poll_next(&mut context) {
            assert!((1..=SLICE).contains(&slice.len()), "{}", slice.len());
            handed.extend_from_slice(&slice);
        }
        assert_eq!((handed[0], &handed[1..]), (b'{', &text[..]));
    }

    #[test]
    fn a_nonce_is_repeated_as_a_json_string() {
        assert_eq!(response_start(None).unwrap(), "{");
        assert_eq!(response_start(Some("a\"\\ ~")).unwrap(), r#"{"nonce":"a\"\\ ~","#);
        assert!(response_start(Some(&"x".repeat(128))).is_ok());
        for bad in [&"x".repeat(129), "\n", "é", "\u{7f}"] {
            assert!(response_start(Some(bad)).is_err(), "{bad:?}");
        }
    }
}
