//! What a revocation by filter ends is what its list showed, for random sessions and filters.

use std::collections::BTreeSet;
use std::time::Duration;

use ficha_authority::{
    Admin, AdminError, PageFrom, RevokeMatching, SearchedState, SessionCount, SessionSearch, SessionState,
};
use ficha_store::testing::TestDatabase;
use ficha_testing::{App, Client, PASSWORD, Tokens, tester};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

/// How many sessions there are, and how many filters are tried on them.
const SESSIONS: usize = 24;
const FILTERS: usize = 40;

/// What is known of a session without asking the server.
#[derive(Debug)]
struct Known {
    id: Uuid,
    user: &'static str,
    client: &'static str,
    agent: &'static str,
    writes: bool,
    created: i64,
    refreshed: i64,
    revoked: bool,
}

const USERS: [&str; 2] = ["alice", "bob"];
const AGENTS: [&str; 3] = ["curl/8", "Firefox", "FIREFOX beta"];

/// A random session, and how long after the previous one it begins.
fn session() -> impl Strategy<Value = (usize, bool, usize, bool, bool, u64)> {
    (0..2_usize, any::<bool>(), 0..3_usize, any::<bool>(), any::<bool>(), 0..200_u64)
}

/// A random filter, with times as the number of a session.
type Filter = (Option<usize>, Option<bool>, Option<usize>, Option<bool>, Option<bool>, [Option<usize>; 4]);

fn filter() -> impl Strategy<Value = Filter> {
    let maybe = || proptest::option::weighted(0.25, 0..SESSIONS);
    (
        proptest::option::weighted(0.6, 0..2_usize),
        proptest::option::weighted(0.3, any::<bool>()),
        proptest::option::weighted(0.3, 0..3_usize),
        proptest::option::weighted(0.3, any::<bool>()),
        proptest::option::weighted(0.4, any::<bool>()),
        [maybe(), maybe(), maybe(), maybe()],
    )
}

async fn log_in(app: &App, user: &str, shop: Option<&Client>, agent: &str, scope: &str) -> Tokens {
    let form = [("grant_type", "password"), ("username", user), ("password", PASSWORD), ("scope", scope)];
    let request = app.http.post(app.url("/token")).header("user-agent", agent).form(&form);
    let request = match shop {
        Some(client) => request.basic_auth(&client.id, Some(&client.secret)),
        None => request,
    };
    Tokens::of(request.send().await.expect("an answer")).await
}

async fn make(app: &App, shop: &Client, runner: &mut TestRunner) -> Vec<Known> {
    let mut all = Vec::new();
    for _ in 0..SESSIONS {
        let (user, is_shop, agent, writes, refresh, pause) = session().new_tree(runner).expect("a value").current();
        app.advance(Duration::from_secs(pause)).await;
        let scope = if writes { "notes:read notes:write" } else { "notes:read" };
        let tokens = log_in(app, USERS[user], is_shop.then_some(shop), AGENTS[agent], scope).await;
        let created = tokens.claims()["iat"].as_i64().expect("a time");
        let mut refreshed = created;
        if refresh {
            app.advance(Duration::from_secs(7)).await;
            let form = [("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh)];
            let again =
                if is_shop { app.post_as(shop, "/token", &form).await } else { app.post("/token", &form).await };
            refreshed = Tokens::of(again).await.claims()["iat"].as_i64().expect("a time");
        }
        all.push(Known {
            id: tokens.claims()["sid"].as_str().expect("a sid").parse().expect("a UUID"),
            user: USERS[user],
            client: if is_shop { "shop" } else { "first-party" },
            agent: AGENTS[agent],
            writes,
            created,
            refreshed,
            revoked: false,
        });
    }
    all
}

/// The filter, and the sessions that it fits by what the test knows.
fn apply((user, shop, agent, writes, live, times): Filter, all: &[Known]) -> (SessionSearch, BTreeSet<Uuid>) {
    let created = |at: Option<usize>| at.map(|at| all[at].created);
    let refreshed = |at: Option<usize>| at.map(|at| all[at].refreshed);
    let search = SessionSearch {
        user: user.map(|user| USERS[user].to_owned()),
        client: shop.map(|shop| if shop { "shop".into() } else { "first-party".into() }),
        user_agent: agent.map(|agent| AGENTS[agent].to_uppercase()),
        scope: writes.map(|writes| if writes { "notes:write".into() } else { "notes:read".into() }),
        state: live.map(|live| if live { SearchedState::Live } else { SearchedState::Revoked }),
        created_after: created(times[0]),
        created_before: created(times[1]),
        refreshed_after: refreshed(times[2]),
        refreshed_before: refreshed(times[3]),
        ..SessionSearch::default()
    };
    let fits = |one: &&Known| {
        user.is_none_or(|user| one.user == USERS[user])
            && shop.is_none_or(|shop| (one.client == "shop") == shop)
            && agent.is_none_or(|agent| one.agent.to_lowercase().contains(&AGENTS[agent].to_lowercase()))
            && writes.is_none_or(|writes| one.writes || !writes)
            && live.is_none_or(|live| one.revoked != live)
            && created(times[0]).is_none_or(|time| one.created >= time)
            && created(times[1]).is_none_or(|time| one.created < time)
            && refreshed(times[2]).is_none_or(|time| one.refreshed >= time)
            && refreshed(times[3]).is_none_or(|time| one.refreshed < time)
    };
    let ids = all.iter().filter(fits).map(|one| one.id).collect();
    (search, ids)
}

/// The sessions of a list, page by page in one direction and then in the other.
async fn listed(admin: &Admin, search: &SessionSearch, limit: u64) -> Vec<Uuid> {
    let (mut forth, mut from) = (Vec::new(), PageFrom::Newest);
    let last = loop {
        let page = admin.search_sessions(&tester(), search, from, limit).await.expect("an answer");
        forth.extend(page.sessions.iter().map(|(session, _)| session.id));
        match page.next {
            Some(next) => from = PageFrom::OlderThan(next),
            None => break page,
        }
    };
    let mut back: Vec<Uuid> = last.sessions.iter().map(|(session, _)| session.id).collect();
    let mut previous = last.previous;
    while let Some(id) = previous {
        let page = admin.search_sessions(&tester(), search, PageFrom::NewerThan(id), limit).await.expect("an answer");
        back.splice(0..0, page.sessions.iter().map(|(session, _)| session.id));
        previous = page.previous;
    }
    assert_eq!(back, forth, "{search:?}");
    forth
}

/// The sessions that are revoked by now.
async fn revoked(admin: &Admin, all: &[Known]) -> BTreeSet<Uuid> {
    let mut gone = BTreeSet::new();
    for one in all {
        let (_, state) = admin.session_and_state(&tester(), one.id).await.expect("it is there");
        if matches!(state, SessionState::Revoked(_)) {
            gone.insert(one.id);
        }
    }
    gone
}

ficha_store::on_both_databases! {
    async fn what_is_listed_is_what_is_counted_and_what_is_ended(database: TestDatabase) {
        let app = App::start(&database).await;
        for user in USERS {
            app.add_user(user, "notes:read notes:write").await;
        }
        let shop = app.add_client("shop", |_| ()).await;
        let mut runner = TestRunner::deterministic();
        let mut all = make(&app, &shop, &mut runner).await;
        let mut ended = 0;
        for round in 0..FILTERS {
            let (search, expected) = apply(filter().new_tree(&mut runner).expect("a value").current(), &all);
            let list = listed(&app.admin, &search, 1 + round as u64 % 7).await;
            assert_eq!(list.iter().copied().collect::<BTreeSet<_>>(), expected, "{search:?}");
            assert_eq!(list.len(), expected.len(), "one is listed twice: {search:?}");
            assert!(list.is_sorted_by(|a, b| a > b), "{search:?}");
            let count = app.admin.count_fitting_sessions(&tester(), &search).await.expect("an answer");
            assert_eq!(count, SessionCount::Exactly(expected.len() as u64), "{search:?}");
            let mut what = RevokeMatching { search: search.clone(), ..RevokeMatching::default() };
            if search.user.is_none() && search.client.is_none() {
                let refused = app.admin.count_matching(&tester(), &what).await;
                assert!(matches!(refused, Err(AdminError::Invalid(_))), "it is too wide: {refused:?}");
                continue;
            }
            what.expected = app.admin.count_matching(&tester(), &what).await.expect("an answer");
            assert_eq!(what.expected, expected.len() as u64, "{search:?}");
            // Some of the rounds only look, so that something is left.
            if round % 5 != 0 {
                continue;
            }
            let before = revoked(&app.admin, &all).await;
            let done = app.admin.revoke_matching(&tester(), &what).await.expect("an answer");
            let after = revoked(&app.admin, &all).await;
            assert_eq!(after, before.union(&expected).copied().collect(), "{search:?}");
            assert_eq!((done.matched, done.revoked), (what.expected, (after.len() - before.len()) as u64));
            ended += done.revoked;
            all.iter_mut().for_each(|one| one.revoked = after.contains(&one.id));
        }
        assert!(ended > 0 && all.iter().any(|one| !one.revoked), "{ended} of {SESSIONS} were ended");
    }
}
