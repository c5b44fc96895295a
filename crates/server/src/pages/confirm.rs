//! Two questions before something that can't be undone: whether that is really wanted, and who is sitting there.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use askama::Template;
use ficha_authority::{AuthorityError, Password};
use i18n_embed_fl::fl;

use super::answer::{PageError, html};
use super::cookies::{self, Name};
use super::frame::Frame;
use super::visitor::Visitor;
use crate::request::form::Form;
use crate::state::State;

/// The field with the password that is typed again.
pub const AGAIN: &str = "password_again";
/// The field that says that it is wanted.
const WANTED: &str = "confirm";

/// What will happen, and a button for it.
#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    frame: Frame,
    title: String,
    /// What will happen.
    consequences: Vec<String>,
    /// What the form has sent so far.
    fields: Vec<(String, String)>,
    action: String,
    button: String,
    cancel: String,
}

/// What a page asks before it does something.
pub struct Question {
    pub title: String,
    pub consequences: Vec<String>,
    pub button: String,
    /// The path to which one goes back instead, without the base.
    pub cancel: String,
}

#[derive(Template)]
#[template(path = "password_again.html")]
struct PasswordPage {
    frame: Frame,
    fields: Vec<(String, String)>,
    action: String,
    error: String,
}

/// Asks whether something is wanted, unless the form says so.
pub fn wanted(visitor: &Visitor, form: &Form, question: Question) -> Result<(), PageError> {
    if form.get(WANTED) == Some("yes") {
        return Ok(());
    }
    let frame = visitor.frame.clone();
    let Question { title, consequences, button, cancel } = question;
    let action = format!("{}{}", frame.base, frame.here);
    let fields = fields(form).into_iter().filter(|(name, _)| name != WANTED).collect();
    let page = ConfirmPage { title, consequences, fields, action, button, cancel, frame };
    Err(PageError::Instead(Box::new(html(StatusCode::OK, &page))))
}

/// Whether it is known who sits there.
pub enum Who {
    /// It is; with the cookie that proves it, if the password was typed just now.
    Known(Option<HeaderValue>),
    /// The password must be typed.
    Unknown,
    /// Another one was typed.
    Wrong,
}

/// Whether the password is typed with this request, or was within the last ten minutes.
pub async fn who(
    request: &HttpRequest,
    state: &State,
    visitor: &Visitor,
    password: Option<&str>,
) -> Result<Who, PageError> {
    let site = &*state.site;
    let proof = cookies::get(request, site, Name::Confirmed);
    if state.authority.is_confirmed(&visitor.browser, proof.as_deref()).await? {
        return Ok(Who::Known(None));
    }
    let Some(password) = password else { return Ok(Who::Unknown) };
    match state.authority.confirm_password(&visitor.source, &visitor.browser, Password::new(password)).await {
        Ok(proof) => Ok(Who::Known(cookies::set(site, Name::Confirmed, proof.expose()))),
        Err(AuthorityError::BadCredentials) => Ok(Who::Wrong),
        Err(error) => Err(error.into()),
    }
}

/// Asks for the password again, unless it was typed within the last ten minutes. Returns the cookie that proves it, if it was
/// typed just now.
pub async fn who_is_there(
    request: &HttpRequest,
    state: &State,
    visitor: &Visitor,
    form: &Form,
) -> Result<Option<HeaderValue>, PageError> {
    let (status, error) = match who(request, state, visitor, form.get(AGAIN)).await? {
        Who::Known(proof) => return Ok(proof),
        Who::Unknown => (StatusCode::OK, String::new()),
        Who::Wrong => (StatusCode::FORBIDDEN, fl!(visitor.frame.texts, "wrong-password-again")),
    };
    let frame = visitor.frame.clone();
    let action = format!("{}{}", frame.base, frame.here);
    let page = PasswordPage { fields: fields(form), action, error, frame };
    Err(PageError::Instead(Box::new(html(status, &page))))
}

/// The fields that a form has sent, without those that the next form sets itself. None of them is a password: the forms
/// that lead here have no other one.
fn fields(form: &Form) -> Vec<(String, String)> {
    let sent = form.names().filter(|name| !matches!(*name, "csrf_token" | AGAIN));
    sent.map(|name| (name.to_owned(), form.get(name).unwrap_or_default().to_owned())).collect()
}
