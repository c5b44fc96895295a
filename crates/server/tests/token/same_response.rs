//! Failed logins get the same response, whatever the reason.

use ficha_authority::{NewPassword, NewUser, Password};
use ficha_store::testing::TestDatabase;

use crate::raw::{self, Answer, encode};
use ficha_testing::{App, PASSWORD, tester};

/// The hash of 72 times `y`; bcrypt itself would ignore anything after that.
const OF_72_Y: &str = "$2b$04$O81W.SeprmABbtoJ1s6j3utzW.uXX.WjSgu8yUwuHLENqviiqQVmC";

async fn login(app: &App, name: &str, password: &str) -> Answer {
    let form = encode(&[("grant_type", "password"), ("username", name), ("password", password)]);
    raw::post(app, "", &form).await.without_date()
}

async fn add_imported(app: &App, name: &str, hash: &str) {
    let new = NewUser {
        name: name.into(),
        email: None,
        password: NewPassword::Imported(hash.parse().expect("a hash")),
        scopes: "".parse().expect("a valid scope"),
        roles: Vec::new(),
        must_change: false,
    };
    app.admin.add_user(&tester(), new).await.expect("the user is added");
}

/// Replaces a stored hash by a text that Ficha would never store.
async fn damage(database: &TestDatabase, name: &str, hash: &str) {
    let sql = format!("UPDATE users SET password_hash = '{hash}' WHERE name = '{name}'");
    assert_eq!(database.store().await.run_sql(&sql).await, Ok(1));
}

ficha_store::on_both_databases! {
    async fn a20_every_failed_login_gets_the_same_bytes_after_the_same_work(database: TestDatabase) {
        let app = App::start(&database).await;
        let baseline = login(&app, "nobody", PASSWORD).await;
        assert_eq!((baseline.status, baseline.error().as_str()), (400, "invalid_grant"));
        for name in ["alice", "disabled", "deleted", "changed", "garbage", "empty", "truncated", "dear"] {
            app.add_user(name, "notes:read").await;
        }
        app.admin.set_user_enabled(&tester(), "disabled", false).await.expect("disabled");
        app.admin.delete_user(&tester(), "deleted").await.expect("deleted");
        let other = NewPassword::Plain(Password::new("another horse, another staple"));
        app.admin.set_password(&tester(), "changed", other).await.expect("changed");
        add_imported(&app, "imported", OF_72_Y).await;
        damage(&database, "garbage", "no hash at all").await;
        damage(&database, "empty", "").await;
        damage(&database, "truncated", "$2b$12$abc").await;
        damage(&database, "dear", "$2b$31$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a").await;
        let (over_long, longest, y_73) = ("x".repeat(257), "x".repeat(256), "y".repeat(73));
        let long_name = "n".repeat(300);
        for (name, password) in [
            ("alice", "wrong"),
            ("alice", "seven quiet otters juggl"),
            ("alice", "seven quiet otters juggle "),
            ("alice", "Seven quiet otters juggle"),
            ("ALICE", PASSWORD),
            (" alice", PASSWORD),
            ("alice\0", PASSWORD),
            ("alice", "seven quiet otters juggle\0"),
            ("alice", &over_long),
            ("alice", &longest),
            ("nobody", &over_long),
            (&long_name, PASSWORD),
            ("disabled", PASSWORD),
            ("disabled", "wrong"),
            ("deleted", PASSWORD),
            ("changed", PASSWORD),
            ("imported", &y_73),
            ("imported", &y_73[..71]),
            ("imported", "wrong"),
            ("garbage", PASSWORD),
            ("empty", PASSWORD),
            ("empty", "x"),
            ("truncated", PASSWORD),
            ("dear", "correct horse battery staple"),
        ] {
            let before = app.authority.hashing().stats().completed;
            let answer = login(&app, name, password).await;
            assert_eq!(answer, baseline, "{name} {password}");
            let hashes = app.authority.hashing().stats().completed - before;
            assert_eq!(hashes, 1, "{name}: one hash for one failure");
        }
        assert_eq!(login(&app, "alice", PASSWORD).await.status, 200);
        assert_eq!(login(&app, "imported", &y_73[..72]).await.status, 200);
    }

    async fn a20_a_throttled_login_gets_the_same_bytes_and_waits_as_long_as_a_hash_takes(database: TestDatabase) {
        // Expensive enough that the wait stands out from the rest of a request.
        let app = App::start_with(&database, |options| {
            options.settings.password.bcrypt_cost = ficha_authority::Cost::try_from(9).expect("9 is a valid cost");
        })
        .await;
        app.add_user("alice", "").await;
        let baseline = login(&app, "nobody", PASSWORD).await;
        for _ in 0..10 {
            assert_eq!(login(&app, "alice", "wrong").await, baseline);
        }
        for password in [PASSWORD, "wrong", &"x".repeat(257)] {
            let before = app.authority.hashing().stats();
            let began = tokio::time::Instant::now();
            assert_eq!(login(&app, "alice", password).await, baseline);
            let took = began.elapsed();
            let after = app.authority.hashing().stats();
            assert_eq!(after.completed, before.completed, "a throttled attempt computes no hash");
            // The estimate may have changed a little since.
            assert!(took >= before.typical * 9 / 10, "{took:?} is less than {:?}", before.typical);
        }
    }

    async fn a20_an_unknown_client_and_a_wrong_secret_get_the_same_bytes(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("shop", |_| ()).await;
        let off = app.add_client("off", |_| ()).await;
        app.admin.set_client_enabled(&tester(), "off", false).await.expect("disabled");
        let form = encode(&[("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)]);
        let post = async |id: &str, secret: &str| raw::post(&app, &raw::basic(id, secret), &form).await.without_date();
        let unknown = post("nobody", "x").await;
        assert_eq!((unknown.status, unknown.error().as_str()), (401, "invalid_client"));
        for (id, secret) in [
            ("shop", "wrong"),
            ("shop", ""),
            ("off", &off.secret),
            ("off", "wrong"),
            ("first-party", "x"),
            ("nobody", ""),
            ("", "x"),
        ] {
            assert_eq!(post(id, secret).await, unknown, "{id}");
        }
        assert_eq!(post("shop", &client.secret).await.status, 200);
    }
}
