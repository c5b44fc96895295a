//! Other people's clients against a real server, and the table of docs/src/reference/interoperability.md.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::bench::{Bench, PASSWORD};

/// A program of `tests/interop`.
struct Program {
    file: &'static str,
    /// What it is called in the table, if not by its package.
    title: &'static str,
    note: &'static str,
}

const fn program(file: &'static str, title: &'static str, note: &'static str) -> Program {
    Program { file, title, note }
}

/// Those that obtain tokens for an app.
const APPS: [Program; 5] = [
    program(
        "python/requests_oauthlib_app.py",
        "requests-oauthlib (Python)",
        "Give the scope to `LegacyApplicationClient`: one that only the session has is not sent. Revoke with `withhold_token=True`.",
    ),
    program("python/authlib_app.py", "Authlib (Python)", ""),
    program("node/simple_oauth2_app.mjs", "simple-oauth2 (Node.js)", "`revokeAll()` revokes both tokens."),
    program(
        "node/openid_client_app.mjs",
        "openid-client (Node.js)",
        "Finds the metadata at `/.well-known/openid-configuration`, and asks for `openid`.",
    ),
    program(
        "node/oauth4webapi_app.mjs",
        "oauth4webapi (Node.js, browsers)",
        "Form-encodes id and secret in Basic, as RFC 6749 §2.3.1 says.",
    ),
];

/// Those that check tokens in a service.
const SERVICES: [Program; 6] = [
    program(
        "python/pyjwt_service.py",
        "PyJWT (Python)",
        "With [the follower](../how-to/from-fastapi.md), it refuses revoked tokens.",
    ),
    program("python/joserfc_service.py", "joserfc (Python)", ""),
    program(
        "python/python_jose_service.py",
        "python-jose (Python)",
        "Reads no EdDSA: leave `keys.algorithm` at ES256.",
    ),
    program(
        "python/authlib_introspection_service.py",
        "Authlib, introspection (Python)",
        "Asks the server about each token.",
    ),
    program("node/jose_service.mjs", "jose (Node.js, browsers)", ""),
    program(
        "node/jsonwebtoken_service.mjs",
        "jsonwebtoken with jwks-rsa (Node.js)",
        "Reads no EdDSA: leave `keys.algorithm` at ES256.",
    ),
];

/// What a library of a service can't know by itself: it has the keys and no denylist.
const WITHOUT_DENYLIST: &str = "no: takes it until it expires";

fn interpreter(file: &str) -> Option<(PathBuf, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join("crates/cli/tests/interop");
    let found = match file.ends_with(".py") {
        true => (root.join("target/python/bin/python"), folder.join(file)),
        // A module finds its libraries beside it.
        false => {
            let copy = root.join("target/node").join(Path::new(file).file_name()?);
            if copy.parent()?.join("node_modules").is_dir() {
                for name in [file, "node/common.mjs"] {
                    let name = Path::new(name);
                    std::fs::copy(folder.join(name), root.join("target/node").join(name.file_name()?))
                        .expect("it is copied");
                }
            }
            (PathBuf::from("node"), copy)
        }
    };
    let is_there = match file.ends_with(".py") {
        true => found.0.is_file(),
        false => found.1.is_file() && Command::new("node").arg("--version").output().is_ok(),
    };
    is_there.then_some(found)
}

/// What a program has printed.
fn run(program: &Program, variables: &[(&str, String)]) -> Option<Value> {
    let found = interpreter(program.file);
    let required = std::env::var("FICHA_TEST_REQUIRE").is_ok_and(|what| what == "all");
    assert!(found.is_some() || !required, "{}: run .ci/python and .ci/node", program.file);
    let (interpreter, script) = found?;
    let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
    let output =
        Command::new(interpreter).arg(script).envs(variables).env("no_proxy", "*").output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}: {}{}", program.file, text(&output.stdout), text(&output.stderr));
    Some(
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}: {}", program.file, text(&output.stdout))),
    )
}

fn rows(programs: &[Program], variables: &[(&str, String)], steps: &[&str], may_lack: &str) -> Option<String> {
    let mut rows = String::new();
    for program in programs {
        let told = run(program, variables)?;
        let did = told["did"].as_object().expect("what it did");
        assert_eq!(did.len(), steps.len(), "{}: {told}", program.file);
        let cells: Vec<&str> = steps
            .iter()
            .map(|step| match did[*step].as_bool().expect("yes or no") {
                true => "yes",
                false if *step == may_lack => WITHOUT_DENYLIST,
                false => panic!("{}: {step} failed: {told}", program.file),
            })
            .collect();
        let version = told["version"].as_str().expect("a version");
        rows.push_str(&format!("| {} | {version} | {} | {} |\n", program.title, cells.join(" | "), program.note));
    }
    Some(rows)
}

#[test]
fn other_peoples_clients_work_and_the_table_says_which() {
    let bench = Bench::new().with("FICHA__TOKEN__AUDIENCE", "notes");
    bench.add_user("alice", &["--scope", "notes:read"]);
    let secret = |client: &[&str]| {
        let made = bench.json(&[&["client", "add", "--json"], client].concat());
        made["client_secret"].as_str().expect("a secret").to_owned()
    };
    let app = secret(&["its app", "--grant", "password", "--grant", "refresh_token", "--scope", "notes:read"]);
    let service = secret(&["notes-api", "--serves", "notes", "--grant", "client_credentials", "--scope", "notes:read"]);
    let server = bench.serve();
    let issuer = format!("http://{}", server.address);
    let log_in = |more: &str| server.log_in("alice", more).1["access_token"].as_str().expect("a token").to_owned();
    bench.run(&["client", "add", "elsewhere", "--public", "--audience", "other", "--grant", "password"]).good();
    let (valid, revoked, foreign) = (log_in(""), log_in(""), log_in("&client_id=elsewhere"));
    assert_eq!(server.post("/revoke", &format!("token={revoked}")).0, 200);
    let text = |text: &str| text.to_owned();
    let variables = [
        ("ISSUER", issuer),
        ("CLIENT_ID", text("its app")),
        ("CLIENT_SECRET", app),
        ("SERVICE_ID", text("notes-api")),
        ("SERVICE_SECRET", service),
        ("USERNAME", text("alice")),
        ("PASSWORD", text(PASSWORD)),
        ("AUDIENCE", text("notes")),
        ("TOKEN", valid),
        ("REVOKED", revoked),
        ("FOREIGN", foreign),
    ];
    let Some(apps) = rows(&APPS, &variables, &["login", "refresh", "revoke"], "") else { return };
    let Some(services) = rows(&SERVICES, &variables, &["accepts", "foreign", "revoked"], "revoked") else { return };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/reference/interoperability.md");
    let page = std::fs::read_to_string(&path).expect("the page is there");
    let apps = format!("| Library | Version | Log in | Refresh | Revoke | |\n|---|---|---|---|---|---|\n{apps}");
    let services = format!(
        "| Library | Version | Takes a valid token | Refuses one for another audience | Refuses a revoked one | |\n\
         |---|---|---|---|---|---|\n{services}"
    );
    let made = with_table(&with_table(&page, "apps", &apps), "services", &services);
    if std::env::var_os("FICHA_TEST_RENEW").is_some() {
        std::fs::write(&path, &made).expect("it is written");
    }
    assert_eq!(
        made,
        std::fs::read_to_string(&path).expect("the page is there"),
        "FICHA_TEST_RENEW=1 rewrites the page"
    );
}

/// The page with this table between its marks.
fn with_table(page: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = page.split_once(&begin).expect("the mark");
    let (_, after) = rest.split_once(&end).expect("its end");
    format!("{before}{begin}\n{table}\n{end}{after}")
}
