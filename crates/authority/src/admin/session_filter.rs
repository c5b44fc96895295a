//! Which sessions fit: one closed filter, for lists, counts and revocations alike. The database compares what it can.

use std::net::IpAddr;

use ficha_store::{Candidate, FitState, SessionFit, SessionRecord, SessionState};
use ipnet::IpNet;

use super::session_search::Moment;

/// Which sessions are wanted: those that fit all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionSearch {
    /// The user's name or id.
    pub user: Option<String>,
    /// The client.
    pub client: Option<String>,
    /// The address from which it was created, or a network of such addresses.
    pub address: Option<IpNet>,
    /// What has become of it.
    pub state: Option<SearchedState>,
    /// A scope that it was granted.
    pub scope: Option<String>,
    /// A part of the user agent that created it, whatever the case of its letters.
    pub user_agent: Option<String>,
    /// Created at or after this time, in Unix seconds.
    pub created_after: Option<i64>,
    /// Created before this time.
    pub created_before: Option<i64>,
    /// Refreshed at or after this time; a session that never was counts as refreshed when it was created.
    pub refreshed_after: Option<i64>,
    /// Refreshed before this time.
    pub refreshed_before: Option<i64>,
    /// Why it ended.
    pub reason: Option<String>,
}

/// A state that can be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchedState {
    /// It can be refreshed.
    Live,
    /// It has expired.
    Expired,
    /// It was revoked, or ended with all others of its epoch.
    Revoked,
}

impl SessionSearch {
    /// What the database compares.
    pub(super) fn fit(&self, moment: Moment) -> SessionFit {
        SessionFit {
            state: self.state.map(|state| match state {
                SearchedState::Live => FitState::Live,
                SearchedState::Expired => FitState::Expired,
                SearchedState::Revoked => FitState::Revoked,
            }),
            reason: self.reason.clone(),
            created: (self.created_after, self.created_before),
            rotated: (self.refreshed_after, self.refreshed_before),
            now: moment.now,
            epoch: moment.epoch,
        }
    }

    /// True if the database can't compare all of it.
    pub(super) fn needs_texts(&self) -> bool {
        self.scope.is_some() || self.user_agent.is_some() || self.address.is_some_and(|network| !is_single(network))
    }

    /// What the database can't compare.
    pub(super) fn fits_texts(&self, candidate: &Candidate) -> bool {
        self.fits_address(candidate.address.as_deref())
            && self.scope.as_deref().is_none_or(|name| has_scope(candidate, name))
            && self.user_agent.as_deref().is_none_or(|part| contains(candidate.user_agent.as_deref(), part))
    }

    fn fits_address(&self, address: Option<&str>) -> bool {
        let address = || address.and_then(|text| text.parse::<IpAddr>().ok());
        self.address.is_none_or(|network| address().is_some_and(|address| network.contains(&address)))
    }

    pub(super) fn fits(&self, session: &SessionRecord, state: SessionState) -> bool {
        let within = |time: i64, from: Option<i64>, to: Option<i64>| {
            from.is_none_or(|from| time >= from) && to.is_none_or(|to| time < to)
        };
        self.client.as_ref().is_none_or(|client| *client == session.client_id)
            && self.fits_address(session.address.as_deref())
            && self.state.is_none_or(|wanted| wanted == SearchedState::of(state))
            && self.scope.as_deref().is_none_or(|name| session.scopes.contains(name))
            && self.user_agent.as_deref().is_none_or(|part| contains(session.user_agent.as_deref(), part))
            && within(session.created_at, self.created_after, self.created_before)
            && within(session.rotated_at, self.refreshed_after, self.refreshed_before)
            && self.reason.as_deref().is_none_or(|reason| reason_of(state) == Some(reason))
    }
}

impl SearchedState {
    /// How a state is shown.
    pub fn of(state: SessionState) -> Self {
        match state {
            SessionState::Live => Self::Live,
            SessionState::Expired => Self::Expired,
            SessionState::Revoked(_) | SessionState::Purged => Self::Revoked,
        }
    }

    /// `live`, `expired` or `revoked`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Parses what [`SearchedState::as_str`] shows.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Live, Self::Expired, Self::Revoked].into_iter().find(|state| state.as_str() == text)
    }
}

/// Why a session ended early: a reason that is stored, or `purge`.
pub fn reason_of(state: SessionState) -> Option<&'static str> {
    match state {
        SessionState::Revoked(reason) => Some(reason.as_str()),
        SessionState::Purged => Some("purge"),
        SessionState::Live | SessionState::Expired => None,
    }
}

fn has_scope(candidate: &Candidate, name: &str) -> bool {
    candidate.scopes.iter().flat_map(|scopes| scopes.split(' ')).any(|scope| scope == name)
}

fn contains(text: Option<&str>, part: &str) -> bool {
    text.is_some_and(|text| text.to_lowercase().contains(&part.to_lowercase()))
}

pub(super) fn is_single(network: IpNet) -> bool {
    network.prefix_len() == network.max_prefix_len()
}

/// True if a revocation may still change it.
pub(super) fn is_open(state: SessionState) -> bool {
    matches!(state, SessionState::Live | SessionState::Expired)
}
