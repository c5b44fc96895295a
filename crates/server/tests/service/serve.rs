//! A service that knows only the address of its authorization server.

use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use ficha_resource::{Bearer, BearerBuilder, MaybeBearer, OAuth2PasswordBearer, Stats, scopes};
use ficha_token::{Clock, ManualClock};
use reqwest::Response;
use reqwest::header::{RETRY_AFTER, WWW_AUTHENTICATE};

use crate::support::{AUDIENCE, eventually};
use ficha_testing::{App as Server, client};

scopes! { NotesRead = "notes:read"; }

/// An extractor that requires a scope, an extractor with an optional token, and the middleware.
pub const ROUTES: [&str; 3] = ["/notes", "/feed", "/guarded"];

/// A running service with its own clock.
pub struct Service {
    pub clock: Arc<ManualClock>,
    pub oauth2: OAuth2PasswordBearer,
    url: String,
    http: reqwest::Client,
    handle: ServerHandle,
}

impl Service {
    /// A service that finds everything in the metadata of `issuer`. Its clock starts at the server's time, and stands
    /// still from then on.
    pub async fn discover(issuer: &str, server: &Server) -> Self {
        Self::with_clock(issuer, ManualClock::new(server.clock.now()), |builder| builder).await
    }

    /// A service with its own clock, and settings other than the defaults.
    pub async fn with_clock(
        issuer: &str,
        clock: ManualClock,
        change: impl FnOnce(BearerBuilder) -> BearerBuilder,
    ) -> Self {
        Self::sharing(issuer, Arc::new(clock), change).await
    }

    /// A service that shares its clock.
    pub async fn sharing(
        issuer: &str,
        clock: Arc<ManualClock>,
        change: impl FnOnce(BearerBuilder) -> BearerBuilder,
    ) -> Self {
        let http = client();
        let builder = OAuth2PasswordBearer::discover(issuer).audience(AUDIENCE).clock(clock.clone());
        let oauth2 = change(builder).build().await.expect("a bearer");
        let (url, handle) = serve(oauth2.clone());
        let service = Self { clock, oauth2, url, http, handle };
        assert!(service.oauth2.readiness().is_ready(), "{}", service.oauth2.readiness());
        service
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        let sent = self.http.get(format!("{}{path}", self.url)).bearer_auth(token).send();
        Answer::of(&sent.await.expect("the service answers"))
    }

    /// Every route accepts the token.
    pub async fn accepts(&self, token: &str) {
        for path in ROUTES {
            let answer = self.get(path, token).await;
            assert_eq!(answer.status, 200, "{path} {:?} {:?}", answer, self.stats());
        }
    }

    /// Every route rejects the token as invalid, so its holder has to get a new one.
    pub async fn rejects(&self, token: &str) {
        for path in ROUTES {
            self.get(path, token).await.assert_rejected(path);
        }
    }

    /// Every route answers 503 with `Retry-After`, and the service is not ready.
    pub async fn is_unavailable(&self, token: &str) {
        for path in ROUTES {
            self.get(path, token).await.assert_unavailable(path);
        }
        assert_eq!(self.get("/ready", "").await.status, 503);
    }

    /// The token is rejected soon, and accepted until then: there is no 503 in between.
    pub async fn soon_rejects(&self, token: &str) {
        eventually("the revocation is known", async || self.changes(token, 200, 401).await).await;
        self.rejects(token).await;
    }

    /// The token is accepted again soon. Until then the service answers 503, so no user is logged out.
    pub async fn soon_accepts(&self, token: &str) {
        eventually("the service serves again", async || self.changes(token, 503, 200).await).await;
        self.accepts(token).await;
        assert_eq!(self.get("/ready", "").await.status, 200);
    }

    /// Waits until this many polls have failed since `before`.
    pub async fn fails_to_poll(&self, before: u64, times: u64) {
        eventually("polls have failed", async || self.polls_failed() >= before + times).await;
    }

    pub fn polls_failed(&self) -> u64 {
        self.stats().denylist.expect("it follows a server").polls_failed
    }

    pub fn resets(&self) -> u64 {
        self.stats().denylist.expect("it follows a server").resets
    }

    pub fn stats(&self) -> Stats {
        self.oauth2.stats()
    }

    async fn changes(&self, token: &str, from: u16, to: u16) -> bool {
        let answer = self.get(ROUTES[0], token).await;
        assert!(answer.status == from || answer.status == to, "{answer:?}");
        answer.status == to
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(tokio::spawn(self.handle.stop(false)));
    }
}

/// A response of the service.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub challenge: Option<String>,
    pub retry_after: Option<u64>,
}

impl Answer {
    fn of(response: &Response) -> Self {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let retry_after = header(RETRY_AFTER).map(|seconds| seconds.parse().expect("whole seconds"));
        Self { status: response.status().as_u16(), challenge: header(WWW_AUTHENTICATE), retry_after }
    }

    /// RFC 6750 §3.1.
    #[track_caller]
    pub fn assert_rejected(&self, what: &str) {
        assert_eq!((self.status, self.retry_after), (401, None), "{what}: {self:?}");
        let challenge = self.challenge.as_deref().unwrap_or_default();
        assert!(challenge.starts_with("Bearer ") && challenge.contains(r#"error="invalid_token""#), "{what}: {self:?}");
    }

    /// 503 with `Retry-After`, and no challenge, which would log users out.
    #[track_caller]
    pub fn assert_unavailable(&self, what: &str) {
        assert_eq!((self.status, self.challenge.as_deref()), (503, None), "{what}: {self:?}");
        assert!(self.retry_after.is_some_and(|seconds| seconds >= 1), "{what}: {self:?}");
    }
}

async fn notes(user: Bearer<NotesRead>) -> String {
    user.claims.sub.to_string()
}

async fn feed(user: MaybeBearer) -> &'static str {
    if user.0.is_some() { "yours" } else { "public" }
}

async fn ready(oauth2: web::Data<OAuth2PasswordBearer>) -> HttpResponse {
    let ready = oauth2.readiness();
    if ready.is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() }.body(ready.to_string())
}

fn serve(oauth2: OAuth2PasswordBearer) -> (String, ServerHandle) {
    let server = HttpServer::new(move || {
        let guarded = web::scope("/guarded").wrap(oauth2.require("notes:read"));
        App::new()
            .app_data(oauth2.clone())
            .app_data(web::Data::new(oauth2.clone()))
            .route("/notes", web::get().to(notes))
            .route("/feed", web::get().to(feed))
            .route("/ready", web::get().to(ready))
            .service(guarded.route("", web::get().to(async || "guarded")))
    });
    let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).expect("port 0 is free");
    let url = format!("http://{}", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    drop(tokio::spawn(server));
    (url, handle)
}
