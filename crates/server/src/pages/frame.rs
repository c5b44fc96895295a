//! What surrounds every page: its language, its theme, the menu, and who is signed in.

use actix_web::HttpRequest;
use ficha_authority::{Actor, Authority, Sight};
use i18n_embed_fl::fl;

use super::assets::Assets;
use super::cookies::{self, Name};
use super::language::Language;
use super::texts::{Texts, texts};
use super::when::{When, when};
use crate::state::State;

/// What surrounds a page.
#[derive(Clone)]
pub struct Frame {
    /// The texts in its language.
    pub texts: &'static Texts,
    /// Which language.
    pub language: Language,
    /// `light`, `dark`, or empty for what the system prefers.
    pub theme: &'static str,
    /// The issuer's path: every path of a page begins with it.
    pub base: String,
    /// This page's path and query, without the base: where to come back to.
    pub here: String,
    /// Whether the console is here, and not at an address of its own.
    pub has_console: bool,
    /// The style and the scripts.
    pub assets: Assets,
    /// Who is signed in.
    pub user: Option<SignedInUser>,
    /// What its forms send back.
    pub token: String,
    /// The session of who is signed in.
    pub session: String,
    /// Now, in Unix seconds.
    pub now: i64,
}

/// Who is signed in, for the menu.
#[derive(Clone)]
pub struct SignedInUser {
    pub name: String,
    /// The pages that there are for them.
    pub menu: Vec<Entry>,
}

/// A line of the menu.
#[derive(Clone)]
pub struct Entry {
    pub path: &'static str,
    pub text: String,
}

/// The pages that there are for who asks. What the pages themselves refuse is not in the menu.
fn menu(texts: &Texts, actor: &Actor, has_console: bool) -> Vec<Entry> {
    let all = [
        ("/console", fl!(texts, "overview"), actor.require_seeing_resource_servers().is_ok()),
        ("/console/sessions", fl!(texts, "sessions"), actor.require_seeing_sessions().is_ok()),
        ("/console/users", fl!(texts, "users"), actor.require_seeing_users().is_ok()),
        ("/console/clients", fl!(texts, "clients"), actor.require_seeing_clients().is_ok()),
        ("/console/scopes", fl!(texts, "scopes"), actor.require_seeing_scopes().is_ok()),
        ("/console/keys", fl!(texts, "keys"), actor.require_seeing_keys().is_ok()),
        ("/console/services", fl!(texts, "services"), actor.require_seeing_resource_servers().is_ok()),
        ("/console/audit", fl!(texts, "event-log"), matches!(actor.sight_of_log(), Ok(Sight::All))),
        ("/console/jobs", fl!(texts, "jobs"), actor.require_seeing_jobs().is_ok()),
        ("/account", fl!(texts, "my-account"), actor.sight_of_own().is_ok()),
    ];
    let is_here = |path: &str| has_console || !path.starts_with("/console");
    let all = all.into_iter().filter(|(path, _, may_see)| *may_see && is_here(path));
    all.map(|(path, text, _)| Entry { path, text }).collect()
}

impl Frame {
    /// A page for nobody in particular.
    pub fn new(request: &HttpRequest, state: &State) -> Self {
        let site = &*state.site;
        let base = site.path().to_owned();
        let here = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let chosen = cookies::get(request, site, Name::Language).and_then(|tag| Language::parse(&tag));
        let language = chosen.or_else(|| Language::preferred(request)).unwrap_or(Language::English);
        let theme = cookies::get(request, site, Name::Theme);
        Self {
            texts: texts(language),
            language,
            theme: theme.as_deref().map(theme_named).unwrap_or_default(),
            here: here.strip_prefix(&base).unwrap_or(&here).to_owned(),
            has_console: state.routes.console,
            assets: Assets::below(&base),
            base,
            user: None,
            token: String::new(),
            session: String::new(),
            now: now(&state.authority),
        }
    }

    /// The same for a user who is signed in, with what their forms send back.
    pub fn for_user(self, name: &str, actor: &Actor, token: String) -> Self {
        let menu = menu(self.texts, actor, self.has_console);
        let user = SignedInUser { name: name.to_owned(), menu };
        let session = actor.session().map(|id| id.to_string()).unwrap_or_default();
        Self { user: Some(user), token, session, ..self }
    }

    /// The same for who has just been signed out.
    pub fn without_user(self) -> Self {
        Self { user: None, token: String::new(), session: String::new(), ..self }
    }

    /// Where a script is told what happens, while the session lasts.
    pub fn events(&self) -> String {
        format!("{}/console/events?session={}", self.base, self.session)
    }

    /// The first page that there is for who is signed in.
    pub fn home(&self) -> &'static str {
        let first = self.user.as_ref().and_then(|user| user.menu.first());
        match first.map(|entry| entry.path) {
            Some("/account") => "/account/sessions",
            Some(path) => path,
            None => "/",
        }
    }

    /// A moment, in Unix seconds.
    pub fn when(&self, at: i64) -> When {
        when(self.texts, self.now, at)
    }

    /// `aria-current` of a link to a path: to this page, or to the list that it belongs to.
    pub fn current(&self, path: &str) -> &'static str {
        let here = self.here.split('?').next().unwrap_or_default();
        let is_below = here.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        match here == path {
            true => "page",
            // Everything is below the overview.
            false if is_below && path != "/console" => "true",
            false => "false",
        }
    }
}

/// The theme of this name; everything else is the system's.
pub fn theme_named(name: &str) -> &'static str {
    match name {
        "light" => "light",
        "dark" => "dark",
        _ => "",
    }
}

/// Now, by the server's clock.
fn now(authority: &Authority) -> i64 {
    authority.clock().now().unix_timestamp()
}
