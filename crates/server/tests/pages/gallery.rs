//! Every page in both languages, both themes and at two widths: nothing is cut off, and axe-core finds nothing. The pictures
//! are in `target/tmp/gallery`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_testing::webdriver::Browser;
use ficha_testing::{App, PASSWORD, tester};
use serde_json::Value;

use crate::browser::{sign_in, with_browser};
use crate::support::*;

/// What a page has: language, theme, width.
const LOOKS: [(&str, &str, u32); 4] =
    [("en", "light", 1440), ("es", "dark", 1440), ("en", "dark", 360), ("es", "light", 360)];

/// The source of axe-core, if it is there.
fn axe() -> Option<String> {
    let found = std::process::Command::new(python()?)
        .args(["-c", "import axe_core_python as a, os; print(os.path.join(os.path.dirname(a.__file__), 'axe.min.js'))"])
        .output()
        .expect("Python starts");
    let path = PathBuf::from(String::from_utf8(found.stdout).expect("a path").trim());
    Some(std::fs::read_to_string(path).expect("axe-core is there"))
}

/// What axe-core finds on the page that is open.
async fn findings(browser: &Browser, axe: &str) -> Vec<String> {
    browser.script(axe).await;
    let found =
        browser.script("return axe.run(document, { resultTypes: ['violations'] }).then((all) => all.violations)").await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |found: &Value| format!("{}: {} {}", text(&found["id"]), text(&found["help"]), found["nodes"][0]["html"]);
    found.as_array().expect("a list").iter().map(one).collect()
}

/// How pages are looked at.
struct Look<'a> {
    browser: &'a Browser,
    axe: Option<&'a str>,
    folder: &'a Path,
    language: &'a str,
    theme: &'a str,
    width: u32,
}

impl Look<'_> {
    /// Looks at the page that is open: what is wrong with it. Its picture is kept.
    async fn check(&self, name: &str) -> Vec<String> {
        let Self { browser, language, theme, width, .. } = *self;
        let place = format!("{name} {language} {theme} {width}");
        let page = browser
            .script(
                "const page = document.documentElement; \
                 return [page.lang, page.dataset.theme, page.scrollWidth, page.scrollHeight]",
            )
            .await;
        assert_eq!((page[0].as_str(), page[1].as_str()), (Some(language), Some(theme)), "{place}");
        let mut wrong = Vec::new();
        if page[2].as_u64() > Some(u64::from(width)) {
            wrong.push(format!("{place}: it is {} wide", page[2]));
        }
        if let Some(axe) = self.axe {
            wrong.extend(findings(browser, axe).await.into_iter().map(|found| format!("{place}: {found}")));
        }
        let height = page[3].as_u64().and_then(|height| u32::try_from(height).ok()).unwrap_or(900);
        browser.resize(width, height.clamp(700, 4_000)).await;
        browser.screenshot(&self.folder.join(format!("{name}-{language}-{theme}-{width}.png"))).await;
        browser.resize(width, 900).await;
        wrong
    }
}

impl Look<'_> {
    /// Looks at what pages answer: the password once more, something that is shown once, a refusal, a receipt, the sign-in.
    async fn states(&self, app: &App) -> Vec<String> {
        let Self { browser, language, width, .. } = *self;
        let (guest, mut wrong) = (format!("guest-{language}-{width}"), Vec::new());
        let create = async || {
            browser.open(&app.url("/console/new-user")).await;
            browser.type_into("//input[@id='name']", &guest).await;
            browser.click("//main//form/button").await;
        };
        // By then it is asked again who is there.
        app.advance(Duration::from_secs(11 * 60)).await;
        create().await;
        browser.type_into("//input[@id='password_again']", "wrong").await;
        browser.click("//main//form/button").await;
        browser.text_with("//main//p[@role='alert']", "").await;
        wrong.extend(self.check("password-again-wrong").await);
        browser.type_into("//input[@id='password_again']", PASSWORD).await;
        browser.click("//main//form/button").await;
        browser.text_with("//code[@class='secret']", "").await;
        wrong.extend(self.check("shown-once").await);
        create().await;
        browser.text_with("//main//p[@role='alert']", &guest).await;
        wrong.extend(self.check("name-taken").await);
        browser.open(&app.url(&format!("/console/users?name={guest}"))).await;
        browser.click("//tbody/tr[1]//a").await;
        browser.click("//main//button[contains(@class, 'danger')]").await;
        browser.click("//button[@name='confirm']").await;
        browser.text_with("//section[contains(@class, 'receipt')]", "").await;
        wrong.extend(self.check("done-receipt").await);
        browser.open(&app.url("/console/sessions?client=first-party")).await;
        browser.click("//button[@name='all']").await;
        browser.text_with("//input[@id='reason']", "").await;
        wrong.extend(self.check("confirm-all").await);
        browser.click("//header//form//button").await;
        browser.text_with("//input[@id='username']", "").await;
        wrong.extend(self.check("sign-in").await);
        browser.type_into("//input[@id='username']", "chief").await;
        browser.type_into("//input[@id='password']", "wrong").await;
        browser.click("//main//form//button").await;
        browser.text_with("//main//p[@role='alert']", "").await;
        wrong.extend(self.check("sign-in-wrong").await);
        sign_in(app, browser, "/console").await;
        browser.text_with("//dl[@class='tiles']", "").await;
        wrong
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_whole_and_accessible_in_every_look() {
    with_browser(async |browser| {
        let database = TestDatabase::sqlite().await;
        let app = app(&database).await;
        app.admin.declare_scope(&tester(), "notes:read", "Read your notes").await.expect("a scope");
        // Names that are long, and that run from right to left.
        app.add_user("محمد بن عبد الله", "notes:read").await;
        app.add_user(&"a-very-long-name-".repeat(6), "notes:read").await;
        let tokens = app.login("محمد بن عبد الله").await;
        let ended = app.login("alice").await;
        app.admin.revoke_user(&tester(), "alice").await.expect("they end");
        app.login(&"a-very-long-name-".repeat(6)).await;
        app.get("/denylist?service=notes&instance=web-1&lease=30&stale=refuse&version=1.0").await;
        app.get("/denylist?service=reports-of-the-whole-company&instance=web-2&lease=30&stale=accept").await;
        app.post("/token", &[("grant_type", "password"), ("username", "alice"), ("password", "wrong")]).await;
        app.add_client("shop", |new| new.serves = vec!["notes".into()]).await;
        let sid = |tokens: &ficha_testing::Tokens| tokens.claims()["sid"].as_str().expect("a sid").to_owned();
        let user = tokens.claims()["sub"].as_str().expect("a sub").to_owned();
        let pages = [
            ("root", "/".to_owned()),
            ("overview", "/console".to_owned()),
            ("sessions", "/console/sessions".to_owned()),
            ("sessions-wrong", "/console/sessions?address=x".to_owned()),
            ("sessions-none", "/console/sessions?user=nobody".to_owned()),
            ("session", format!("/console/sessions/{}", sid(&tokens))),
            ("session-ended", format!("/console/sessions/{}", sid(&ended))),
            ("users", "/console/users".to_owned()),
            ("user", format!("/console/users/{user}")),
            ("user-edit", format!("/console/users/{user}/edit")),
            ("user-new", "/console/new-user".to_owned()),
            ("user-import", "/console/import-users".to_owned()),
            ("clients", "/console/clients".to_owned()),
            ("client", "/console/clients/shop".to_owned()),
            ("client-edit", "/console/clients/shop/edit".to_owned()),
            ("client-new", "/console/new-client".to_owned()),
            ("scopes", "/console/scopes".to_owned()),
            ("keys", "/console/keys".to_owned()),
            ("services", "/console/services".to_owned()),
            ("receipt", "/console/receipt".to_owned()),
            ("audit", "/console/audit".to_owned()),
            ("jobs", "/console/jobs".to_owned()),
            ("not-found", "/console/nothing".to_owned()),
            ("account-sessions", "/account/sessions".to_owned()),
            ("account-events", "/account/events".to_owned()),
            ("account-password", "/account/password".to_owned()),
        ];
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gallery");
        std::fs::create_dir_all(&folder).expect("a folder");
        let (axe, mut wrong) = (axe(), Vec::new());
        sign_in(&app, browser, "/console").await;
        for (language, theme, width) in LOOKS {
            browser.resize(width, 900).await;
            for (field, value) in [("language", language), ("theme", theme)] {
                browser.open(&app.url("/account/password")).await;
                if browser.is_there(&format!("//footer//button[@name='{field}' and @value='{value}']")).await {
                    browser.click(&format!("//footer//button[@name='{field}' and @value='{value}']")).await;
                    browser.text_with("//main", "").await;
                }
            }
            let look = Look { browser, axe: axe.as_deref(), folder: &folder, language, theme, width };
            for (name, path) in &pages {
                browser.open(&app.url(path)).await;
                assert!(!browser.is_there("//input[@id='username']").await, "{name}: a sign-in is asked for");
                wrong.extend(look.check(name).await);
            }
            wrong.extend(look.states(&app).await);
            // What is asked before something ends.
            for (name, path) in [
                ("confirm-session", format!("/console/sessions/{}", sid(&tokens))),
                ("confirm-user", format!("/console/users/{user}")),
            ] {
                browser.open(&app.url(&path)).await;
                browser.click("//main//button[contains(@class, 'danger')]").await;
                browser.text_with("//main//section//h2", "").await;
                wrong.extend(look.check(name).await);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    })
    .await;
}
