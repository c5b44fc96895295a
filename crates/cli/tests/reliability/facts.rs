//! What was acknowledged, noted as it is asked for, and compared with what a server says later.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::server::{self, Answer, now};

/// How long a sound server may take until it answers a comparison.
const SETTLED: Duration = Duration::from_secs(10);

/// What is known of a token or a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was issued, and nothing has been asked since.
    Good,
    /// It was acknowledged that it ended, and by what.
    Ended(&'static str),
    /// Something was asked and not answered: it may be either.
    Unknown,
}

struct Access {
    token: String,
    state: State,
}

struct Session {
    user: String,
    state: State,
    /// `None` once a refresh was asked and not answered.
    newest: Option<String>,
    /// One that was acknowledged to be used up.
    old: Option<String>,
    accesses: Vec<Access>,
}

/// Who may log in, or may not.
struct Account {
    user: String,
    password: String,
    client: Option<String>,
    is_let_in: bool,
}

/// What was acknowledged, and what should not have been answered.
#[derive(Default)]
pub struct Facts {
    sessions: Vec<Session>,
    accounts: Vec<Account>,
    /// Answers that no fault excuses.
    pub wrong: Vec<String>,
}

/// What a comparison came to.
#[derive(Default)]
pub struct Compared {
    pub facts: usize,
    pub lost: Vec<String>,
}

impl Facts {
    /// Logs in with what must be right. The session's index, if that was acknowledged.
    pub fn log_in(&mut self, at: SocketAddr, user: &str, password: &str) -> Option<usize> {
        let answer = server::log_in(at, user, password, "");
        if !self.is_acknowledged("a login with the right password", &answer, 200) {
            return None;
        }
        let mut session =
            Session { user: user.to_owned(), state: State::Good, newest: None, old: None, accesses: Vec::new() };
        session.take(&answer?.1);
        self.sessions.push(session);
        Some(self.sessions.len() - 1)
    }

    /// Fails to log in.
    pub fn fail_to_log_in(&mut self, at: SocketAddr, user: &str) {
        let answer = server::log_in(at, user, "not the password at all", "");
        self.is_acknowledged("a login with a wrong password", &answer, 400);
    }

    /// Refreshes with the newest token. True if that was acknowledged.
    pub fn refresh(&mut self, at: SocketAddr, index: usize) -> bool {
        let session = &mut self.sessions[index];
        if session.state != State::Good {
            return false;
        }
        // Until it is answered, nobody knows which one is the newest.
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

    /// Uses a refresh token that was used up, where there is one: its refusal says that the session has ended.
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

    /// Revokes the newest refresh token, and so the session.
    pub fn revoke_refresh(&mut self, at: SocketAddr, index: usize) -> bool {
        let Some(token) = self.sessions[index].newest.clone() else { return false };
        let answer = server::revoke(at, &token);
        let is_done = self.is_acknowledged("a revocation of a refresh token", &answer, 200);
        self.sessions[index].end(is_done, "revoke of the refresh token");
        is_done
    }

    /// Logs out with the newest access token, which must be good.
    pub fn log_out(&mut self, at: SocketAddr, index: usize) -> bool {
        let Some(access) = self.sessions[index].good_access() else { return false };
        let answer = server::log_out(at, &access);
        let is_done = self.is_acknowledged("a logout with a good token", &answer, 204);
        self.sessions[index].end(is_done, "logout");
        is_done
    }

    /// Uses a good access token: it must not be refused.
    pub fn use_access(&mut self, at: SocketAddr, index: usize) {
        if let Some(access) = self.sessions[index].good_access() {
            let answer = server::who_am_i(at, &access);
            self.is_acknowledged("a request with a good token", &answer, 200);
        }
    }

    /// A command has ended all of a user's sessions, or failed.
    pub fn end_user(&mut self, user: &str, is_done: bool, by: &'static str) {
        self.sessions.iter_mut().filter(|session| session.user == user).for_each(|session| session.end(is_done, by));
    }

    /// A command has ended everything, or failed.
    pub fn end_all(&mut self, is_done: bool) {
        self.sessions.iter_mut().for_each(|session| session.end(is_done, "purge"));
    }

    /// It was acknowledged that this user is let in, or is not, with this password and by this client.
    pub fn note_account(&mut self, user: &str, password: &str, client: Option<&str>, is_let_in: bool) {
        let client = client.map(str::to_owned);
        self.accounts.push(Account { user: user.to_owned(), password: password.to_owned(), client, is_let_in });
    }

    /// Takes up what somebody else has noted.
    pub fn add(&mut self, other: Self) {
        self.sessions.extend(other.sessions);
        self.accounts.extend(other.accounts);
        self.wrong.extend(other.wrong);
    }

    /// Asks a sound server for every fact. Facts that the comparison itself changes are noted anew.
    pub fn compare(&mut self, at: SocketAddr) -> Compared {
        let mut compared = Compared::default();
        for session in &mut self.sessions {
            session.compare(at, &mut compared);
        }
        for account in &self.accounts {
            let more = account.client.as_ref().map(|client| format!("&client_id={client}")).unwrap_or_default();
            let expected = if account.is_let_in { 200 } else { 400 };
            let what =
                || format!("{} with the client {:?}, let in: {}", account.user, account.client, account.is_let_in);
            compared.expect(expected, what, || server::log_in(at, &account.user, &account.password, &more));
        }
        compared
    }

    /// True if it was acknowledged. No answer, and 503, say nothing; anything else is wrong.
    fn is_acknowledged(&mut self, what: &str, answer: &Answer, status: u16) -> bool {
        match answer {
            Some((found, _)) if *found == status => true,
            None | Some((503, _)) => false,
            Some((found, body)) => {
                self.wrong.push(format!("{what} is answered {found} {body}"));
                false
            }
        }
    }
}

impl Session {
    /// Takes up new tokens.
    fn take(&mut self, answer: &Value) {
        if let Some(token) = answer["access_token"].as_str() {
            self.accesses.push(Access { token: token.to_owned(), state: State::Good });
        }
        self.newest = answer["refresh_token"].as_str().map(str::to_owned);
    }

    /// What has ended stays so, whatever comes later.
    fn end(&mut self, is_done: bool, by: &'static str) {
        match (self.state, is_done) {
            (State::Ended(_), _) => {}
            (_, true) => self.state = State::Ended(by),
            (_, false) => self.state = State::Unknown,
        }
    }

    fn good_access(&self) -> Option<String> {
        let access = self.accesses.last().filter(|access| access.state == State::Good)?;
        (self.state == State::Good).then(|| access.token.clone())
    }

    fn compare(&mut self, at: SocketAddr, compared: &mut Compared) {
        let (user, state) = (&self.user, self.state);
        for access in &self.accesses {
            let expected = match (access.state, state) {
                (State::Ended(_), _) | (_, State::Ended(_)) => 401,
                (State::Good, State::Good) => 200,
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
            State::Good => {
                let answer = compared.expect(200, what, || server::refresh(at, &newest));
                if let Some((200, body)) = answer {
                    self.take(&body);
                }
                // Last, since it ends the session.
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

    /// Asks until there is an answer, and counts.
    fn expect(&mut self, status: u16, what: impl Fn() -> String, ask: impl Fn() -> Answer) -> Answer {
        let begin = now();
        let mut answer = ask();
        while matches!(answer, None | Some((503, _))) && begin.elapsed() < SETTLED {
            thread::sleep(Duration::from_millis(50));
            answer = ask();
        }
        self.facts += 1;
        match &answer {
            Some((found, _)) if *found == status => {}
            Some((found, body)) => self.lost.push(format!("{}: {found} {body} in place of {status}", what())),
            None => self.lost.push(format!("{}: no answer in place of {status}", what())),
        }
        answer
    }
}
