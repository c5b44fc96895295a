//! A service that knows nothing of tokens, behind nginx, HAProxy and Apache, with the configurations of the docs.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::{App as Service, HttpRequest, HttpServer, web};
use ficha_server::GateBind;
use ficha_store::testing::TestDatabase;
use ficha_testing::{App, eventually, tester};

use crate::{gate, raw};

const PAGE: &str = include_str!("../../../../docs/src/how-to/protect-behind-a-proxy.md");

/// A program, if it is there.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    let required = std::env::var("FICHA_TEST_REQUIRE").is_ok_and(|what| what == "all");
    assert!(found.is_some() || !required, "FICHA_TEST_REQUIRE=all, but {name} is missing");
    found
}

fn free() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port")
}

/// It tells what it was told: who has sent the request, and which token it has seen.
async fn notes() -> SocketAddr {
    let told = async |request: HttpRequest| {
        let header =
            |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
        // A service with WSGI would take the name with an underscore for the other.
        let names = ["x-auth-subject", "x-auth-client", "x-auth-scope", "x-auth-session", "authorization"];
        let is_same = |name: &str| name.contains('_') && names.contains(&name.replace('_', "-").as_str());
        let forged = request.headers().keys().any(|name| is_same(name.as_str()));
        if forged { "an underscore".to_owned() } else { names.map(header).join("|") }
    };
    let fails = async || actix_web::HttpResponse::InternalServerError().body("its own");
    let service = move || Service::new().route("/fails", web::get().to(fails)).default_service(web::to(told));
    let server = HttpServer::new(service).workers(1).bind(("127.0.0.1", 0)).expect("a port");
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    address
}

/// A block of the docs, with the addresses of this test.
fn shown(language: &str, addresses: &[(&str, String)]) -> String {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n")).expect("the page has a configuration");
    let (shown, _) = rest.split_once("```").expect("its end");
    addresses.iter().fold(shown.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

/// Runs nginx with the server of the docs, in a folder, on a free port.
fn start_nginx(
    program: &Path,
    folder: &Path,
    gate: &GateBind,
    notes: SocketAddr,
) -> (tokio::process::Child, SocketAddr) {
    let listen = free();
    let servers = shown(
        "nginx",
        &[
            ("127.0.0.1:9300", gate.to_string()),
            ("127.0.0.1:8000", notes.to_string()),
            ("listen 8081", format!("listen {listen}")),
        ],
    );
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {name};\n"));
    let text = format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{}{servers}}}\n",
        paths.concat()
    );
    std::fs::write(folder.join("nginx.conf"), text).expect("it is written");
    let mut command = tokio::process::Command::new(program);
    command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "error.log"]).kill_on_drop(true);
    (command.spawn().expect("nginx starts"), listen)
}

/// Runs HAProxy with what the docs show, in a folder, on a free port.
fn start_haproxy(
    program: &Path,
    folder: &Path,
    gate: &GateBind,
    notes: SocketAddr,
) -> (tokio::process::Child, SocketAddr) {
    let listen = free();
    let script = shown("lua", &[("127.0.0.1:9300", gate.to_string())]);
    let addresses = [("127.0.0.1:8000", notes.to_string()), ("bind :8081", format!("bind {listen}"))];
    let configuration = shown("haproxy", &addresses);
    std::fs::write(folder.join("ficha.lua"), script).expect("it is written");
    std::fs::write(folder.join("haproxy.cfg"), configuration).expect("it is written");
    let mut command = tokio::process::Command::new(program);
    command.current_dir(folder).args(["-db", "-q", "-f", "haproxy.cfg"]).kill_on_drop(true);
    (command.spawn().expect("HAProxy starts"), listen)
}

type Start = fn(&Path, &Path, &GateBind, SocketAddr) -> (tokio::process::Child, SocketAddr);

/// What a service behind a proxy gets, and what it does not.
async fn a_service_behind_a_proxy(database: &TestDatabase, name: &str, start: Start, has_socket: bool) {
    let Some(program) = program(name) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let bind = match has_socket {
        true => GateBind::Socket(folder.path().join("gate.sock")),
        false => gate::any_port(),
    };
    let app: App = gate::app_at(database, bind).await;
    let (_proxy, proxy) = start(&program, folder.path(), app.gate.as_ref().expect("a gate"), notes().await);
    let ask = async |path: &str, token: &str| {
        let request = app
            .http
            .get(format!("http://{proxy}{path}"))
            .header("x-auth-subject", "forged")
            .header("x-auth-scope", "forged");
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        request.send().await.ok()
    };
    eventually("the proxy listens", async || ask("/", "").await.is_some()).await;
    let status = async |path: &str, token: &str| ask(path, token).await.expect("an answer").status().as_u16();
    let tokens = app.login("alice").await;
    let admitted = ask("/notes", &tokens.access).await.expect("an answer");
    assert_eq!(admitted.status(), 200);
    let claims = tokens.claims();
    let text = |name: &str| claims[name].as_str().expect("a text").to_owned();
    let expected = [text("sub"), text("client_id"), text("scope"), text("sid"), "-".to_owned()].join("|");
    assert_eq!(admitted.text().await.expect("a text"), expected, "what the client has forged does not arrive");
    assert_eq!(disappearing(proxy, &tokens.access).await, expected, "a client can't make the headers disappear");
    let none = ask("/notes", "").await.expect("an answer");
    assert_eq!(none.status(), 401);
    assert!(none.headers().contains_key("www-authenticate"), "the challenge arrives");
    let inside = if name == "nginx" { 404 } else { 200 };
    assert_eq!(status("/_verify", &tokens.access).await, inside, "nobody else asks there");
    assert_eq!(status("/fails", &tokens.access).await, 500, "that is the service's own");
    let upload = app.http.post(format!("http://{proxy}/notes")).bearer_auth(&tokens.access);
    let upload = upload.header("content-encoding", "gzip").body(vec![0x1f; 100_000]).send().await.expect("an answer");
    assert_eq!(upload.status(), 200, "a compressed body is the service's matter");
    app.admin.revoke_user(&tester(), "alice").await.expect("they end");
    assert_eq!(status("/notes", &tokens.access).await, 401);
    // Whether another token is valid can't be said without the database: nobody is admitted, and nobody logged out.
    let other = app.login("alice").await;
    assert_eq!(status("/notes", &other.access).await, 200);
    let raw = database.raw().await;
    raw.take_away("denylist_head").await;
    app.clock.advance(Duration::from_secs(3));
    let refused = ask("/notes", &other.access).await.expect("an answer");
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"1".parse().expect("a value")));
    raw.give_back("denylist_head").await;
    eventually("it is admitted again", async || status("/notes", &other.access).await == 200).await;
}

/// The modules of Debian's Apache that the configuration needs.
const MODULES: [&str; 8] =
    ["mpm_event", "authn_core", "authz_core", "setenvif", "headers", "proxy", "proxy_http", "oauth2"];

/// Runs Apache with what the docs show, in a folder, on a free port.
fn start_apache(
    program: &Path,
    folder: &Path,
    introspect: &str,
    secret: &str,
    notes: SocketAddr,
) -> (tokio::process::Child, SocketAddr) {
    let listen = free();
    let shown = shown(
        "apache",
        &[
            ("http://127.0.0.1:8080/introspect", introspect.to_owned()),
            ("SECRET", secret.to_owned()),
            ("127.0.0.1:8000", notes.to_string()),
        ],
    );
    let modules =
        MODULES.map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")).concat();
    // As root, it serves as somebody else.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let user = if is_root { "User www-data\nGroup www-data\n" } else { "" };
    let text = format!(
        "{modules}ServerName localhost\nListen {listen}\nPidFile httpd.pid\nErrorLog error.log\nDefaultRuntimeDir .\n{user}{shown}"
    );
    std::fs::write(folder.join("httpd.conf"), text).expect("it is written");
    let mut command = tokio::process::Command::new(program);
    command.arg("-d").arg(folder).args(["-f", "httpd.conf", "-X"]).kill_on_drop(true);
    (command.spawn().expect("Apache starts"), listen)
}

/// What the service gets of a request whose `Connection` names the headers that the proxy sets.
async fn disappearing(proxy: SocketAddr, token: &str) -> String {
    let mut bodies = Vec::new();
    for named in
        ["X-Auth-Subject, X-Auth-Client, X-Auth-Scope, X-Auth-Session", "XX-Auth-a-Auth-Subject, XX-Auth-a-Auth-Scope"]
    {
        let head = format!(
            "GET /notes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nX-Auth-Subject: forged\r\nConnection: close, \
             {named}\r\n\r\n"
        );
        let answer = raw::exchange(proxy, head.as_bytes()).await;
        assert_eq!(answer.statuses(), [200]);
        bodies.push(answer.body().to_owned());
    }
    assert_eq!(bodies[0], bodies[1]);
    bodies.remove(0)
}

ficha_store::on_both_databases! {
    async fn a_service_behind_apache_refuses_a_revoked_token(database: TestDatabase) {
        let Some(program) = program("apache2") else { return };
        let module = Path::new("/usr/lib/apache2/modules/mod_oauth2.so");
        if !module.is_file() {
            assert!(std::env::var("FICHA_TEST_REQUIRE").is_err(), "libapache2-mod-oauth2 is missing");
            return;
        }
        let app: App = gate::app(&database).await;
        let client = app.add_client("notes-api", |new| {
            new.serves = vec!["notes".into()];
            new.grants = Vec::new();
        }).await;
        let folder = tempfile::tempdir().expect("a folder");
        let introspect = app.url("/introspect");
        let (_proxy, proxy) = start_apache(&program, folder.path(), &introspect, &client.secret, notes().await);
        let ask = async |token: &str, more: &[(&str, &str)]| {
            let request = app.http.get(format!("http://{proxy}/notes")).header("x-auth-subject", "forged");
            let request = more.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let request = if token.is_empty() { request } else { request.bearer_auth(token) };
            request.send().await.ok()
        };
        eventually("the proxy listens", async || ask("", &[]).await.is_some()).await;
        let status = async |token: &str| ask(token, &[]).await.expect("an answer").status().as_u16();
        let tokens = app.login("alice").await;
        let admitted = ask(&tokens.access, &[]).await.expect("an answer");
        assert_eq!(admitted.status(), 200);
        let claims = tokens.claims();
        let text = |name: &str| claims[name].as_str().expect("a text").to_owned();
        let expected = [text("sub"), text("client_id"), text("scope"), text("sid"), "-".to_owned()].join("|");
        assert_eq!(admitted.text().await.expect("a text"), expected);
        assert_eq!(disappearing(proxy, &tokens.access).await, expected, "a client can't make the headers disappear");
        let spelled = [("x_auth_subject", "forged"), ("x-auth_subject", "forged"), ("x_auth_z", "")];
        let forged = ask(&tokens.access, &spelled).await.expect("an answer");
        assert_eq!(forged.text().await.expect("a text"), expected, "nor forge them with underscores");
        let none = ask("", &[]).await.expect("an answer");
        assert!(none.status() == 401 && none.headers().contains_key("www-authenticate"), "{none:?}");
        assert_eq!(status("garbage").await, 401);
        app.add_user("bob", "").await;
        assert_eq!(status(&app.login("bob").await.access).await, 403, "without the scope");
        let elsewhere = app.add_client("elsewhere", |new| new.audience = Some("other".into())).await;
        assert_eq!(status(&app.login_as(&elsewhere, "alice").await.access).await, 401, "for another audience");
        app.admin.revoke_user(&tester(), "alice").await.expect("they end");
        assert_eq!(status(&tokens.access).await, 401);
        // The module can't tell an outage from an invalid token; nobody is admitted.
        let other = app.login("alice").await;
        assert_eq!(status(&other.access).await, 200);
        let raw = database.raw().await;
        raw.take_away("denylist_head").await;
        app.clock.advance(Duration::from_secs(3));
        assert_eq!(status(&other.access).await, 401);
        raw.give_back("denylist_head").await;
        eventually("it is admitted again", async || status(&other.access).await == 200).await;
    }

    async fn a_service_behind_nginx_refuses_a_revoked_token(database: TestDatabase) {
        a_service_behind_a_proxy(&database, "nginx", start_nginx, false).await;
    }

    async fn a_service_behind_nginx_at_a_socket_refuses_a_revoked_token(database: TestDatabase) {
        a_service_behind_a_proxy(&database, "nginx", start_nginx, true).await;
    }

    async fn a_service_behind_haproxy_refuses_a_revoked_token(database: TestDatabase) {
        a_service_behind_a_proxy(&database, "haproxy", start_haproxy, false).await;
    }
}
