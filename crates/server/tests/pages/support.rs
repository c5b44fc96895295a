//! Shared by these tests.

use std::collections::BTreeMap;
use std::sync::Mutex;

use ficha_store::testing::TestDatabase;
pub use ficha_testing::copy_session;
use ficha_testing::{App, PASSWORD};
use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Response, StatusCode};

/// A server with the users alice, without scopes of the server's own but `ficha:account`, and chief, who may see and end
/// sessions.
pub async fn app(database: &TestDatabase) -> App {
    let app = App::start(database).await;
    app.add_user("alice", "notes:read ficha:account").await;
    app.add_user("chief", "ficha:admin ficha:account").await;
    app
}

/// What a browser does: it keeps cookies, and says where its forms come from.
pub struct Visitor<'a> {
    pub app: &'a App,
    /// Where it finds the pages: scheme, host and port.
    site: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// A page that was answered.
pub struct Page {
    pub status: StatusCode,
    pub location: String,
    pub text: String,
}

impl Page {
    async fn of(response: Response) -> Self {
        let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
        Self { status: response.status(), location, text: response.text().await.expect("a text") }
    }

    /// What its forms send back.
    pub fn token(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"csrf_token\" value=\"").expect("the page has a form");
        rest.split('"').next().expect("a value").to_owned()
    }

    /// The address in what the page tells scripts, that contains this.
    pub fn told(&self, part: &str) -> Option<String> {
        let scripts = self.text.split("<script type=\"application/json\"").skip(1);
        let texts = scripts.filter_map(|rest| rest.split_once('>')?.1.split_once("</script>"));
        let values = texts.map(|(text, _)| serde_json::from_str::<String>(text).expect("JSON"));
        values.into_iter().find(|value| value.contains(part))
    }

    pub fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }
}

impl<'a> Visitor<'a> {
    pub fn new(app: &'a App) -> Self {
        Self::at(app, app.address)
    }

    /// The same for pages that have an address of their own.
    pub fn at(app: &'a App, address: std::net::SocketAddr) -> Self {
        Self { app, site: format!("http://{address}"), cookies: Mutex::default() }
    }

    /// A browser that has signed in.
    pub async fn signed_in(app: &'a App, user: &str) -> Self {
        let visitor = Self::new(app);
        let page = visitor.sign_in(user, PASSWORD).await;
        assert_eq!(page.status, 303, "{}", page.text);
        visitor
    }

    pub async fn sign_in(&self, user: &str, password: &str) -> Page {
        let token = self.get("/login").await.token();
        self.post_with("/login", &token, &[("username", user), ("password", password)]).await
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().expect("no panic").get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().expect("no panic").insert(name.to_owned(), value.to_owned());
    }

    fn cookies(&self) -> String {
        let cookies = self.cookies.lock().expect("no panic");
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub fn origin(&self) -> String {
        self.site.clone()
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Response {
        let response = request.header(COOKIE, self.cookies()).send().await.expect("the server answers");
        let mut cookies = self.cookies.lock().expect("no panic");
        for header in response.headers().get_all(SET_COOKIE) {
            let text = header.to_str().expect("a cookie is text");
            let (name, value) = text.split(';').next().and_then(|pair| pair.split_once('=')).expect("name and value");
            match text.contains("Max-Age=0") {
                true => cookies.remove(name),
                false => cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        response
    }

    pub async fn fetch(&self, path: &str) -> Response {
        self.send(self.app.http.get(format!("{}{path}", self.site))).await
    }

    pub async fn get(&self, path: &str) -> Page {
        Page::of(self.fetch(path).await).await
    }

    /// A form of the page that is at `from`.
    pub async fn post(&self, from: &str, path: &str, form: &[(&str, &str)]) -> Page {
        let token = self.get(from).await.token();
        self.post_with(path, &token, form).await
    }

    /// A form with this token.
    pub async fn post_with(&self, path: &str, token: &str, form: &[(&str, &str)]) -> Page {
        self.post_from(Some(&self.origin()), path, token, form).await
    }

    /// A form with a file, from a page of this origin.
    pub async fn upload(&self, origin: &str, path: &str, fields: &[(&str, &str)], file: (&str, &str)) -> Page {
        let part =
            |head: String, text: &str| format!("--xyz\r\nContent-Disposition: form-data; {head}\r\n\r\n{text}\r\n");
        let mut body: String = fields.iter().map(|(name, text)| part(format!("name=\"{name}\""), text)).collect();
        body += &part(format!("name=\"file\"; filename=\"{}\"\r\nContent-Type: text/csv", file.0), file.1);
        body += "--xyz--\r\n";
        let request = self.app.http.post(format!("{}{path}", self.site)).header(ORIGIN, origin);
        Page::of(self.send(request.header("content-type", "multipart/form-data; boundary=xyz").body(body)).await).await
    }

    /// A form from a page of this origin.
    pub async fn post_from(&self, origin: Option<&str>, path: &str, token: &str, form: &[(&str, &str)]) -> Page {
        let mut fields = form.to_vec();
        if !token.is_empty() {
            fields.push(("csrf_token", token));
        }
        let mut request = self.app.http.post(format!("{}{path}", self.site)).form(&fields);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        Page::of(self.send(request).await).await
    }
}

/// A Python with what these tests need, if there is one: `.ci/python` makes it.
pub fn python() -> Option<std::path::PathBuf> {
    let installed = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/python");
    let found = installed.is_file().then_some(installed);
    let required = std::env::var("FICHA_TEST_REQUIRE").is_ok_and(|what| what == "all");
    assert!(found.is_some() || !required, "FICHA_TEST_REQUIRE=all, but there is no target/python: run .ci/python");
    found
}
