//! Jobs over HTTP: imports, and revocations of very many sessions.

use std::time::Duration;

use ficha_authority::{Actor, ImportFormat, JobState, RequestSource, RevokeMatching, SessionSearch};
use ficha_store::testing::TestDatabase;
use ficha_testing::{App, eventually, tester};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::support::*;

/// Of [`IMPORTED`], with cost 4.
const HASH: &str = "$2b$04$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a";
const IMPORTED: &str = "correct horse battery staple";

async fn import(app: &App, token: &str, kind: &str, file: String) -> Response {
    let request = app.http.post(app.url("/api/v1/users/import")).bearer_auth(token).header("content-type", kind);
    request.body(file).send().await.expect("an answer")
}

/// Waits until a job is over, and returns it.
async fn over(app: &App, token: &str, accepted: Response) -> Value {
    let (status, headers) = (accepted.status(), accepted.headers().clone());
    let body: Value = accepted.json().await.expect("JSON");
    assert_eq!(status, 202, "{body}");
    let location = headers["location"].to_str().expect("text").to_owned();
    let id = body["job"].as_str().expect("an id").to_owned();
    assert!(location.ends_with(&format!("/api/v1/jobs/{id}")), "{location}");
    let wait = async {
        loop {
            let job = good(app, Method::GET, &format!("/jobs/{id}"), token).await;
            if job["finished_at"].is_string() {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it is over in time")
}

async fn log_in(app: &App, name: &str) -> Response {
    let form = [("grant_type", "password"), ("username", name), ("password", IMPORTED)];
    app.post("/token", &form).await
}

ficha_store::on_both_databases! {
    async fn an_import_takes_no_name_that_looks_like_another_and_questions_lists_of_scopes(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:admin").await.access;
        app.add_user("second", "").await;
        // As a server of the release before has left it; the next start completes it.
        database.raw().await.execute("UPDATE users SET name = 'Rene\u{301}e' WHERE name = 'second'").await;
        let app = app.end().await.start(&database).await;
        eventually("it is ready", async || app.get("/health/ready").await.status() == 200).await;
        let csv = format!(
            "name,password_hash,scopes\nRen\u{e9}e,{HASH},\nbob,{HASH},\"a:b,a:c\"\ncarol,{HASH},any\nZoe\u{308},{HASH},a:d\n\
             Zo\u{eb},{HASH},\n"
        );
        let job = over(&app, &chief, import(&app, &chief, "text/csv", csv).await).await;
        assert_eq!((&job["unchanged"], &job["failed"]), (&json!(1), &json!(3)), "{job}");
        let report = job["report"].to_string();
        assert!(report.contains("did you mean") && report.contains("reserved"), "{report}");
        let users = good(&app, Method::GET, "/users", &chief).await.to_string();
        assert!(users.contains("Zo\u{eb}") && !users.contains("Ren\u{e9}e"), "{users}");
        let scopes = good(&app, Method::GET, "/scopes", &chief).await.to_string();
        assert!(scopes.contains("a:d") && !scopes.contains("a:b") && !scopes.contains("\"any\""), "{scopes}");
    }

    async fn users_are_imported_once_with_a_report_by_line(database: TestDatabase) {
        let app = app(&database).await;
        let chief = token(&app, "chief", "ficha:users").await.access;
        app.admin.declare_scope(&tester(), "notes:read", "").await.expect("it is declared");
        let csv = format!(
            "name,email,password_hash,scopes,roles,enabled,must_change\r\n\
             ana,ana@example.com,{HASH},notes:read,\"editor reader\",,\r\n\
             bea,,{HASH},,,false,\r\n\
             cleo,,{HASH},ficha:admin,,,\r\n\
             dan,,{HASH},undeclared,,,\r\n\
             eva,,$2b$15$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a,,,,\r\n\
             ana,,{HASH},,,,\r\n\
             alice,,{HASH},,,,\r\n\
             fay,,plain-password,,,,\r\n\
             gil,,{HASH},,,,true\r\n"
        );
        let done = over(&app, &chief, import(&app, &chief, "text/csv", csv.clone()).await).await;
        assert_eq!((&done["kind"], &done["state"], &done["error"]), (&json!("import_users"), &json!("done"), &json!(null)));
        assert_eq!((&done["total"], &done["done"], &done["unchanged"], &done["failed"]), (&json!(9), &json!(4), &json!(1), &json!(5)));
        assert_eq!(done["by"], json!({ "kind": "user", "name": "chief" }));
        let lines = done["report"]["lines"].as_array().expect("lines");
        assert_eq!(lines.iter().map(|line| line["line"].as_i64().expect("a number")).collect::<Vec<_>>(), [4, 5, 6, 7, 9]);
        for (line, words) in lines.iter().zip(["ficha:admin", "undeclared", "max_stored_cost", "same name", "password_hash"]) {
            assert!(line["problem"].as_str().expect("text").contains(words), "{line}");
        }
        assert!(!done.to_string().contains("plain-password"));
        let ana = good(&app, Method::GET, "/users?name=ana", &chief).await["items"][0].clone();
        // A path takes the name as well.
        let mut shown = good(&app, Method::GET, "/users/ana", &chief).await;
        shown.as_object_mut().expect("an object").remove("failed_logins");
        assert_eq!(shown, ana);
        problem(send(&app, Method::GET, "/users/import", &chief).await, 404, "not-found").await;
        assert_eq!((&ana["email"], &ana["roles"]), (&json!("ana@example.com"), &json!(["editor", "reader"])));
        assert_eq!(ana["scopes"], json!(["ficha:account", "notes:read"]));
        assert_eq!(log_in(&app, "ana").await.status(), 200);
        assert_eq!(log_in(&app, "bea").await.status(), 400);
        assert_eq!(log_in(&app, "gil").await.json::<Value>().await.expect("JSON")["error"], "invalid_grant");
        assert_eq!(good(&app, Method::GET, "/users?name=cleo&count=only", &chief).await, json!({ "count": 0 }));
        // Again: nothing is changed, although ana's hash is another by now.
        let again = over(&app, &chief, import(&app, &chief, "text/csv", csv).await).await;
        assert_eq!((&again["done"], &again["unchanged"]), (&json!(4), &json!(4)));
        assert_eq!(good(&app, Method::GET, "/users?name=ana", &chief).await["items"][0]["id"], ana["id"]);
        let lines = format!("{{\"name\": \"hal\", \"password_hash\": \"{HASH}\", \"scopes\": [\"notes:read\"]}}\n\nnonsense\n");
        let done = over(&app, &chief, import(&app, &chief, "application/jsonl", lines).await).await;
        assert_eq!((&done["done"], &done["failed"], &done["report"]["lines"][0]["line"]), (&json!(1), &json!(1), &json!(3)));
        assert_eq!(log_in(&app, "hal").await.status(), 200);
        let many = "x\n".repeat(500_001);
        for (kind, file) in [("application/jsonl", many.as_str()), ("text/csv", "name,email\na,b\n"), ("text/csv", ""), ("application/json", "{}"), ("text/csv", "name,password_hash,admin\n")] {
            problem(import(&app, &chief, kind, file.into()).await, 400, "invalid").await;
        }
        let long = format!("{{\"name\": \"{}\"}}\n", "x".repeat(20_000));
        let done = over(&app, &chief, import(&app, &chief, "application/jsonl", long).await).await;
        assert!(done.to_string().len() < 2_000 && done["report"]["lines"][0]["problem"].to_string().contains("16 KiB"), "{done}");
        // What was uploaded is not kept.
        assert_eq!(database.raw().await.number("SELECT count(*) FROM job_parts").await, 0);
    }

    async fn only_jobs_of_ones_own_kind_are_there(database: TestDatabase) {
        let app = app(&database).await;
        let users = token(&app, "chief", "ficha:users").await.access;
        let file = format!("name,password_hash\nana,{HASH}\n");
        let job = over(&app, &users, import(&app, &users, "text/csv", file).await).await;
        let path = format!("/jobs/{}", job["id"].as_str().expect("an id"));
        for (scope, sees, stops) in [
            ("ficha:admin", true, 200), ("ficha:admin:read", true, 403), ("ficha:users", true, 200),
            ("ficha:sessions", false, 404), ("ficha:clients", false, 404),
        ] {
            let own = token(&app, "chief", scope).await.access;
            assert_eq!(send(&app, Method::GET, &path, &own).await.status().as_u16(), if sees { 200 } else { 404 }, "{scope}");
            assert_eq!(ids(&good(&app, Method::GET, "/jobs", &own).await).len(), usize::from(sees), "{scope}");
            assert_eq!(send(&app, Method::DELETE, &path, &own).await.status().as_u16(), stops, "{scope}");
        }
        // It was over before, and stays as it was.
        assert_eq!(good(&app, Method::GET, &path, &users).await["state"], "done");
    }

    async fn an_import_stops_when_its_administrator_is_signed_out(database: TestDatabase) {
        let app = app(&database).await;
        let tokens = token(&app, "chief", "ficha:users").await;
        let chief = app.admin.user(&tester(), "chief").await.expect("chief is there");
        let actor = Actor::user(chief.id, "chief", &chief.scopes, RequestSource::default()).in_session(session_of(&tokens));
        let file = || Zeroizing::new(format!("name,password_hash\nana,{HASH}\n").into_bytes());
        let job = app.admin.import_users(&actor, ImportFormat::Csv, file()).await.expect("it is accepted");
        app.admin.revoke_session(&tester(), session_of(&tokens)).await.expect("it ends");
        app.admin.run_job(job).await.expect("it is tried");
        let seen = app.admin.job(&tester(), job).await.expect("it is there").job;
        assert_eq!((seen.state, seen.done), (JobState::Stopped, 0));
        assert!(app.admin.user(&tester(), "ana").await.is_err());
        assert!(app.admin.import_users(&actor, ImportFormat::Csv, file()).await.is_err(), "and no other is accepted");
        assert_eq!(database.raw().await.number("SELECT count(*) FROM job_parts").await, 0);
    }

    async fn a_revocation_goes_on_when_its_administrator_is_signed_out(database: TestDatabase) {
        let app = app(&database).await;
        let model = app.login("alice").await;
        copy_session(&database, session_of(&model), 10_001).await;
        let tokens = token(&app, "chief", "ficha:sessions").await;
        let chief = app.admin.user(&tester(), "chief").await.expect("chief is there");
        let actor = Actor::user(chief.id, "chief", &chief.scopes, RequestSource::default()).in_session(session_of(&tokens));
        let search = SessionSearch { user: Some("alice".into()), ..SessionSearch::default() };
        let what = RevokeMatching { search, expected: 10_002, ..RevokeMatching::default() };
        let job = app.admin.revoke_matching(&actor, &what).await.expect("it is accepted").job.expect("they are many");
        app.admin.revoke_session(&tester(), session_of(&tokens)).await.expect("it ends");
        app.admin.run_job(job).await.expect("it goes on");
        let seen = app.admin.job(&tester(), job).await.expect("it is there").job;
        assert_eq!((seen.state, seen.done), (JobState::Done, 10_002));
        assert_eq!(app.me(&model.access).await, 401);
    }

    async fn very_many_sessions_are_ended_by_a_job(database: TestDatabase) {
        let app = app(&database).await;
        app.admin.declare_scope(&tester(), "notes:read", "").await.expect("it is declared");
        let model = app.login("alice").await;
        copy_session(&database, session_of(&model), 10_100).await;
        let chief = token(&app, "chief", "ficha:sessions").await.access;
        let filter = json!({ "user": "alice", "state": "live" });
        let post = async |body: Value| {
            let request = app.http.post(app.url("/api/v1/sessions/revoke")).bearer_auth(&chief).json(&body);
            request.send().await.expect("an answer")
        };
        let dry: Value = post(json!({ "filter": filter, "dry_run": true })).await.json().await.expect("JSON");
        assert_eq!(dry, json!({ "matched": 10_101 }));
        let fewer = post(json!({ "filter": filter, "dry_run": false, "expected": 10_100 })).await;
        problem(fewer, 409, "conflict").await;
        let accepted = post(json!({ "filter": filter, "dry_run": false, "expected": 10_101, "reason": "a leak" })).await;
        // It covers what there was when it was accepted.
        let later = app.login("alice").await;
        let job = over(&app, &chief, accepted).await;
        assert_eq!((&job["kind"], &job["state"], &job["why"]), (&json!("revoke_sessions"), &json!("done"), &json!("a leak")));
        assert_eq!((&job["total"], &job["done"], &job["unchanged"]), (&json!(10_101), &json!(10_101), &json!(0)));
        assert_eq!((app.me(&model.access).await.as_u16(), app.me(&later.access).await.as_u16()), (401, 200));
        let live = good(&app, Method::GET, "/sessions?user=alice&state=live&count=only", &chief).await;
        assert_eq!(live, json!({ "count": 1 }));
    }
}
