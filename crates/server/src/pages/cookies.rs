//! Cookies (RFC 6265): who is signed in, and how they like to see pages.

use actix_web::http::header::{COOKIE, HeaderValue, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse};
use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use ficha_authority::Issuer;

/// The cookies of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// Who is signed in.
    Session,
    /// That the password was typed again a short time ago.
    Confirmed,
    /// Which browser a sign-in form was made for.
    SignIn,
    /// Which language.
    Language,
    /// Light or dark.
    Theme,
}

/// How long a preference is kept: a year.
const PREFERENCE: Duration = Duration::days(365);

impl Name {
    fn text(self, site: &Issuer) -> &'static str {
        // The prefix makes browsers refuse a cookie that another host of the same domain has set. It needs HTTPS.
        match (self, site.is_plain_http()) {
            (Self::Session, false) => "__Host-ficha",
            (Self::Session, true) => "ficha",
            (Self::Confirmed, false) => "__Host-ficha-confirmed",
            (Self::Confirmed, true) => "ficha-confirmed",
            (Self::SignIn, false) => "__Host-ficha-sign-in",
            (Self::SignIn, true) => "ficha-sign-in",
            (Self::Language, false) => "__Host-ficha-language",
            (Self::Language, true) => "ficha-language",
            (Self::Theme, false) => "__Host-ficha-theme",
            (Self::Theme, true) => "ficha-theme",
        }
    }

    fn is_preference(self) -> bool {
        matches!(self, Self::Language | Self::Theme)
    }
}

/// The value of a cookie that a request has. Of two of one name, neither is used: one is somebody else's.
pub fn get(request: &HttpRequest, site: &Issuer, name: Name) -> Option<String> {
    let name = name.text(site);
    // As bytes: another site of the same domain may have set a cookie that is not valid text.
    let pairs = request.headers().get_all(COOKIE).flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    let value = |pair: &[u8]| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    };
    let mut found = pairs.filter_map(value);
    let first = found.next();
    first.filter(|_| found.next().is_none())
}

/// The header that sets a cookie: for this host, over HTTPS if there is any, not for scripts, and only with requests that
/// begin on this site. It ends with the browser, except that a preference is kept.
pub fn set(site: &Issuer, name: Name, value: &str) -> Option<HeaderValue> {
    let mut cookie = base(site, name, value);
    if name.is_preference() {
        cookie.set_max_age(PREFERENCE);
    }
    header(&cookie)
}

/// The header that removes a cookie.
pub fn remove(site: &Issuer, name: Name) -> Option<HeaderValue> {
    let mut cookie = base(site, name, "");
    cookie.set_max_age(Duration::ZERO);
    header(&cookie)
}

/// Adds such headers to a response.
pub fn attach(response: &mut HttpResponse, cookies: impl IntoIterator<Item = Option<HeaderValue>>) {
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

fn base(site: &Issuer, name: Name, value: &str) -> Cookie<'static> {
    Cookie::build((name.text(site), value.to_owned()))
        .path("/")
        .http_only(true)
        .secure(!site.is_plain_http())
        .same_site(SameSite::Strict)
        .build()
}

fn header(cookie: &Cookie<'_>) -> Option<HeaderValue> {
    // Names and values are our own: letters, digits and hyphens.
    HeaderValue::from_str(&cookie.to_string()).ok()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_cookie_is_for_this_host_and_this_site_alone() {
        let https = Issuer::parse("https://auth.example.com").unwrap();
        let header = set(&https, Name::Session, "x").unwrap();
        assert_eq!(header, "__Host-ficha=x; HttpOnly; SameSite=Strict; Secure; Path=/");
        let here = Issuer::parse("http://127.0.0.1:8080").unwrap();
        assert_eq!(set(&here, Name::Session, "x").unwrap(), "ficha=x; HttpOnly; SameSite=Strict; Path=/");
        assert!(remove(&https, Name::Session).unwrap().to_str().unwrap().contains("Max-Age=0"));
    }

    #[test]
    fn of_two_cookies_with_one_name_none_is_used() {
        let issuer = Issuer::parse("https://auth.example.com").unwrap();
        let value = |text: &str| {
            let request = TestRequest::default().insert_header((COOKIE, text)).to_http_request();
            get(&request, &issuer, Name::Session)
        };
        assert_eq!(value("a=1; __Host-ficha=x; b=2").as_deref(), Some("x"));
        assert_eq!(value("__Host-ficha=x; __Host-ficha=y"), None);
        assert_eq!(value("ficha=x"), None);
        assert_eq!(value("other=ñ; __Host-ficha=x").as_deref(), Some("x"), "one that is no ASCII hides no other");
    }
}
