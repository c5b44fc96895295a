//! What a health endpoint wants to know.

use std::fmt;

/// Why a service can't decide about tokens at the moment.
///
/// ```
/// use ficha_resource::{NotReady, TestIssuer};
///
/// let issuer = TestIssuer::new();
/// issuer.set_stale(true);
/// let readiness = issuer.oauth2().readiness();
/// assert_eq!(readiness.reasons(), [NotReady::LeaseOver]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotReady {
    /// The issuer's metadata has not been read yet.
    NoMetadata,
    /// The signing keys have not been read yet.
    NoKeys,
    /// The signing keys could not be read for longer than the outage limit.
    KeysTooOld,
    /// The denylist has not been read to its end yet.
    NoDenylist,
    /// The lease is over: the denylist could not be read for too long. It is not a reason if stale lists are accepted
    /// ([`OnStale::Accept`](crate::OnStale::Accept)).
    LeaseOver,
    /// The tokio runtime in which `build()` was called has ended, and with it the task that reads keys and denylist.
    /// Tokens are refused once the lease is over. It does not start again: build another value.
    Stopped,
}

/// Whether the tokens of one issuer can be decided about at the moment, and if not, why.
///
/// ```
/// # async fn example(oauth2: ficha_resource::OAuth2PasswordBearer) {
/// let readiness = oauth2.readiness();
/// let (status, body) = if readiness.is_ready() { (200, "ready".to_owned()) } else { (503, readiness.to_string()) };
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    issuer: String,
    reasons: Vec<NotReady>,
    /// For each reason.
    errors: Vec<Option<String>>,
}

/// Whether the tokens of several issuers can be decided about at the moment.
///
/// One issuer that can't be reached must not take the whole service down, so the service is ready if the tokens of at
/// least one can be checked.
///
/// ```
/// use ficha_resource::{OAuth2PasswordBearer, TestIssuer};
///
/// let (staff, guests) = (TestIssuer::named("https://staff.test"), TestIssuer::named("https://guests.test"));
/// let both = OAuth2PasswordBearer::any_of([staff.oauth2(), guests.oauth2()]);
/// guests.set_stale(true);
/// let readiness = both.readiness();
/// assert!(readiness.is_ready());
/// let not_ready: Vec<_> = readiness.not_ready().map(|issuer| issuer.issuer()).collect();
/// assert_eq!(not_ready, ["https://guests.test"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuersReadiness {
    issuers: Vec<Readiness>,
}

impl Readiness {
    pub(crate) fn new(issuer: &str) -> Self {
        Self { issuer: issuer.to_owned(), reasons: Vec::new(), errors: Vec::new() }
    }

    pub(crate) fn add(&mut self, reason: NotReady, error: Option<String>) {
        self.reasons.push(reason);
        self.errors.push(error);
    }

    /// The issuer, as in `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// True if the service can decide about its tokens.
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Why not.
    pub fn reasons(&self) -> &[NotReady] {
        &self.reasons
    }

    /// What went wrong the last time that this was tried, in words, such as "the server answered 401 Unauthorized". It
    /// contains no secret.
    pub fn last_error(&self, reason: NotReady) -> Option<&str> {
        let position = self.reasons.iter().position(|own| *own == reason)?;
        self.errors.get(position)?.as_deref()
    }
}

impl IssuersReadiness {
    pub(crate) fn new(issuers: Vec<Readiness>) -> Self {
        Self { issuers }
    }

    /// True if the tokens of at least one issuer can be decided about.
    pub fn is_ready(&self) -> bool {
        self.issuers.iter().any(Readiness::is_ready)
    }

    /// The readiness of each issuer, in the order in which they were given.
    pub fn issuers(&self) -> &[Readiness] {
        &self.issuers
    }

    /// The issuers whose tokens can't be decided about.
    pub fn not_ready(&self) -> impl Iterator<Item = &Readiness> {
        self.issuers.iter().filter(|issuer| !issuer.is_ready())
    }
}

/// `ready`, or `not ready: ` and the reasons.
impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_ready() {
            return f.write_str("ready");
        }
        f.write_str("not ready: ")?;
        for (position, (reason, error)) in self.reasons.iter().zip(&self.errors).enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{reason}")?;
            if let Some(error) = error {
                write!(f, " ({error})")?;
            }
        }
        Ok(())
    }
}

/// `ready` or `not ready`, and what is wrong with each issuer that is not.
impl fmt::Display for IssuersReadiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_ready() { "ready" } else { "not ready" })?;
        for issuer in self.not_ready() {
            write!(f, "; {}: {issuer}", issuer.issuer)?;
        }
        Ok(())
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoMetadata => "the issuer's metadata has not been read yet",
            Self::NoKeys => "the signing keys have not been read yet",
            Self::KeysTooOld => "the signing keys could not be read for too long",
            Self::NoDenylist => "the denylist has not been read to its end yet",
            Self::LeaseOver => "the denylist is stale",
            Self::Stopped => {
                "the runtime in which build() was called has ended, so keys and denylist are not read any more"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(issuer: &str, reasons: &[NotReady]) -> Readiness {
        let mut readiness = Readiness::new(issuer);
        reasons.iter().for_each(|reason| readiness.add(*reason, None));
        readiness
    }

    #[test]
    fn not_being_ready_says_why() {
        assert_eq!(one("https://a", &[]).to_string(), "ready");
        let mut readiness = one("https://a", &[NotReady::NoKeys]);
        readiness.add(NotReady::LeaseOver, Some("the server answered 503".to_owned()));
        assert!(!readiness.is_ready());
        let said = readiness.to_string();
        let expected =
            "not ready: the signing keys have not been read yet; the denylist is stale (the server answered 503)";
        assert_eq!(said, expected);
        assert_eq!(readiness.last_error(NotReady::LeaseOver), Some("the server answered 503"));
        assert_eq!(readiness.last_error(NotReady::NoKeys), None);
        assert_eq!(readiness.last_error(NotReady::Stopped), None);
    }

    #[test]
    fn one_issuer_that_is_ready_is_enough() {
        let (good, bad) = (one("https://a", &[]), one("https://b", &[NotReady::NoKeys]));
        let some = IssuersReadiness::new(vec![good, bad.clone()]);
        assert!(some.is_ready());
        assert_eq!(some.not_ready().map(Readiness::issuer).collect::<Vec<_>>(), ["https://b"]);
        let said = some.to_string();
        assert_eq!(said, "ready; https://b: not ready: the signing keys have not been read yet");
        let none = IssuersReadiness::new(vec![bad]);
        assert!(!none.is_ready() && none.to_string().starts_with("not ready; https://b: "));
    }
}
