//! Records of what was acknowledged, compared later with the answers of a server.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::server::{self, Answer, now};

/// How long a server without faults may take to answer a comparison.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// What is known of a token or a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was issued, and no request to end it was made since.
    Valid,
    /// Its end was acknowledged, and by what.
    Ended(&'static str),
    /// A request was not answered: it may be valid or ended.
    Unknown,
}

struct Access {
    token: String,
    state: State,
}

struct Session {
    user: String,
    state: State,
    /// The newest refresh token; `None` after a refresh without an answer.
    newest: Option<String>,
    /// A refresh token that was successfully used.
    old: Option<String>,
    accesses: Vec<Access>,
}

/// Whether a user may log in.
struct Account {
    user: String,
    password: String,
    client: Option<String>,
    may_log_in: bool,
}

/// What was acknowledged, and which answers were wrong.
#[derive(Default)]
pub struct Facts {
    sessions: Vec<Session>,
    accounts: Vec<Account>,
    /// Answers that no fault explains.
    pub wrong: Vec<String>,
}

/// The result of a comparison.
#[derive(Default)]
pub struct Compared {
    pub facts: usize,
    pub lost: Vec<String>,
}

impl Facts {
    /// Logs in with the right password. Returns the session's index if that was acknowledged.
    pub fn log_in(&mut self, at: SocketAddr, user: &str, password: &str) -> Option<usize> {
        let answer = server::log_in(at, user, password, "");
        if !self.is_acknowledged("a login with the right password", &answer, 200) {
            return None;
        }
        let mut session =
            Session { user: user.to_owned(), state: State::Valid, newest: None, old: None, accesses: Vec::new() };
        session.take(&answer?.1);
        self.sessions.push(session);
        Some(self.sessions.len() - 1)
    }

    /// Logs in with a wrong password.
    pub fn fail_to_log_in(&mut self, at: SocketAddr, user: &str) {
        let answer = server::log_in(at, user, "not the password at all", "");
        self.is_acknowledged("a login with a wrong password", &answer, 400);
    }

    /// Refreshes with the newest token. True if that was acknowledged.
    pub fn refresh(&mut self, at: SocketAddr, index: usize) -> bool {
        let session = &mut self.sessions[index];
        if session.state != State::Valid {
            return false;
        }
        // Until there is an answer, it is unknown which one is the newest.
        let Some(token) = session.newest.take() else { return false };
        let answer = server::refresh(at, &token);
        let is_done = self.is_acknowledged("a refresh with the newest token", &answer, 200);
        if is_done && let Some((_, body)) = answer {
            let session = &mut self.sessions[index];
            session.old = Some(token);
            session.take(&body);
        }
        is_done
    }

    /// Replays a used refresh token, if there is one. Its refusal means that the session has ended.
    pub fn replay(&mut self, at: SocketAddr, index: usize) -> bool {
        let Some(token) = self.sessions[index].old.clone() else { return false };
        let answer = server::refresh(at, &token);
        let is_done = self.is_acknowledged("a refresh with an old token", &answer, 400);
        self.sessions[index].end(is_done, "replay");
        is_done
    }

    /// Revokes the newest access token.
    pub fn revoke_access(&mut self, at: SocketAddr, index: usize) -> bool {
        let Some(access) = self.sessions[index].accesses.last() else { return false };
        let answer = server::revoke(at, &access.token);
        let is_done = self.is_acknowledged("a revocation of an access token", &answer, 200);
        if let Some(access) = self.sessions[index].accesses.last_mut() {
            access.state = if is_done { State::Ended("revoke") } else { State::Unknown };
        }
        is_done
    }

    /// Revokes the newest refresh token, which ends the session.
    pub fn revoke_refresh(&mut self, at: SocketAddr, index: usize) -> bool {
        let Some(token) = self.sessions[index].newest.clone() else { return false };
        let answer = server::revoke(at, &token);
        let is_done = self.is_acknowledged("a revocation of a refresh token", &answer, 200);
        self.sessions[index].end(is_done, "revoke of the refresh token");
        is_done
    }

    /// Logs out with the newest access token, which must be valid.
    pub fn log_out(&mut self, at: SocketAddr, index: usize) -> bool {
        let Some(access) = self.sessions[index].valid_access() else { return false };
        let answer = server::log_out(at, &access);
        let is_done = self.is_acknowledged("a logout with a valid token", &answer, 204);
        self.sessions[index].end(is_done, "logout");
        is_done
    }

    /// Uses a valid access token: it must not be refused.
    pub fn use_access(&mut self, at: SocketAddr, index: usize) {
        if let Some(access) = self.sessions[index].valid_access() {
            let answer = server::who_am_i(at, &access);
            self.is_acknowledged("a request with a valid token", &answer, 200);
        }
    }

    /// Records that a command has ended all of a user's sessions, or has failed.
    pub fn end_user(&mut self, user: &str, is_done: bool, by: &'static str) {
        self.sessions.iter_mut().filter(|session| session.user == user).for_each(|session| session.end(is_done, by));
    }

    /// Records that a command has ended every session, or has failed.
    pub fn end_all(&mut self, is_done: bool) {
        self.sessions.iter_mut().for_each(|session| session.end(is_done, "purge"));
    }

    /// Records the acknowledged fact that this user may or may not log in with this password and client.
    pub fn note_account(&mut self, user: &str, password: &str, client: Option<&str>, may_log_in: bool) {
        let client = client.map(str::to_owned);
        self.accounts.push(Account { user: user.to_owned(), password: password.to_owned(), client, may_log_in });
    }

    /// Adds the facts that another thread has recorded.
    pub fn add(&mut self, other: Self) {
        self.sessions.extend(other.sessions);
        self.accounts.extend(other.accounts);
        self.wrong.extend(other.wrong);
    }

    /// Asks a server without faults for every fact. Facts that the comparison itself changes are updated.
    pub fn compare(&mut self, at: SocketAddr) -> Compared {
        let mut compared = Compared::default();
        for session in &mut self.sessions {
            session.compare(at, &mut compared);
        }
        for account in &self.accounts {
            let more = account.client.as_ref().map(|client| format!("&client_id={client}")).unwrap_or_default();
            let expected = if account.may_log_in { 200 } else { 400 };
            let what =
                || format!("{} with the client {:?}, may log in: {}", account.user, account.client, account.may_log_in);
            compared.expect(expected, what, || server::log_in(at, &account.user, &account.password, &more));
        }
        compared
    }

    /// True if it was acknowledged. No answer and 503 leave it open; anything else is wrong.
    fn is_acknowledged(&mut self, what: &str, answer: &Answer, status: u16) -> bool {
        match answer {
            Some((found, _)) if *found == status => true,
            None | Some((503, _)) => false,
            Some((found, body)) => {
                self.wrong.push(format!("{what} got {found} {body}"));
                false
            }
        }
    }
}

impl Session {
    /// Stores new tokens.
    fn take(&mut self, answer: &Value) {
        if let Some(token) = answer["access_token"].as_str() {
            self.accesses.push(Access { token: token.to_owned(), state: State::Valid });
        }
        self.newest = answer["refresh_token"].as_str().map(str::to_owned);
    }

    /// Records the end. Once ended, it stays ended.
    fn end(&mut self, is_done: bool, by: &'static str) {
        match (self.state, is_done) {
            (State::Ended(_), _) => {}
            (_, true) => self.state = State::Ended(by),
            (_, false) => self.state = State::Unknown,
        }
    }

    fn valid_access(&self) -> Option<String> {
        let access = self.accesses.last().filter(|access| access.state == State::Valid)?;
        (self.state == State::Valid).then(|| access.token.clone())
    }

    fn compare(&mut self, at: SocketAddr, compared: &mut Compared) {
        let (user, state) = (&self.user, self.state);
        for access in &self.accesses {
            let expected = match (access.state, state) {
                (State::Ended(_), _) | (_, State::Ended(_)) => 401,
                (State::Valid, State::Valid) => 200,
                _ => continue,
            };
            let what = || format!("an access token of {user}, {:?}, session {state:?}", access.state);
            compared.expect(expected, what, || server::who_am_i(at, &access.token));
        }
        let Some(newest) = self.newest.clone() else { return };
        let what = || format!("the refresh token of {user}, session {state:?}");
        match state {
            State::Unknown => {}
            State::Ended(_) => {
                compared.expect(400, what, || server::refresh(at, &newest));
            }
            State::Valid => {
                let answer = compared.expect(200, what, || server::refresh(at, &newest));
                if let Some((200, body)) = answer {
                    self.take(&body);
                }
                // Last, because it ends the session.
                if let Some(old) = self.old.take() {
                    let what = || format!("an old refresh token of {}", self.user);
                    compared.expect(400, what, || server::refresh(at, &old));
                    self.end(true, "replay");
                }
            }
        }
    }
}

impl Compared {
    pub fn add(&mut self, other: Self) {
        self.facts += other.facts;
        self.lost.extend(other.lost);
    }

    /// Asks until there is an answer, and counts the fact.
    fn expect(&mut self, status: u16, what: impl Fn() -> String, ask: impl Fn() -> Answer) -> Answer {
        let begin = now();
        let mut answer = ask();
        while matches!(answer, None | Some((503, _))) && begin.elapsed() < SETTLE_LIMIT {
            thread::sleep(Duration::from_millis(50));
            answer = ask();
        }
        self.facts += 1;
        match &answer {
            Some((found, _)) if *found == status => {}
            Some((found, body)) => self.lost.push(format!("{}: {found} {body} instead of {status}", what())),
            None => self.lost.push(format!("{}: no answer instead of {status}", what())),
        }
        answer
    }
}
