//! The admin API of a Ficha server (`/api/v1`), typed: sessions, receipts, resource servers, users, clients, scopes, keys,
//! jobs, events, and one's own account.

mod clients;
mod jobs;
mod overview;
mod secret;
mod types;
mod users;

use std::time::Duration;

use oauth2::http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

pub use clients::{
    AddedSecret, AnyScope, ChangedClient, Client, ClientChange, ClientDeleted, ClientScopes, ClientSecret,
    CreatedClient, Declared, Key, NewClient, OtherSecrets, PurgedKeys, RotatedKey, Scope,
};
pub use jobs::{CSV, JSON_LINES, Job, JobActor, JobReport, JobReportLine};
pub use overview::{Attention, Minute, Overview};
pub use secret::ShownOnce;
pub use types::{
    AdminError, Ended, EndedBy, Event, EventActor, FieldProblem, Me, Page, Problem, Receipt, ResourceServer,
    ResourceServers, Revoked, ServiceReceipt, Session, SessionFilter, UserName,
};
pub use users::{ChangedUser, CreatedUser, FailedLogins, NewUser, User, UserAction, UserChange};

use crate::error::Error;
use crate::origin::{BadOrigin, bare_origin};
use crate::source::TokenSource;
use crate::transport::{self, MAX_LIST_BYTES};

/// How long a request may take, apart from what it is asked to wait.
const LIMIT: Duration = Duration::from_secs(30);
/// After how long something is created once more, if the answer was lost.
const AGAIN: Duration = Duration::from_secs(1);
/// How much longer a file may take.
const UPLOAD_LIMIT: Duration = Duration::from_secs(120);

/// Administers a Ficha server over HTTP, with the tokens of a [`TokenSource`].
///
/// The source's client must carry the flag `own_scopes`, as `ficha-cli` does, and its session must have been asked for with
/// one of the server's own scopes, such as `ficha:sessions`. A token that the server refuses is replaced once.
///
/// ```no_run
/// # async fn example(password: &str) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use ficha_client::TokenSource;
/// use ficha_client::admin::{AdminClient, SessionFilter};
///
/// let tokens = TokenSource::builder("https://auth.example.com", "ficha-cli").scope("ficha:sessions").build()?;
/// tokens.login("root", password).await?;
/// let admin = AdminClient::new(tokens)?;
///
/// let alice = SessionFilter::new().with("user", "alice").with("state", "live");
/// for session in admin.sessions(&alice, None, 50).await?.items {
///     let revoked = admin.revoke_session(&session.id, Some(Duration::from_secs(2))).await?;
///     for service in revoked.receipt.into_iter().flat_map(|receipt| receipt.services) {
///         println!("{}: {} after {:?} ms", service.service, service.state, service.after_ms);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AdminClient {
    source: TokenSource,
    base: Url,
}

impl AdminClient {
    /// Administers the issuer of this token source.
    ///
    /// # Errors
    /// [`Error::Setting`] if its issuer is not a URL below which there can be paths.
    pub fn new(source: TokenSource) -> Result<Self, Error> {
        let text = format!("{}/api/v1/", source.refresher.issuer.trim_end_matches('/'));
        let base = Url::parse(&text).map_err(|_| Error::Setting("the issuer is not a URL".into()))?;
        Ok(Self { source, base })
    }

    /// The same for a server whose admin API has an origin of its own, such as `https://admin.example.com`: its setting
    /// `admin.origin`. The tokens still come from the issuer.
    ///
    /// # Errors
    /// [`Error::Setting`] if this is not an origin, or is plain HTTP and not a loopback address: tokens would be sent
    /// unencrypted.
    pub fn at_origin(source: TokenSource, origin: &str) -> Result<Self, Error> {
        let Self { source, mut base } = Self::new(source)?;
        let bad = |why: BadOrigin| Error::Setting(format!("the origin of the admin API can't be used: {why}"));
        let origin = bare_origin(origin, source.refresher.allowed).map_err(bad)?;
        let path = base.path().to_owned();
        base = origin;
        base.set_path(&path);
        Ok(Self { source, base })
    }

    /// A page of sessions, the newest first. `after` is the `next` of the previous page.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError, SessionFilter};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// let (filter, mut after) = (SessionFilter::new().with("state", "live"), None);
    /// loop {
    ///     let page = admin.sessions(&filter, after.as_deref(), 200).await?;
    ///     for session in &page.items {
    ///         println!("{} {}", session.id, session.client_id);
    ///     }
    ///     after = page.next;
    ///     if after.is_none() {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn sessions(
        &self,
        filter: &SessionFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Session>, AdminError> {
        self.page("sessions", filter.pairs(), after, limit).await
    }

    /// How many sessions a filter fits; `None` if they are too many to be counted.
    pub async fn count_sessions(&self, filter: &SessionFilter) -> Result<Option<u64>, AdminError> {
        let mut query = filter.pairs().to_vec();
        query.push(("count".to_owned(), "only".to_owned()));
        let counted: types::Counted = self.get("sessions", &query).await?;
        Ok(counted.count.as_u64())
    }

    /// One session.
    pub async fn session(&self, id: &str) -> Result<Session, AdminError> {
        self.get(&format!("sessions/{}", segment(id)), &[]).await
    }

    /// Ends a session. With `wait`, the answer has a receipt: which resource servers refuse its tokens.
    pub async fn revoke_session(&self, id: &str, wait: Option<Duration>) -> Result<Revoked, AdminError> {
        self.send(Method::DELETE, &format!("sessions/{}", segment(id)), &waiting(wait), None::<&()>, wait).await
    }

    /// How many sessions [`AdminClient::revoke_sessions`] would be about.
    /// Without `include_self`, the session of these tokens is spared.
    pub async fn count_sessions_to_revoke(
        &self,
        filter: &SessionFilter,
        include_self: bool,
    ) -> Result<u64, AdminError> {
        let filter = filter.members()?;
        let body = serde_json::json!({ "filter": filter, "include_self": include_self, "dry_run": true });
        let matched: types::Matched = self.send(Method::POST, "sessions/revoke", &[], Some(&body), None).await?;
        Ok(matched.matched)
    }

    /// Ends all sessions that a filter fits, unless there are more than `expected` by now: the number that
    /// [`AdminClient::count_sessions_to_revoke`] gave.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError, SessionFilter};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// let filter = SessionFilter::new().with("client", "notes-app");
    /// let expected = admin.count_sessions_to_revoke(&filter, false).await?;
    /// let revoked = admin.revoke_sessions(&filter, false, expected, None).await?;
    /// match revoked.job {
    ///     Some(job) => println!("job {job} ends them"),
    ///     None => println!("{} sessions ended", revoked.revoked),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revoke_sessions(
        &self,
        filter: &SessionFilter,
        include_self: bool,
        expected: u64,
        wait: Option<Duration>,
    ) -> Result<Revoked, AdminError> {
        let filter = filter.members()?;
        let body = serde_json::json!({
            "filter": filter, "include_self": include_self, "dry_run": false, "expected": expected
        });
        self.send(Method::POST, "sessions/revoke", &waiting(wait), Some(&body), wait).await
    }

    /// Who follows the denylist.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// for server in admin.resource_servers().await?.items {
    ///     println!("{server:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn resource_servers(&self) -> Result<ResourceServers, AdminError> {
        self.get("resource-servers", &[]).await
    }

    /// A page of events, the newest first. `filter` has the parameters of `GET /api/v1/audit`.
    pub async fn events(
        &self,
        filter: &[(String, String)],
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Event>, AdminError> {
        self.page("audit", filter, after, limit).await
    }

    /// A page of the events after a number, the newest first; `previous` is where the next such page begins.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// let filter = [("user".to_owned(), "alice".to_owned())];
    /// for event in admin.events(&filter, None, 50).await?.items {
    ///     println!("{event:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn events_after(
        &self,
        filter: &[(String, String)],
        after: i64,
        limit: u32,
    ) -> Result<Page<Event>, AdminError> {
        let mut query = filter.to_vec();
        query.push(("before".to_owned(), after.to_string()));
        query.push(("limit".to_owned(), limit.to_string()));
        self.get("audit", &query).await
    }

    /// The user whose session this is. It needs the scope `ficha:account`.
    ///
    /// ```no_run
    /// # use ficha_client::admin::{AdminClient, AdminError};
    /// # async fn example(admin: AdminClient) -> Result<(), AdminError> {
    /// println!("{:?}", admin.me().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn me(&self) -> Result<Me, AdminError> {
        self.get("me", &[]).await
    }

    async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        filter: &[(String, String)],
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<T>, AdminError> {
        let mut query = filter.to_vec();
        query.extend(after.map(|after| ("after".to_owned(), after.to_owned())));
        query.push(("limit".to_owned(), limit.to_string()));
        self.get(path, &query).await
    }

    /// Posts what creates something. If the answer is lost, it is sent once more with the same key, which makes nothing
    /// twice; the second answer then has no secret.
    async fn create<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, AdminError> {
        let body = serde_json::to_vec(body).map_err(|error| Error::Setting(error.to_string()))?;
        self.post_once(path, "application/json", body, None).await
    }

    async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        kind: &'static str,
        body: Vec<u8>,
        longer: Option<Duration>,
    ) -> Result<T, AdminError> {
        let key = oauth2::CsrfToken::new_random();
        let send = async || {
            let body = Body { kind, bytes: body.clone(), header: Some(("idempotency-key", key.secret())) };
            self.request(Method::POST, path, &[], Some(body), longer).await
        };
        match send().await {
            Err(AdminError::Client(Error::Network(_) | Error::Busy { .. })) => {
                tokio::time::sleep(AGAIN).await;
                send().await
            }
            answer => answer,
        }
    }

    async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        kind: &'static str,
        file: Vec<u8>,
    ) -> Result<T, AdminError> {
        self.post_once(path, kind, file, Some(UPLOAD_LIMIT)).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(String, String)]) -> Result<T, AdminError> {
        self.send(Method::GET, path, query, None::<&()>, None).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Option<&impl Serialize>,
        wait: Option<Duration>,
    ) -> Result<T, AdminError> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|error| Error::Setting(error.to_string()))?;
        let body = body.map(|bytes| Body { kind: "application/json", bytes, header: None });
        self.request(method, path, query, body, wait).await
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Option<Body<'_>>,
        wait: Option<Duration>,
    ) -> Result<T, AdminError> {
        let mut url = self.base.join(path).map_err(|error| Error::Setting(error.to_string()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let limit = LIMIT + wait.unwrap_or_default();
        let mut token = self.source.access_token().await?;
        for attempt in 0.. {
            let mut request = oauth2::http::Request::builder()
                .method(method.clone())
                .uri(url.as_str())
                .header("accept", "application/json, application/problem+json")
                .header("authorization", format!("Bearer {}", token.secret()));
            if body.is_none() && method != Method::GET {
                // A proxy that speaks HTTP/1.0 to the server passes on no length that it has not got, and the server refuses
                // such a request.
                request = request.header("content-length", "0");
            }
            if let Some(Body { kind, header, .. }) = &body {
                request = request.header("content-type", *kind);
                if let Some((name, value)) = header {
                    request = request.header(*name, *value);
                }
            }
            let request = request.body(body.as_ref().map(|body| body.bytes.clone()).unwrap_or_default());
            let request = request.map_err(|error| Error::BadAnswer(error.to_string()))?;
            let http = &self.source.refresher.exchange.http;
            let answer = transport::send_up_to(http.clone(), url.clone(), request, limit, MAX_LIST_BYTES).await;
            let answer = answer.map_err(Error::from)?;
            // Refused before anything was done: perhaps its key was purged, or it was just about to expire.
            if answer.status() == StatusCode::UNAUTHORIZED && attempt == 0 {
                token = self.source.replace(&token).await?;
                continue;
            }
            return read(answer.status(), answer.body());
        }
        Err(Error::SessionOver.into())
    }
}

/// What a request carries.
struct Body<'a> {
    kind: &'static str,
    bytes: Vec<u8>,
    /// The `Idempotency-Key`, or a condition.
    header: Option<(&'static str, &'a str)>,
}

fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, AdminError> {
    if status.is_success() {
        let wrong = |error: serde_json::Error| Error::BadAnswer(format!("the answer has another shape: {error}"));
        return Ok(serde_json::from_slice(body).map_err(wrong)?);
    }
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => Err(AdminError::Refused(Box::new(problem))),
        Err(_) if status == StatusCode::NOT_FOUND => {
            let why = "there is no admin API at this address (404); it may have an origin of its own, the server's admin.origin";
            Err(Error::BadAnswer(why.into()).into())
        }
        Err(_) => Err(Error::BadAnswer(format!("the server answered {status} without saying why")).into()),
    }
}

fn waiting(wait: Option<Duration>) -> Vec<(String, String)> {
    wait.map(|wait| ("wait".to_owned(), wait.as_secs().to_string())).into_iter().collect()
}

/// A part of a path that stays one part.
fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_part_of_the_path() {
        assert_eq!(segment("0198-a/../b?c"), "0198-a%2F%2E%2E%2Fb%3Fc");
    }
}
