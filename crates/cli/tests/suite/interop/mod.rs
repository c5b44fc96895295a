//! Other people's clients against a real server, and the table of docs/src/reference/interoperability.md.

mod programs;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::bench::{Bench, PASSWORD};
use programs::{APPS, Program, SERVICES};

/// What a library of a service can't know by itself: it has the keys and no denylist.
const WITHOUT_DENYLIST: &str = "no: takes it until it expires";

/// How a program is run, if what it needs is there.
fn command(file: &str) -> Option<Command> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join("crates/cli/tests/interop");
    let is_there = |program: &Path, version: &str| Command::new(program).arg(version).output().is_ok();
    let run = |program: &Path, version: &str, script: PathBuf| {
        let mut command = Command::new(program);
        command.arg(&script);
        (script.is_file() && is_there(program, version)).then_some(command)
    };
    let script = folder.join(file);
    match file.split_once('/')?.0 {
        "python" => run(&root.join("target/python/bin/python"), "--version", script),
        "node" => run(&node(&root), "--version", beside_its_libraries(&root, file)?),
        "ruby" => run(Path::new("ruby"), "--version", script),
        "perl" => run(Path::new("perl"), "-v", script),
        "go" => {
            // Debian's libraries are below this folder; nothing is fetched.
            let mut command = Command::new("go");
            command.args(["run"]).arg(folder.join("go/common.go")).arg(script);
            command.envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", "")]);
            is_there(Path::new("go"), "version").then_some(command)
        }
        other => panic!("{other}: how is it run?"),
    }
}

/// Node.js. Where that of the system is too old, `.ci/node` brings one.
pub fn node(root: &Path) -> PathBuf {
    let own = root.join("target/nodejs/node");
    if own.is_file() { own } else { PathBuf::from("node") }
}

/// A copy in the folder of `.ci/node`: a module finds its libraries beside it.
fn beside_its_libraries(root: &Path, file: &str) -> Option<PathBuf> {
    let place = root.join("target/node");
    if !place.join("node_modules").is_dir() {
        return None;
    }
    for name in [file, "node/common.mjs"] {
        let copy = place.join(Path::new(name).file_name()?);
        std::fs::copy(root.join("crates/cli/tests/interop").join(name), copy).expect("it is copied");
    }
    Some(place.join(Path::new(file).file_name()?))
}

/// What a program has printed.
fn run(program: &Program, variables: &[(&str, String)]) -> Option<Value> {
    let found = command(program.file);
    let required = std::env::var("FICHA_TEST_REQUIRE").is_ok_and(|what| what == "all");
    assert!(found.is_some() || !required, "{}: .ci/run installs what it needs", program.file);
    let mut command = found?;
    let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
    let output = command.envs(variables).env("no_proxy", "*").output().expect("it starts");
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
