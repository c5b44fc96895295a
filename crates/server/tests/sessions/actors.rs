//! What an administrator with few scopes may do, for every rule.

use ficha_authority::{
    Actor, AdminError, ClientChange, ClientScopes, EventQuery, NewClient, NewClientSecret, NewPassword, NewUser,
    Password, RequestSource, SessionQuery, Sight,
};
use ficha_store::testing::TestDatabase;
use ficha_testing::{App, PASSWORD, tester};
use ficha_token::{Grant, Scope};
use uuid::Uuid;

use crate::support::*;

fn scope(text: &str) -> Scope {
    text.parse().expect("a scope")
}

fn with(scopes: &str) -> Actor {
    Actor::user(Uuid::from_u128(7), "helper", &scope(scopes), RequestSource::default())
}

fn is_forbidden<T>(outcome: Result<T, AdminError>) -> bool {
    matches!(outcome, Err(AdminError::Forbidden(_)))
}

fn password() -> NewPassword {
    NewPassword::Plain(Password::new(PASSWORD))
}

fn new_user(name: &str, scopes: &str) -> NewUser {
    NewUser {
        name: name.into(),
        email: None,
        password: password(),
        scopes: scope(scopes),
        roles: Vec::new(),
        must_change: false,
    }
}

fn new_client(id: &str, scopes: ClientScopes) -> NewClient {
    NewClient {
        id: id.into(),
        public: false,
        grants: vec![Grant::Password],
        scopes,
        audience: None,
        serves: Vec::new(),
        forwards_address: false,
        own_scopes: false,
    }
}

/// Which rules refuse this actor, one letter each: sessions, users, clients, scopes, keys and events; capital letters for
/// changes.
async fn refused(app: &App, actor: &Actor) -> String {
    let (admin, missing) = (&app.admin, Uuid::from_u128(9));
    let query = SessionQuery { limit: 1, ..SessionQuery::default() };
    let events = EventQuery::default();
    let rights = scope("");
    let outcomes = [
        ('s', is_forbidden(admin.sessions(actor, query.clone()).await)),
        ('s', is_forbidden(admin.count_sessions(actor, query).await)),
        ('s', is_forbidden(admin.session(actor, missing).await)),
        ('S', is_forbidden(admin.revoke_session(actor, missing).await)),
        ('S', is_forbidden(admin.revoke_user(actor, "nosuch").await)),
        ('S', is_forbidden(admin.revoke_client(actor, "nosuch").await)),
        ('u', is_forbidden(admin.user(actor, "nosuch").await)),
        ('u', is_forbidden(admin.users(actor, None, 1).await)),
        ('U', is_forbidden(admin.add_user(actor, new_user("alice", "")).await)),
        ('U', is_forbidden(admin.set_password(actor, "nosuch", password()).await)),
        ('U', is_forbidden(admin.set_user_enabled(actor, "nosuch", true).await)),
        ('U', is_forbidden(admin.set_user_rights(actor, "nosuch", &rights, &[]).await)),
        ('U', is_forbidden(admin.set_user_email(actor, "nosuch", None).await)),
        ('U', is_forbidden(admin.delete_user(actor, "nosuch").await)),
        ('U', is_forbidden(admin.unlock_user(actor, "nosuch").await)),
        ('U', is_forbidden(admin.erase_user(actor, "nosuch").await)),
        ('c', is_forbidden(admin.client(actor, "nosuch").await)),
        ('c', is_forbidden(admin.clients(actor, None, 1).await)),
        ('C', is_forbidden(admin.add_client(actor, new_client("", ClientScopes::Only(scope("")))).await)),
        ('C', is_forbidden(admin.change_client(actor, "nosuch", ClientChange::default()).await)),
        ('C', is_forbidden(admin.add_client_secret(actor, "nosuch", NewClientSecret::REPLACING).await)),
        ('C', is_forbidden(admin.set_client_enabled(actor, "nosuch", false).await)),
        ('C', is_forbidden(admin.delete_client(actor, "nosuch").await)),
        ('p', is_forbidden(admin.scopes(actor).await)),
        ('P', is_forbidden(admin.declare_scope(actor, "a b", "").await)),
        ('P', is_forbidden(admin.remove_scope(actor, "nosuch").await)),
        ('k', is_forbidden(admin.keys(actor).await)),
        ('e', is_forbidden(admin.event_search(actor, &events, Sight::All).await)),
        ('e', is_forbidden(admin.event_search(actor, &events, Sight::Own(Uuid::from_u128(1))).await)),
        ('e', is_forbidden(admin.verify_events(actor, None).await)),
    ];
    outcomes.into_iter().filter(|(_, refused)| *refused).map(|(letter, _)| letter).collect()
}

/// How often two changes are let loose on each other.
const RACES: u128 = 20;

ficha_store::on_both_databases! {
    /// Rights are checked, the password is hashed, and then it is changed. Whoever gets rights in between keeps their own
    /// password.
    async fn rights_given_during_a_change_are_not_overlooked(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let (admin, chief, helper) = (&app.admin, tester(), with("ficha:users"));
        let (mut changed, mut refused) = (0, 0);
        for race in 0..RACES {
            let name = format!("user{race}");
            app.add_user(&name, SCOPES).await;
            let all = scope("ficha:admin");
            let (by_helper, given) = tokio::join!(
                admin.set_password(&helper, &name, password()),
                admin.set_user_rights(&chief, &name, &all, &[]),
            );
            match by_helper {
                Ok(_) => changed += 1,
                Err(AdminError::Forbidden(_) | AdminError::Conflict(_)) => refused += 1,
                Err(error) => panic!("{error}"),
            }
            if let Err(AdminError::Conflict(_)) = given {
                admin.set_user_rights(&chief, &name, &all, &[]).await.expect("nobody else changes it");
            }
        }
        assert_eq!(changed + refused, RACES);
        let mut chiefs = Vec::new();
        for event in database.store().await.all_events().await {
            match &*event.event {
                "user.changed" => chiefs.push(event.user_id),
                "user.password_changed" => assert!(!chiefs.contains(&event.user_id), "changed after rights were given"),
                _ => {}
            }
        }
        assert_eq!(chiefs.len(), RACES as usize);
    }

    async fn every_rule_asks_the_table(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let all = "sssSSSuuUUUUUUUUccCCCCCpPPkeee";
        let without = |letters: &str| all.chars().filter(|letter| !letters.contains(*letter)).collect::<String>();
        assert_eq!(refused(&app, &tester()).await, "");
        assert_eq!(refused(&app, &with("")).await, all);
        assert_eq!(refused(&app, &with("notes:admin ficha:account")).await, all);
        assert_eq!(refused(&app, &with("ficha:admin")).await, "");
        assert_eq!(refused(&app, &with("ficha:admin:read")).await, without("sucpke"));
        assert_eq!(refused(&app, &with("ficha:sessions")).await, without("sS"));
        // It erases users by name, but not those of whom nobody knows what they held, and may end all sessions of a user.
        assert_eq!(refused(&app, &with("ficha:users")).await, "SSUccCCCCCpPPkeee");
        assert_eq!(refused(&app, &with("ficha:clients")).await, without("scCpP"));
        assert_eq!(refused(&app, &with("ficha:audit")).await, without("e"));
        // Those that can't be tried on something that is missing.
        for actor in [with("ficha:admin:read"), with("ficha:sessions ficha:users ficha:clients ficha:audit")] {
            assert!(is_forbidden(app.admin.rotate_key(&actor).await));
            assert!(is_forbidden(app.admin.purge_keys(&actor).await));
        }
        assert!(!is_forbidden(app.admin.user_names(&with("ficha:sessions"), &[]).await));
        assert!(is_forbidden(app.admin.user_names(&with("ficha:clients"), &[]).await));
        assert_eq!(app.admin.user(&tester(), "alice").await.expect("she is there").scopes, scope(&format!("{SCOPES} ficha:account")));
    }

    /// A password, a secret or a right of somebody who has more would be a way to get more.
    async fn nobody_reaches_a_scope_of_the_server_that_they_lack(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let (admin, users, clients) = (&app.admin, with("ficha:users"), with("ficha:clients"));
        app.add_user("chief", "ficha:admin notes:read").await;
        app.add_user("peer", "ficha:users ficha:account").await;
        assert!(is_forbidden(admin.set_password(&users, "chief", password()).await));
        assert!(is_forbidden(admin.unlock_user(&users, "chief").await));
        assert!(is_forbidden(admin.set_user_enabled(&users, "chief", false).await));
        assert!(is_forbidden(admin.set_user_email(&users, "chief", None).await));
        assert!(is_forbidden(admin.set_user_rights(&users, "chief", &scope(""), &[]).await));
        assert!(is_forbidden(admin.delete_user(&users, "chief").await));
        assert!(is_forbidden(admin.set_user_rights(&users, "alice", &scope("ficha:sessions"), &[]).await));
        assert!(is_forbidden(admin.add_user(&users, new_user("new", "ficha:admin:read")).await));
        admin.set_password(&users, "peer", password()).await.expect("they hold the same");
        admin.set_user_rights(&users, "alice", &scope("notes:read ficha:account"), &[]).await.expect("it is allowed");
        // Naming a new scope would declare it.
        assert!(is_forbidden(admin.add_user(&users, new_user("new", "undeclared")).await));
        admin.add_user(&users, new_user("new", "ficha:users notes:write")).await.expect("they hold it themselves");
        let all = with("ficha:admin");
        admin.set_password(&all, "chief", password()).await.expect("ficha:admin contains all");

        let automation = ClientScopes::Only(scope("ficha:users jobs:run"));
        admin.add_client(&tester(), new_client("automation", automation.clone())).await.expect("it is new");
        admin.add_client(&tester(), new_client("any", ClientScopes::Any)).await.expect("it is new");
        admin.add_client(&tester(), new_client("plain", ClientScopes::Only(scope("notes:read")))).await.expect("new");
        let forwards = || ClientChange { forwards_address: Some(true), ..ClientChange::default() };
        let flagged = NewClient { own_scopes: true, ..new_client("flagged", ClientScopes::Any) };
        assert!(is_forbidden(admin.add_client(&clients, flagged.clone()).await));
        admin.add_client(&tester(), flagged).await.expect("it is new");
        admin.add_client_secret(&clients, "any", NewClientSecret::REPLACING).await.expect("it obtains nothing of the server's own");
        let flag = |own_scopes| ClientChange { own_scopes: Some(own_scopes), ..ClientChange::default() };
        assert!(is_forbidden(admin.change_client(&clients, "any", flag(true)).await));
        assert!(is_forbidden(admin.change_client(&clients, "plain", flag(true)).await));
        assert!(is_forbidden(admin.change_client(&clients, "ficha-cli", flag(false)).await));
        for id in ["automation", "flagged", "ficha-cli", "ficha-console"] {
            assert!(is_forbidden(admin.add_client_secret(&clients, id, NewClientSecret::REPLACING).await), "{id}");
            assert!(is_forbidden(admin.change_client(&clients, id, forwards()).await), "{id}");
            assert!(is_forbidden(admin.set_client_enabled(&clients, id, false).await), "{id}");
            assert!(is_forbidden(admin.delete_client(&clients, id).await), "{id}");
        }
        let change = ClientChange { scopes: Some(automation.clone()), ..ClientChange::default() };
        assert!(is_forbidden(admin.change_client(&clients, "plain", change).await));
        assert!(is_forbidden(admin.add_client(&clients, new_client("new", automation.clone())).await));
        admin.change_client(&clients, "plain", forwards()).await.expect("it is allowed");
        let both = with("ficha:clients ficha:users");
        admin.add_client_secret(&both, "automation", NewClientSecret::REPLACING).await.expect("they hold what it may obtain");
        // Who did it is recorded.
        let by_helper = events(&database, "client.secret_added").await;
        assert!(by_helper.iter().any(|event| event.actor_name.as_deref() == Some("helper")));
    }
}
