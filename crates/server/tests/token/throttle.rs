//! Password guessing is throttled, without locking out the owner.

use std::net::IpAddr;
use std::time::Duration;

use ficha_authority::{NewPassword, Password};
use ficha_store::testing::TestDatabase;
use ficha_token::Clock;
use futures_util::future::{Either, join_all, select};

use crate::raw::{self, encode};
use ficha_testing::{App, Client, PASSWORD, tester};

/// The sender of a request, as far as a test can choose it.
#[derive(Clone, Default)]
struct From {
    client: Option<Client>,
    headers: String,
}

impl From {
    /// The server accepts this address only from a trusted proxy.
    fn address(address: &str) -> Self {
        Self { client: None, headers: format!("X-Forwarded-For: {address}\r\n") }
    }

    fn client(client: &Client) -> Self {
        Self { client: Some(client.clone()), headers: String::new() }
    }

    fn on_behalf_of(mut self, address: &str) -> Self {
        self.headers = format!("X-Forwarded-For: {address}\r\n");
        self
    }
}

/// True if the login succeeds.
async fn can_log_in(app: &App, from: &From, name: &str, password: &str) -> bool {
    let basic = from.client.as_ref().map(|client| raw::basic(&client.id, &client.secret)).unwrap_or_default();
    let form = encode(&[("grant_type", "password"), ("username", name), ("password", password)]);
    let answer = raw::post(app, &format!("{}{basic}", from.headers), &form).await;
    if answer.status == 200 {
        return true;
    }
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"), "{answer:?}");
    false
}

/// Sends this many wrong passwords, one after the other.
async fn fail(app: &App, from: &From, name: &str, times: usize) {
    for _ in 0..times {
        assert!(!can_log_in(app, from, name, "wrong").await);
    }
}

/// A server behind a proxy on this machine that can name any address.
async fn behind_a_proxy(database: &TestDatabase) -> App {
    App::start_with(database, |options| {
        options.server.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await
}

/// Sets the wall clock, and waits until the server trusts it.
async fn set_clock(app: &App, by: time::Duration) {
    app.clock.set_wall(app.clock.now() + by);
    app.authority.look_at_clock();
    app.advance(Duration::from_secs(60)).await;
    app.authority.look_at_clock();
}

ficha_store::on_both_databases! {
    async fn a28_ten_failures_slow_the_source_for_that_account_only(database: TestDatabase) {
        let app = behind_a_proxy(&database).await;
        app.add_user("alice", "").await;
        app.add_user("bob", "").await;
        let client = app.add_client("shop", |_| ()).await;
        let (attacker, alice) = (From::address("203.0.113.1"), From::address("198.51.100.7"));
        fail(&app, &attacker, "alice", 9).await;
        fail(&app, &attacker, "alice", 1).await;
        assert!(!can_log_in(&app, &attacker, "alice", PASSWORD).await, "the right password is not checked");
        assert!(can_log_in(&app, &attacker, "bob", PASSWORD).await, "another account");
        assert!(can_log_in(&app, &alice, "alice", PASSWORD).await, "another address");
        let through_shop = From::client(&client).on_behalf_of("203.0.113.1");
        assert!(can_log_in(&app, &through_shop, "alice", PASSWORD).await, "another client");
        assert!(!can_log_in(&app, &attacker, "alice", PASSWORD).await, "others' success does not unblock the attacker");
    }

    async fn another_spelling_of_a_name_is_the_same_account(database: TestDatabase) {
        let app = behind_a_proxy(&database).await;
        app.add_user("Zoe\u{308}", "").await;
        let (attacker, zoe) = (From::address("203.0.113.1"), From::address("198.51.100.7"));
        let spellings = ["Zo\u{eb}", "Zoe\u{308}", "\u{ff3a}o\u{eb}"];
        for name in spellings {
            assert!(can_log_in(&app, &zoe, name, PASSWORD).await, "{name}");
        }
        assert!(!can_log_in(&app, &zoe, "zo\u{eb}", PASSWORD).await, "the case matters");
        // Each spelling would otherwise have ten attempts of its own; the same for somebody who is not there yet.
        for (spellings, stored) in [(spellings, "Zo\u{eb}"), (["No\u{eb}l", "Noe\u{308}l", "\u{ff2e}o\u{eb}l"], "No\u{eb}l")] {
            for name in spellings.iter().cycle().take(10) {
                assert!(!can_log_in(&app, &attacker, name, "wrong").await);
            }
            if stored.starts_with('N') {
                app.add_user(stored, "").await;
            }
            assert!(!can_log_in(&app, &attacker, stored, PASSWORD).await, "the right password is not checked");
        }
        let access = app.login("Zoe\u{308}").await.access;
        let me: serde_json::Value = app.get_with("/users/me", &access).await.json().await.expect("JSON");
        assert_eq!(me["username"], "Zo\u{eb}", "the name is shown as it is stored");
    }

    async fn failures_from_the_future_delay_nobody(database: TestDatabase) {
        let app = App::start(&database).await;
        let (from, names) = (From::default(), ["alice", "bob", "carol", "dave"]);
        set_clock(&app, time::Duration::days(40)).await;
        for name in names {
            app.add_user(name, "").await;
            fail(&app, &from, name, 12).await;
        }
        set_clock(&app, time::Duration::days(-40)).await;
        // As if they had failed now: twelve failures mean four seconds.
        assert!(!can_log_in(&app, &from, "alice", PASSWORD).await);
        app.advance(Duration::from_secs(4)).await;
        assert!(can_log_in(&app, &from, "alice", PASSWORD).await);
        // Or at once, if an administrator unlocks the user.
        assert_eq!(app.admin.unlock_user(&tester(), "bob").await.expect("the user exists"), 2);
        assert!(can_log_in(&app, &from, "bob", PASSWORD).await);
        let password = || NewPassword::Plain(Password::new(PASSWORD));
        app.admin.set_password(&tester(), "carol", password()).await.expect("the user exists");
        assert!(can_log_in(&app, &from, "carol", PASSWORD).await);
        app.admin.set_user_enabled(&tester(), "dave", true).await.expect("the user exists");
        assert!(can_log_in(&app, &from, "dave", PASSWORD).await);
        assert_eq!(app.admin.unlock_user(&tester(), "dave").await.expect("the user exists"), 0);
    }

    async fn a28_nine_failures_slow_nobody_and_a_success_resets_the_count(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        for _ in 0..3 {
            fail(&app, &From::default(), "alice", 9).await;
            assert!(can_log_in(&app, &From::default(), "alice", PASSWORD).await);
        }
    }

    async fn a28_the_wait_doubles_and_attempts_within_it_do_not_lengthen_it(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let here = From::default();
        fail(&app, &here, "alice", 10).await;
        for wait in [1, 2, 4, 8] {
            for _ in 0..3 {
                assert!(!can_log_in(&app, &here, "alice", PASSWORD).await, "{wait}");
            }
            app.advance(Duration::from_secs(wait - 1)).await;
            assert!(!can_log_in(&app, &here, "alice", PASSWORD).await, "{wait}");
            app.advance(Duration::from_secs(1)).await;
            fail(&app, &here, "alice", 1).await;
        }
        app.advance(Duration::from_secs(16)).await;
        assert!(can_log_in(&app, &here, "alice", PASSWORD).await);
        fail(&app, &here, "alice", 9).await;
        assert!(can_log_in(&app, &here, "alice", PASSWORD).await, "the success reset the count");
    }

    async fn a28_unknown_accounts_are_throttled_alike(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        fail(&app, &From::default(), "nobody", 10).await;
        let before = app.authority.hashing().stats().completed;
        fail(&app, &From::default(), "nobody", 1).await;
        assert_eq!(app.authority.hashing().stats().completed, before, "no hash: it was throttled");
        assert!(can_log_in(&app, &From::default(), "alice", PASSWORD).await);
    }

    async fn a28_a_hundred_failures_block_only_sources_that_never_logged_in(database: TestDatabase) {
        let app = behind_a_proxy(&database).await;
        app.add_user("alice", "").await;
        app.add_user("bob", "").await;
        let (home, new) = (From::address("198.51.100.7"), From::address("198.51.100.8"));
        assert!(can_log_in(&app, &home, "alice", PASSWORD).await);
        for attacker in 0..9 {
            fail(&app, &From::address(&format!("203.0.113.{attacker}")), "alice", 10).await;
        }
        fail(&app, &From::address("203.0.113.9"), "alice", 9).await;
        let late = From::address("203.0.113.200");
        let before = app.authority.hashing().stats().completed;
        fail(&app, &late, "alice", 1).await;
        assert_eq!(app.authority.hashing().stats().completed, before + 1, "the hundredth is still checked");
        assert!(!can_log_in(&app, &new, "alice", PASSWORD).await, "a source that never logged in is blocked");
        assert_eq!(app.authority.hashing().stats().completed, before + 1, "and costs nothing");
        assert!(can_log_in(&app, &new, "bob", PASSWORD).await, "for that account only");
        assert!(can_log_in(&app, &home, "alice", PASSWORD).await, "a source that logged in before is not blocked");
        assert!(can_log_in(&app, &new, "alice", PASSWORD).await, "and that ends the block");
    }

    async fn a28_a_source_that_logged_in_is_still_known_a_month_later(database: TestDatabase) {
        let app = behind_a_proxy(&database).await;
        app.add_user("alice", "").await;
        let home = From::address("198.51.100.7");
        assert!(can_log_in(&app, &home, "alice", PASSWORD).await);
        app.advance(Duration::from_secs(30 * 86_400)).await;
        app.authority.maintain_once(&mut None).await.expect("housekeeping");
        for attacker in 0..10 {
            fail(&app, &From::address(&format!("203.0.113.{attacker}")), "alice", 10).await;
        }
        assert!(!can_log_in(&app, &From::address("198.51.100.8"), "alice", PASSWORD).await, "the account is under attack");
        assert!(can_log_in(&app, &home, "alice", PASSWORD).await, "and its owner is not locked out");
    }

    async fn a28_a_block_ends_by_itself(database: TestDatabase) {
        let app = behind_a_proxy(&database).await;
        app.add_user("alice", "").await;
        for attacker in 0..10 {
            fail(&app, &From::address(&format!("203.0.113.{attacker}")), "alice", 10).await;
        }
        let new = From::address("198.51.100.8");
        assert!(!can_log_in(&app, &new, "alice", PASSWORD).await);
        app.advance(Duration::from_secs(899)).await;
        assert!(!can_log_in(&app, &new, "alice", PASSWORD).await);
        app.advance(Duration::from_secs(1)).await;
        assert!(can_log_in(&app, &new, "alice", PASSWORD).await);
    }

    async fn a28_a_source_that_fails_on_many_accounts_is_slowed_as_a_source(database: TestDatabase) {
        let app = behind_a_proxy(&database).await;
        for name in ["alice", "bob"] {
            app.add_user(name, "").await;
        }
        let (sprayer, other) = (From::address("203.0.113.1"), From::address("198.51.100.7"));
        assert!(can_log_in(&app, &sprayer, "bob", PASSWORD).await);
        for account in 0..100 {
            fail(&app, &sprayer, &format!("user{account}"), 1).await;
        }
        let before = app.authority.hashing().stats().completed;
        assert!(!can_log_in(&app, &sprayer, "alice", PASSWORD).await);
        assert_eq!(app.authority.hashing().stats().completed, before, "its password is not checked");
        // Another public client gives it no new allowance.
        app.add_client("another", |new| new.public = true).await;
        let form = encode(&[("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("client_id", "another")]);
        assert_eq!(raw::post(&app, &sprayer.headers, &form).await.status, 400);
        assert!(can_log_in(&app, &sprayer, "bob", PASSWORD).await, "an account to which it has logged in before");
        assert!(can_log_in(&app, &other, "alice", PASSWORD).await, "another source");
        app.advance(Duration::from_secs(36)).await;
        assert!(can_log_in(&app, &sprayer, "alice", PASSWORD).await, "one attempt every 36 seconds");
    }

    async fn a28_a_right_password_from_a_new_address_gets_through_slowly(database: TestDatabase) {
        let app = behind_a_proxy(&database).await;
        app.add_user("alice", "").await;
        for attacker in 0..130 {
            fail(&app, &From::address(&format!("203.0.113.{attacker}")), "alice", 1).await;
        }
        let new = From::address("198.51.100.8");
        assert!(!can_log_in(&app, &new, "alice", PASSWORD).await);
        app.advance(Duration::from_secs(900)).await;
        assert!(can_log_in(&app, &new, "alice", PASSWORD).await);
    }

    async fn a28_a_known_source_that_mistypes_does_not_count_against_the_account(database: TestDatabase) {
        let app = behind_a_proxy(&database).await;
        app.add_user("alice", "").await;
        let home = From::address("198.51.100.7");
        assert!(can_log_in(&app, &home, "alice", PASSWORD).await);
        for attacker in 0..9 {
            fail(&app, &From::address(&format!("203.0.113.{attacker}")), "alice", 10).await;
        }
        fail(&app, &From::address("203.0.113.9"), "alice", 9).await;
        fail(&app, &home, "alice", 5).await;
        assert!(can_log_in(&app, &From::address("198.51.100.8"), "alice", PASSWORD).await, "99 failures do not block");
    }

    async fn a84_without_a_trusted_proxy_a_forwarded_address_is_ignored(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        for attempt in 0..10 {
            fail(&app, &From::address(&format!("203.0.113.{attempt}")), "alice", 1).await;
        }
        assert!(!can_log_in(&app, &From::address("203.0.113.99"), "alice", PASSWORD).await);
        let forwarded = From { client: None, headers: "Forwarded: for=203.0.113.98\r\n".into() };
        assert!(!can_log_in(&app, &forwarded, "alice", PASSWORD).await);
    }

    async fn a84_the_last_address_before_the_trusted_proxies_counts(database: TestDatabase) {
        let app = App::start_with(&database, |options| {
            options.server.trusted_proxies =
                ["127.0.0.1", "10.0.0.0/8"].map(|net| ficha_server::parse_network(net).expect("a network")).into();
        })
        .await;
        app.add_user("alice", "").await;
        // What the attacker puts in front is ignored.
        for attempt in 0..10 {
            fail(&app, &From::address(&format!("192.0.2.{attempt}, 203.0.113.1, 10.1.1.1")), "alice", 1).await;
        }
        assert!(!can_log_in(&app, &From::address("192.0.2.99, 203.0.113.1"), "alice", PASSWORD).await);
        assert!(can_log_in(&app, &From::address("203.0.113.1, 198.51.100.7, 10.1.1.1"), "alice", PASSWORD).await);
    }

    async fn a84_the_standard_header_and_ports_and_networks_are_understood(database: TestDatabase) {
        let app = behind_a_proxy(&database).await;
        app.add_user("alice", "").await;
        let six =
            |tail: &str| From { client: None, headers: format!("Forwarded: for=\"[2001:db8:1:2::{tail}]:4711\"\r\n") };
        // An IPv6 source is its /64.
        for attempt in 0..10 {
            fail(&app, &six(&format!("{attempt:x}")), "alice", 1).await;
        }
        assert!(!can_log_in(&app, &six("ffff"), "alice", PASSWORD).await);
        assert!(!can_log_in(&app, &From::address("2001:db8:1:2:3::4"), "alice", PASSWORD).await);
        assert!(can_log_in(&app, &From::address("2001:db8:1:3::4"), "alice", PASSWORD).await);
        // An IPv4 address is the same with a port, or as IPv4-mapped IPv6.
        for text in ["203.0.113.1", "203.0.113.1:80", "::ffff:203.0.113.1", "203.0.113.1:81", "[::ffff:203.0.113.1]:1"]
        {
            fail(&app, &From::address(text), "alice", 2).await;
        }
        assert!(!can_log_in(&app, &From::address("203.0.113.1"), "alice", PASSWORD).await);
    }

    async fn a_client_that_is_trusted_to_may_forward_its_users_addresses(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let trusted = From::client(&app.add_client("bff", |new| new.forwards_address = true).await);
        let other = From::client(&app.add_client("shop", |_| ()).await);
        fail(&app, &trusted.clone().on_behalf_of("203.0.113.1"), "alice", 10).await;
        assert!(!can_log_in(&app, &trusted.clone().on_behalf_of("203.0.113.1"), "alice", PASSWORD).await);
        assert!(can_log_in(&app, &trusted.clone().on_behalf_of("198.51.100.7"), "alice", PASSWORD).await);
        // The last address that it names is its user's; those before it come from the user, and are not trusted.
        assert!(!can_log_in(&app, &trusted.clone().on_behalf_of("198.51.100.7, 203.0.113.1"), "alice", PASSWORD).await);
        assert!(can_log_in(&app, &trusted, "alice", PASSWORD).await, "a user whose address it does not name");
        for attempt in 0..10 {
            fail(&app, &other.clone().on_behalf_of(&format!("203.0.113.{attempt}")), "alice", 1).await;
        }
        assert!(!can_log_in(&app, &other.on_behalf_of("198.51.100.7"), "alice", PASSWORD).await, "an untrusted client");
    }

    async fn a_session_stores_the_trusted_address(database: TestDatabase) {
        let app = behind_a_proxy(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("bff", |new| new.forwards_address = true).await;
        let address = async |from: &From| {
            // Ids are ordered by time.
            app.advance(Duration::from_secs(1)).await;
            assert!(can_log_in(&app, from, "alice", PASSWORD).await);
            let query = ficha_authority::SessionQuery { user: Some("alice".into()), limit: 100, ..Default::default() };
            let sessions = app.admin.sessions(&tester(), query).await.expect("the sessions");
            let newest = sessions.into_iter().max_by_key(|session| session.id).expect("there is a session");
            newest.address.and_then(|text| text.parse::<IpAddr>().ok()).map(|address| address.to_string())
        };
        assert_eq!(address(&From::address("192.0.2.1, 203.0.113.1")).await.as_deref(), Some("203.0.113.1"));
        assert_eq!(address(&From::default()).await.as_deref(), Some("127.0.0.1"));
        let user = From::client(&client).on_behalf_of("198.51.100.7, 203.0.113.1");
        assert_eq!(address(&user).await.as_deref(), Some("198.51.100.7"));
        assert_eq!(address(&From::address("unknown")).await, None);
    }

    async fn a28_guessing_a_clients_secret_is_slowed_and_the_right_one_never_is(database: TestDatabase) {
        let app = App::start(&database).await;
        let client = app.add_client("shop", |_| ()).await;
        let own = "grant_type=client_credentials";
        let wrong = async || raw::post(&app, &raw::basic("shop", "wrong"), own).await.status;
        let right = async || raw::post(&app, &raw::basic("shop", &client.secret), own).await.status;
        join_all((0..17).map(|_| wrong())).await;
        let began = tokio::time::Instant::now();
        let guess = std::pin::pin!(wrong());
        // The guess waits for two seconds; meanwhile, requests with the right secret from the same address are
        // answered.
        match select(guess, std::pin::pin!(async { right().await + right().await })).await {
            Either::Right((statuses, guess)) => {
                assert_eq!(statuses, 400, "two times 200");
                assert_eq!(guess.await, 401);
            }
            Either::Left(_) => panic!("the guess was answered before the right secret"),
        }
        assert!(began.elapsed() >= Duration::from_secs(2));
        // The same with the secret in the body.
        let form = format!("{own}&client_id=shop&client_secret=wrong");
        let began = tokio::time::Instant::now();
        assert_eq!(raw::post(&app, "", &form).await.status, 401);
        assert!(began.elapsed() >= Duration::from_secs(2));
    }
}
