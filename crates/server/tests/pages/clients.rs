//! Clients in the console.

use std::time::Duration;

use ficha_authority::{ClientScopes, Grant};
use ficha_store::testing::TestDatabase;
use ficha_testing::{App, Client, PASSWORD};

use crate::support::*;

async fn created(visitor: &Visitor<'_>, fields: &[(&str, &str)]) -> Page {
    visitor.post("/console/new-client", "/console/new-client", fields).await
}

fn secret(page: &Page) -> String {
    let (_, rest) = page.text.split_once("<code class=\"secret\">").expect("a secret");
    rest.split('<').next().expect("its text").to_owned()
}

/// A piece of a program that the page shows.
fn snippet(page: &Page, title: &str) -> String {
    let (_, rest) = page.text.split_once(&format!("<summary>{title}</summary>")).expect("a snippet");
    let (_, rest) = rest.split_once("<code>").expect("its text");
    let text = rest.split("</code>").next().expect("its text");
    text.replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "<").replace("&#62;", ">").replace("&#38;", "&")
}

/// Runs a program with what is secret in its environment; returns what it printed.
async fn run(program: &str, flags: &[&str], text: &str, secret: &str) -> String {
    let mut command = tokio::process::Command::new(program);
    command.args(flags).arg(text).env("CLIENT_SECRET", secret).env("PASSWORD", PASSWORD).env("no_proxy", "*");
    let output = command.output().await.expect("it starts");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

ficha_store::on_both_databases! {
    async fn a_client_is_created_and_what_its_page_shows_works_as_pasted(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        // An id that a shell and a program must not misread.
        let id = "it's $HOME: 100% \"notes\"";
        let fields = [
            ("id", id), ("kind", "confidential"), ("grant-password", "yes"), ("grant-refresh_token", "yes"),
            ("scopes", "notes:read"), ("audience", "notes"), ("serves", "notes"),
        ];
        let page = created(&chief, &fields).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let secret = secret(&page);
        let (_, rest) = page.text.split_once("class=\"button\" href=\"").expect("a way on");
        let path = rest.split('"').next().expect("a path").to_owned();
        let page = chief.get(&path).await;
        assert!(page.has("notes:read") && !page.has(&secret), "{}", page.text);
        let here = |text: String| text.replace(ficha_testing::ISSUER, &format!("http://{}", app.address));
        let printed = run("sh", &["-c"], &here(snippet(&page, "curl")), &secret).await;
        assert!(printed.contains("\"access_token\""), "{printed}");
        for title in ["Python (requests)", "JavaScript (Node.js)", "Python (FastAPI)", "Rust (ficha-client)"] {
            assert!(!snippet(&page, title).contains(&secret), "{title}");
        }
        // Introspected with the credentials that the FastAPI service uses.
        let token: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
        let form = [("token", token["access_token"].as_str().expect("a token"))];
        let client = Client { id: id.to_owned(), secret };
        let form = [form[0], ("client_id", &*client.id), ("client_secret", &*client.secret)];
        let seen: serde_json::Value = app.post("/introspect", &form).await.json().await.expect("JSON");
        assert_eq!(seen["active"], true);
    }

    async fn a_secret_is_replaced_without_a_gap(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let fields = [("id", "shop"), ("kind", "confidential"), ("grant-client_credentials", "yes"), ("scopes", "jobs:run")];
        let first = secret(&created(&chief, &fields).await);
        let works = async |secret: &str| {
            let client = Client { id: "shop".into(), secret: secret.to_owned() };
            app.post_as(&client, "/token", &[("grant_type", "client_credentials")]).await.status() == 200
        };
        assert!(works(&first).await);
        let path = "/console/clients/shop";
        let second = secret(&chief.post(path, "/console/clients/shop/secrets", &[("others", "day")]).await);
        assert!(works(&first).await && works(&second).await);
        let third = chief.post(path, "/console/clients/shop/secrets", &[("others", "keep")]).await;
        assert_eq!(third.status, 409, "two at most: {}", third.text);
        app.advance(Duration::from_secs(86_400)).await;
        assert!(!works(&first).await && works(&second).await);
        let chief = Visitor::signed_in(&app, "chief").await;
        let third = secret(&chief.post(path, "/console/clients/shop/secrets", &[("others", "remove"), ("confirm", "yes")]).await);
        app.advance(Duration::ZERO).await;
        assert!(!works(&second).await && works(&third).await);
        for others in ["never", ""] {
            assert_eq!(chief.post(path, "/console/clients/shop/secrets", &[("others", others)]).await.status, 400);
        }
        // Showing a secret needs the password, after a while.
        app.advance(Duration::from_secs(11 * 60)).await;
        let asked = chief.post(path, "/console/clients/shop/secrets", &[("others", "remove"), ("confirm", "yes")]).await;
        assert!(asked.has("name=\"password_again\"") && works(&third).await, "{}", asked.text);
    }

    async fn a_client_becomes_confidential_and_public_again(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let fields = [("id", "shop"), ("kind", "public"), ("grant-password", "yes"), ("any_scope", "yes")];
        assert_eq!(created(&chief, &fields).await.status, 200);
        let edit = "/console/clients/shop/edit";
        let save = async |more: &[(&str, &str)]| {
            let form = chief.get(edit).await;
            let (_, rest) = form.text.split_once("name=\"version\" value=\"").expect("a version");
            let version = rest.split('"').next().expect("a value").replace("&#34;", "\"");
            let rights = [("version", &*version), ("grant-password", "yes"), ("any_scope", "yes")];
            chief.post_with(edit, &form.token(), &[&rights, more].concat()).await
        };
        let form = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        let public = [form[0], form[1], form[2], ("client_id", "shop")];
        // A form that says nothing of it changes nothing of it.
        assert_eq!(save(&[]).await.status, 303);
        app.advance(Duration::ZERO).await;
        assert_eq!(app.post("/token", &public).await.status(), 200);
        let page = save(&[("kind", "confidential")]).await;
        assert!(page.has("confidential now"), "{}", page.text);
        let client = Client { id: "shop".into(), secret: secret(&page) };
        app.advance(Duration::ZERO).await;
        assert_eq!(app.post_as(&client, "/token", &form).await.status(), 200);
        assert_eq!(app.post("/token", &public).await.status(), 401);
        let asked = save(&[("kind", "public")]).await;
        assert!(asked.has("All sessions of this client end"), "{}", asked.text);
        assert!(save(&[("kind", "public"), ("confirm", "yes")]).await.has("Saved."));
        app.advance(Duration::ZERO).await;
        assert_eq!(app.post("/token", &public).await.status(), 200);
        // Showing a secret needs the password, after a while.
        app.advance(Duration::from_secs(11 * 60)).await;
        assert!(save(&[("kind", "confidential")]).await.has("name=\"password_again\""));
    }

    async fn a_client_is_found_by_its_id(database: TestDatabase) {
        let app = app(&database).await;
        for id in ["alpha", "beta", "gamma"] {
            app.add_client(id, |_| ()).await;
        }
        let chief = Visitor::signed_in(&app, "chief").await;
        let ids = async |from: &str| {
            let page = chief.get(&format!("/console/clients?from={from}")).await;
            let links = page.text.split("href=\"/console/clients/").skip(1);
            links.map(|rest| rest.split('"').next().expect("an id").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids("beta").await[..2], ["beta", "ficha%2Dcli"]);
        assert_eq!(ids("b").await[0], "beta");
        assert_eq!(ids("").await[0], "alpha");
        assert_eq!(ids("zz").await, [""; 0]);
    }

    async fn a_client_is_changed_disabled_and_deleted(database: TestDatabase) {
        let app = app(&database).await;
        let chief = Visitor::signed_in(&app, "chief").await;
        let fields = [("id", "app"), ("kind", "public"), ("grant-password", "yes"), ("grant-refresh_token", "yes"), ("any_scope", "yes")];
        assert_eq!(created(&chief, &fields).await.status, 200);
        let taken = created(&chief, &fields).await;
        assert!(taken.status == 409 && taken.has("href=\"/console/clients/app\""), "the id is taken");
        let wrong = created(&chief, &[("id", "bad"), ("kind", "public"), ("grant-client_credentials", "yes")]).await;
        assert!(wrong.status == 400 && wrong.has("value=\"bad\""), "what was typed is kept: {}", wrong.text);
        let login = async |app: &App| {
            let form = [("grant_type", "password"), ("client_id", "app"), ("username", "alice"), ("password", PASSWORD)];
            app.post("/token", &form).await.status().as_u16()
        };
        assert_eq!(login(&app).await, 200);
        let form = chief.get("/console/clients/app/edit").await;
        let (_, rest) = form.text.split_once("name=\"version\" value=\"").expect("a version");
        let version = rest.split('"').next().expect("a value").replace("&#34;", "\"");
        let change = [("version", &*version), ("grant-password", "yes"), ("scopes", "notes:read"), ("audience", "notes")];
        let asked = chief.post_with("/console/clients/app/edit", &form.token(), &change).await;
        assert!(asked.has("What happens") && asked.has("All sessions of this client end"), "{}", asked.text);
        let mut confirmed = change.to_vec();
        confirmed.push(("confirm", "yes"));
        let saved = chief.post_with("/console/clients/app/edit", &form.token(), &confirmed).await;
        assert!(saved.status == 200 && saved.has("Saved."), "{}", saved.text);
        let late = chief.post_with("/console/clients/app/edit", &form.token(), &change).await;
        assert_eq!(late.status, 409, "it is another version by now");
        let wrong = [("version", &*version), ("grant-password", "yes"), ("scopes", "other:scope"), ("audience", "notes")];
        let late = chief.post_with("/console/clients/app/edit", &form.token(), &wrong).await;
        assert!(late.has("This is what is there now") && late.has("<bdi>notes:read</bdi>"), "{}", late.text);
        let path = "/console/clients/app";
        assert!(chief.get(path).await.has("<code>notes:read</code>"));
        let asked = chief.post(path, "/console/clients/app/disable", &[]).await;
        assert!(asked.has("What happens") && login(&app).await == 200);
        assert!(chief.post(path, "/console/clients/app/disable", &[("confirm", "yes")]).await.has("is disabled"));
        app.advance(Duration::ZERO).await;
        assert_eq!(login(&app).await, 401);
        assert_eq!(chief.post(path, "/console/clients/app/enable", &[]).await.location, "/console/clients/app?note=enabled");
        assert!(chief.post(path, "/console/clients/app/delete", &[("confirm", "yes")]).await.has("was deleted"));
        assert_eq!(chief.get(path).await.status, 404);
    }
}

/// What the page shows runs in Python as pasted, where requests is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shown_python_works_as_pasted() {
    let Some(python) = python() else { return };
    let database = TestDatabase::sqlite().await;
    let app = app(&database).await;
    let chief = Visitor::signed_in(&app, "chief").await;
    let fields =
        [("id", "it's \"notes\""), ("kind", "confidential"), ("grant-password", "yes"), ("scopes", "notes:read")];
    let page = created(&chief, &fields).await;
    let secret = secret(&page);
    let (_, rest) = page.text.split_once("class=\"button\" href=\"").expect("a way on");
    let page = chief.get(rest.split('"').next().expect("a path")).await;
    let text = snippet(&page, "Python (requests)").replace(ficha_testing::ISSUER, &format!("http://{}", app.address));
    let printed = run(&python.display().to_string(), &["-c"], &text, &secret).await;
    assert_eq!(printed.trim().split('.').count(), 3, "a token: {printed}");
    let has_node = tokio::process::Command::new("node").arg("--version").output().await;
    if has_node.is_ok_and(|output| output.status.success()) {
        let text =
            snippet(&page, "JavaScript (Node.js)").replace(ficha_testing::ISSUER, &format!("http://{}", app.address));
        let printed = run("node", &["--input-type=module", "-e"], &text, &secret).await;
        assert_eq!(printed.trim().split('.').count(), 3, "a token: {printed}");
    }
}

/// The service that the page shows runs as pasted, where FastAPI is there: it takes a token, and not a revoked one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shown_fastapi_service_works_as_pasted() {
    let Some(python) = python() else { return };
    let database = TestDatabase::sqlite().await;
    let app = app(&database).await;
    let chief = Visitor::signed_in(&app, "chief").await;
    let serving =
        [("id", "it's \"notes\""), ("kind", "confidential"), ("grant-client_credentials", "yes"), ("serves", "notes")];
    let page = created(&chief, &[&serving[..], &[("scopes", "notes:read")]].concat()).await;
    let secret = secret(&page);
    let (_, rest) = page.text.split_once("class=\"button\" href=\"").expect("a way on");
    let page = chief.get(rest.split('"').next().expect("a path")).await;
    let text = snippet(&page, "Python (FastAPI)").replace(ficha_testing::ISSUER, &format!("http://{}", app.address));
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("notes.py"), text).expect("it is written");
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port");
    let mut service = tokio::process::Command::new(python);
    service.args(["-m", "uvicorn", "notes:app", "--log-level", "error", "--port", &free.port().to_string()]);
    service.current_dir(folder.path()).env("CLIENT_SECRET", secret).env("no_proxy", "*").kill_on_drop(true);
    let _service = service.spawn().expect("it starts");
    app.add_client("app", |new| (new.public, new.audience) = (true, Some("notes".into()))).await;
    let form = [("grant_type", "password"), ("client_id", "app"), ("username", "alice"), ("password", PASSWORD)];
    let token = ficha_testing::Tokens::of(app.post("/token", &form).await).await.access;
    let asked = async |token: &str| {
        let request = app.http.get(format!("http://{free}/notes")).bearer_auth(token);
        request.send().await.map_or(0, |answer| answer.status().as_u16())
    };
    ficha_testing::eventually("it listens", async || asked(&token).await != 0).await;
    assert_eq!((asked(&token).await, asked("x").await), (200, 401));
    assert_eq!(asked(&app.login("alice").await.access).await, 401, "for another audience");
    app.admin.revoke_user(&ficha_testing::tester(), "alice").await.expect("they end");
    app.advance(Duration::ZERO).await;
    assert_eq!(asked(&token).await, 401);
}

/// What the page shows for Rust is what is compiled with `ficha-client`, as its examples.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shown_rust_compiles() {
    let database = TestDatabase::sqlite().await;
    let app = app(&database).await;
    app.add_client("notes-app", |new| new.grants = vec![Grant::Password, Grant::RefreshToken]).await;
    app.add_client("night-shift", |new| {
        new.grants = vec![Grant::ClientCredentials];
        new.scopes = ClientScopes::Only("ficha:sessions".parse().expect("a scope"));
        new.own_scopes = true;
    })
    .await;
    let chief = Visitor::signed_in(&app, "chief").await;
    for (id, compiled) in [
        ("notes-app", include_str!("../../../client/examples/console_user.rs")),
        ("night-shift", include_str!("../../../client/examples/console_client.rs")),
    ] {
        let page = chief.get(&format!("/console/clients/{id}")).await;
        let shown = snippet(&page, "Rust (ficha-client)").replace(ficha_testing::ISSUER, "https://auth.example.com");
        let (_, program) = compiled.split_once("\n\n").expect("a comment and a program");
        assert_eq!(shown.trim_end(), program.trim_end(), "{id}");
    }
}
