//! Finding users.

use ficha_store::{Direction, UserRecord};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use super::powers::{Access, Area};
use super::session_search::PageFrom;
use super::{Actor, Admin, AdminError};

/// How many users are read at a time.
const BATCH: u64 = 500;
/// How many users a page looks at, at most.
const MOST_SCANNED: u64 = 10_000;
/// How many users a count looks at, at most.
const MOST_COUNTED: u64 = 100_000;

/// Which users are wanted: those that fit all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserSearch {
    /// A part of the name, whatever the case of its letters.
    pub name: Option<String>,
    /// A part of the e-mail address, whatever the case of its letters.
    pub email: Option<String>,
    /// Whether they can log in.
    pub enabled: Option<bool>,
    /// A scope that they may be granted.
    pub scope: Option<String>,
    /// A role.
    pub role: Option<String>,
    /// Created at or after this time, in Unix seconds.
    pub created_after: Option<i64>,
    /// Created before this time.
    pub created_before: Option<i64>,
}

/// A page of users, the newest first.
#[derive(Debug, Clone)]
pub struct UserPage {
    /// The users.
    pub users: Vec<UserRecord>,
    /// Older users follow this one.
    pub next: Option<Uuid>,
    /// Newer users come before this one.
    pub previous: Option<Uuid>,
    /// How many users were looked at, if there may be more that fit but the page is not full.
    pub scanned: Option<u64>,
}

impl UserSearch {
    fn fits(&self, user: &UserRecord) -> bool {
        // Composed alike: names may be from before they had a normal form.
        let folded = |text: &str| text.nfc().collect::<String>().to_lowercase();
        let contains = |text: &str, part: &String| folded(text).contains(&folded(part));
        self.name.as_ref().is_none_or(|part| contains(&user.name, part))
            && self.email.as_ref().is_none_or(|part| user.email.as_deref().is_some_and(|email| contains(email, part)))
            && self.enabled.is_none_or(|enabled| user.enabled == enabled)
            && self.scope.as_deref().is_none_or(|name| user.scopes.contains(name))
            && self.role.as_ref().is_none_or(|role| user.roles.contains(role))
            && self.created_after.is_none_or(|time| user.created_at >= time)
            && self.created_before.is_none_or(|time| user.created_at < time)
    }
}

impl Admin {
    /// How many users fit, of those that are looked at; false: there may be more.
    pub async fn count_users(&self, actor: &Actor, search: &UserSearch) -> Result<(u64, bool), AdminError> {
        let (mut from, mut count, mut scanned) = (PageFrom::Newest, 0, 0);
        loop {
            let page = self.search_users(actor, search, from, BATCH as usize).await?;
            count += page.users.len() as u64;
            scanned += page.scanned.unwrap_or(page.users.len() as u64);
            match page.next {
                None => return Ok((count, true)),
                Some(_) if scanned >= MOST_COUNTED => return Ok((count, false)),
                Some(id) => from = PageFrom::OlderThan(id),
            }
        }
    }

    /// A page of at most `limit` users that fit.
    pub async fn search_users(
        &self,
        actor: &Actor,
        search: &UserSearch,
        from: PageFrom,
        limit: usize,
    ) -> Result<UserPage, AdminError> {
        actor.require(Access::Read, Area::Users)?;
        let mut page = UserPage { users: Vec::new(), next: None, previous: None, scanned: None };
        let (mut at, mut scanned, mut is_end) = (None, 0, false);
        while !is_end && page.users.len() < limit && scanned < MOST_SCANNED {
            let read = match from {
                PageFrom::NewerThan(id) => {
                    self.base.store.scan_users(None, at.or(Some(id)), Direction::OldestFirst, BATCH).await?
                }
                PageFrom::OlderThan(id) => {
                    self.base.store.scan_users(at.or(Some(id)), None, Direction::NewestFirst, BATCH).await?
                }
                PageFrom::Newest => self.base.store.scan_users(at, None, Direction::NewestFirst, BATCH).await?,
            };
            is_end = (read.len() as u64) < BATCH;
            for user in read {
                if page.users.len() == limit {
                    is_end = false;
                    break;
                }
                scanned += 1;
                at = Some(user.id);
                if search.fits(&user) {
                    page.users.push(user);
                }
            }
        }
        let further = at.filter(|_| !is_end);
        page.scanned = (page.users.len() < limit && !is_end).then_some(scanned);
        match from {
            PageFrom::NewerThan(id) => {
                page.users.reverse();
                page.previous = further;
                // After an empty page, what comes next begins with the user at which it ended.
                let begin = Uuid::from_u128(id.as_u128().saturating_add(1));
                page.next = page.users.last().map(|user| user.id).or(Some(begin));
            }
            PageFrom::OlderThan(id) => {
                let begin = Uuid::from_u128(id.as_u128().saturating_sub(1));
                (page.next, page.previous) = (further, page.users.first().map(|user| user.id).or(Some(begin)));
            }
            PageFrom::Newest => page.next = further,
        }
        Ok(page)
    }
}
