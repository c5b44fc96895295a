//! The notes API in actix-web and in axum: both answer every request of one suite alike.
#![expect(clippy::unwrap_used, reason = "a test that can't go on panics")]

mod actix_notes;
mod axum_notes;
mod grpc;

use std::net::SocketAddr;
use std::time::Duration;

use ficha_resource::{ResourceMetadata, TestIssuer, roles, scopes};
use reqwest::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, Response};
use serde::Deserialize;
use serde_json::Value;

scopes! {
    NotesRead = "notes:read";
    NotesWrite = "notes:write";
}

roles! { Editor = "editor"; }

/// Custom claims.
#[derive(Deserialize)]
struct Team {
    team: String,
}

/// A way to run the notes API.
type Start = fn(&TestIssuer) -> SocketAddr;

const ADAPTERS: [(&str, Start); 2] = [("actix", actix_notes::start), ("axum", axum_notes::start)];

/// What an answer consists of, as far as it is the same with every adapter.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    challenge: Option<String>,
    retry_after: Option<String>,
    cache_control: Option<String>,
    content_type: Option<String>,
    body: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let header = |name| {
            response.headers().get(name).map(|value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned())
        };
        let status = response.status().as_u16();
        let (challenge, retry_after) = (header(WWW_AUTHENTICATE), header(RETRY_AFTER));
        let (cache_control, content_type) = (header(CACHE_CONTROL), header(CONTENT_TYPE));
        // What a handler answers is the framework's own matter; what refuses it is ours.
        let is_refusal = status >= 400;
        let body = response.text().await.unwrap();
        Self {
            status,
            challenge,
            retry_after,
            cache_control: cache_control.filter(|_| is_refusal),
            content_type: content_type.filter(|_| is_refusal),
            body,
        }
    }
}

struct Api {
    http: reqwest::Client,
    address: SocketAddr,
}

impl Api {
    fn start(issuer: &TestIssuer, start: Start) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, address: start(issuer) }
    }

    async fn ask(&self, method: Method, path: &str, authorization: &[&str]) -> Answer {
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        for value in authorization {
            request = request.header(AUTHORIZATION, *value);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask(Method::GET, path, &[&format!("Bearer {token}")]).await
    }
}

/// Runs the same steps with each adapter, and compares what they return.
async fn alike(steps: impl AsyncFn(TestIssuer, Api) -> Vec<Answer>) -> Vec<Answer> {
    let mut first: Option<Vec<Answer>> = None;
    for (name, start) in ADAPTERS {
        let issuer = TestIssuer::new();
        let api = Api::start(&issuer, start);
        let answers = steps(issuer, api).await;
        match &first {
            None => first = Some(answers),
            Some(first) => assert_eq!(first, &answers, "{name}"),
        }
    }
    first.unwrap()
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_state_what_they_need() {
    let answers = alike(async |issuer, api| {
        let token = |scope: &str| issuer.token().scope(scope).claim("team", "blue").roles(["editor"]).sign();
        let (read, both, none) = (token("notes:read"), token("notes:read notes:write"), issuer.token().sign());
        vec![
            api.get("/notes", &read).await,
            api.get("/notes", &none).await,
            api.ask(Method::POST, "/notes", &[&format!("Bearer {both}")]).await,
            api.ask(Method::POST, "/notes", &[&format!("Bearer {read}")]).await,
            api.get("/team", &read).await,
            api.get("/team", &none).await,
            api.get("/publish", &read).await,
            api.get("/publish", &none).await,
            api.get("/greet", &read).await,
            api.ask(Method::GET, "/greet", &[]).await,
            api.get("/greet", "x").await,
        ]
    })
    .await;
    assert_eq!(statuses(&answers), [200, 403, 200, 403, 200, 403, 200, 403, 200, 200, 401]);
    let insufficient = answers[3].challenge.as_deref().unwrap();
    assert!(insufficient.contains("insufficient_scope") && insufficient.contains("scope=\"notes:read notes:write\""));
    assert_eq!((&*answers[4].body, &*answers[9].body), ("blue", "hello, stranger"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_valid_token_is_refused() {
    let answers = alike(async |issuer, api| {
        let read = issuer.token().scope("notes:read").sign();
        let bearer = format!("Bearer {read}");
        let mut answers = Vec::new();
        for header in
            [&[][..], &["Basic YTpi"], &["Bearer"], &["Bearer x y"], &[" "], &[&bearer, &bearer], &["bearer x"]]
        {
            answers.push(api.ask(Method::GET, "/notes", header).await);
        }
        answers.push(api.get("/notes", &issuer.token().scope("notes:read").audience("other").sign()).await);
        let expired = issuer.token().scope("notes:read").expires_in(Duration::from_secs(60)).sign();
        answers.push(api.get("/notes", &expired).await);
        issuer.advance(Duration::from_secs(600));
        answers.push(api.get("/notes", &expired).await);
        answers
    })
    .await;
    assert_eq!(statuses(&answers), [401, 401, 400, 400, 401, 400, 401, 401, 200, 401]);
    assert!(answers[0].challenge.as_deref().is_some_and(|text| !text.contains("error")));
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused.content_type.as_deref(), Some("application/json"));
        assert_eq!(refused.cache_control.as_deref(), Some("no-store"));
        assert!(serde_json::from_str::<Value>(&refused.body).unwrap()["error"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_refused_and_a_stale_list_is_no_verdict() {
    let answers = alike(async |issuer, api| {
        let token = || issuer.token().scope("notes:read").sign();
        let (one, other, third) = (token(), token(), token());
        let mut answers = vec![api.get("/notes", &one).await, api.get("/notes", &other).await];
        issuer.revoke(&one);
        issuer.revoke_session(&other);
        answers.extend([api.get("/notes", &one).await, api.get("/notes", &other).await, api.get("/admin", &one).await]);
        issuer.set_stale(true);
        answers.extend([
            api.get("/notes", &third).await,
            api.get("/archive", &third).await,
            api.get("/archive", &one).await,
        ]);
        issuer.set_stale(false);
        answers.push(api.get("/notes", &third).await);
        issuer.purge_key();
        answers.push(api.get("/notes", &third).await);
        answers
    })
    .await;
    assert_eq!(statuses(&answers), [200, 200, 401, 401, 401, 503, 200, 401, 200, 401]);
    assert!(answers[2].challenge.as_deref().is_some_and(|text| text.contains("revoked")));
    assert!(answers[5].challenge.is_none() && answers[5].retry_after.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_an_application_has_a_guard_of_its_own() {
    let answers = alike(async |issuer, api| {
        let token = |scope: &str| issuer.token().scope(scope).sign();
        let editor = issuer.token().roles(["editor"]).sign();
        vec![
            api.get("/admin", &token("notes:admin")).await,
            api.get("/admin", &token("notes:read")).await,
            api.ask(Method::GET, "/admin", &[]).await,
            api.get("/any", &token("b")).await,
            api.get("/any", &token("c")).await,
            api.get("/editors", &editor).await,
            api.get("/editors", &token("notes:admin")).await,
            // The handler behind the layer needs more than the layer.
            api.get("/admin/notes", &token("notes:admin")).await,
            api.get("/admin/notes", &token("notes:admin notes:read")).await,
            // Error bodies of the service's own; the headers stay.
            api.get("/problem", &token("notes:read")).await,
            api.ask(Method::GET, "/problem", &[]).await,
        ]
    })
    .await;
    assert_eq!(statuses(&answers), [200, 403, 401, 200, 403, 200, 403, 403, 200, 200, 401]);
    assert!(answers[4].challenge.as_deref().is_some_and(|text| text.contains("scope=\"a\"")));
    assert!(answers[10].challenge.is_some() && answers[10].body.contains("\"title\""), "{:?}", answers[10]);
    assert_eq!(answers[10].cache_control.as_deref(), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_that_accepts_a_stale_list_does_not_decide_for_its_handlers() {
    let answers = alike(async |issuer, api| {
        let token = issuer.token().scope("notes:read").sign();
        let mut answers = vec![api.get("/open/strict", &token).await, api.get("/open/same", &token).await];
        issuer.set_stale(true);
        answers.extend([api.get("/open/strict", &token).await, api.get("/open/same", &token).await]);
        issuer.set_stale(false);
        // What the layer sets counts behind it, too: its realm and its error bodies.
        answers.push(api.ask(Method::POST, "/open/same", &[&format!("Bearer {token}")]).await);
        // Unknown paths are not guarded.
        answers.push(api.ask(Method::GET, "/nowhere", &[]).await);
        answers
    })
    .await;
    assert_eq!(statuses(&answers), [200, 200, 503, 200, 403, 404]);
    assert!(answers[4].challenge.as_deref().is_some_and(|text| text.contains("realm=\"open\"")), "{:?}", answers[4]);
    assert!(answers[4].body.contains("\"title\""), "{:?}", answers[4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_leads_to_the_metadata_of_the_resource() {
    let answers = alike(async |issuer, api| {
        vec![
            api.ask(Method::GET, "/described", &[]).await,
            api.get("/described", "x").await,
            api.get("/described", &issuer.token().sign()).await,
            api.ask(Method::GET, "/notes", &[]).await,
            api.ask(Method::GET, &metadata().path(), &[]).await,
        ]
    })
    .await;
    assert_eq!(statuses(&answers), [401, 401, 403, 401, 200]);
    let url = "resource_metadata=\"https://example.com/.well-known/oauth-protected-resource/notes\"";
    for refused in &answers[..3] {
        assert!(refused.challenge.as_deref().is_some_and(|text| text.ends_with(url)), "{refused:?}");
    }
    assert!(answers[3].challenge.as_deref().is_some_and(|text| !text.contains("resource_metadata")));
    let described: Value = serde_json::from_str(&answers[4].body).unwrap();
    let expected = serde_json::json!({
        "resource": "https://example.com/notes",
        "authorization_servers": ["https://auth.example.com"],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(described, expected);
}

/// What the service says about itself.
fn metadata() -> ResourceMetadata {
    ResourceMetadata::new("https://example.com/notes", "https://auth.example.com")
}

/// A port for a server that is started on it.
fn listener() -> std::net::TcpListener {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}
