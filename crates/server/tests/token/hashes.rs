//! Passwords: imported hashes, long passwords, and changed passwords.

use ficha_authority::{NewPassword, NewUser, Password};
use ficha_store::testing::TestDatabase;

use ficha_testing::{App, PASSWORD, Tokens, error, tester};

/// The password of every imported hash.
const ENGLISH: &str = "correct horse battery staple";

/// Hashes of [`ENGLISH`] by passlib 1.7.4, Django 5 and argon2-cffi.
const IMPORTED: [(&str, &str); 9] = [
    ("passlib v1", "$bcrypt-sha256$2b,4$CXN1cqBlvV9OXH2R33qzTO$vb.e3CS6Mvw0XMBEF0sQ3jRGfN99YYW"),
    ("passlib v1 2a", "$bcrypt-sha256$2a,4$kL1toocg8y678TF67YcXXe$Evn1UpA/0e.lfWytr93tDUmF2JJ0fF."),
    ("2b", PLAIN),
    ("2a", "$2a$05$ehITUWvc0c7M4h5WkY5GLO5/r.umGu5yaHaIzcRMFSSSfsPxZ64hS"),
    ("2y", "$2y$04$SRssJVVPUt.vTluC9LB0pOMEmKhflFIt64yOZWGHFc51iC57wNQKK"),
    ("Django bcrypt", "bcrypt$$2b$04$rTmPKtpIi4B.HREKDg2FbeXYekIfzZuGGw96dJmIAiSjCoTOzPLgG"),
    ("Django bcrypt_sha256", "bcrypt_sha256$$2b$04$xEOM/XJp8ptXtdTlcLGFv.s8NzaYKbdt42WaJcAPMf3DBp3IglGCW"),
    ("argon2id", "$argon2id$v=19$m=64,t=2,p=2$HsPYG4NQCsGYEyIkJEQopQ$NjJR8rQyKhmnNOJrVC9jBA2K4rEQHg9sbK//iCT7lII"),
    (
        "Django argon2",
        "argon2$argon2id$v=19$m=64,t=1,p=1$QVU4QTQ1MlBkdTBxYU9IOEZ0Q0d5aw$JPQHZvcgYwoKayQRBe2Bqq8mbpWim0yvPPC2Ffq+p4E",
    ),
];

/// A plain bcrypt hash of [`ENGLISH`].
const PLAIN: &str = "$2b$04$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a";

/// passlib's hash of [`ENGLISH`], in the format of new hashes at cost 4.
const CURRENT: &str = "$bcrypt-sha256$v=2,t=2b,r=4$xtGhyIlsUM.SQZcbp8Y3Ne$KdQ9D8pVolCTzqQ9bX3kZ/v1qqaNo.y";

/// The prefix of new hashes in these tests.
const NEW: &str = "$bcrypt-sha256$v=2,t=2b,r=4$";

async fn add(app: &App, name: &str, password: NewPassword) {
    let scopes = "".parse().expect("a valid scope");
    let new = NewUser { name: name.into(), email: None, password, scopes, roles: Vec::new(), must_change: false };
    app.admin.add_user(&tester(), new).await.unwrap_or_else(|error| panic!("{name}: {error}"));
}

async fn login(app: &App, name: &str, password: &str) -> reqwest::Response {
    app.post("/token", &[("grant_type", "password"), ("username", name), ("password", password)]).await
}

async fn stored(app: &App, name: &str) -> String {
    app.admin.user(&tester(), name).await.expect("the user exists").password_hash.0
}

/// Waits until the password is rehashed, which happens after the response.
async fn rehashed(app: &App, name: &str, old: &str) -> String {
    let waiting = async {
        loop {
            let hash = stored(app, name).await;
            if hash != old {
                return hash;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), waiting).await;
    waited.unwrap_or_else(|_| panic!("{name} was never rehashed"))
}

ficha_store::on_both_databases! {
    async fn imported_hashes_log_in_and_are_rehashed(database: TestDatabase) {
        let app = App::start(&database).await;
        let costlier = of_cost_5(&app, &database).await;
        for (name, hash) in IMPORTED.into_iter().chain([("the current format, costlier", costlier.as_str())]) {
            add(&app, name, NewPassword::Imported(hash.parse().expect("a hash"))).await;
            error(login(&app, name, "correct horse battery stapler").await, 400, "invalid_grant").await;
            assert_eq!(stored(&app, name).await, hash, "a wrong password stores nothing");
            let tokens = Tokens::of(login(&app, name, ENGLISH).await).await;
            let new = rehashed(&app, name, hash).await;
            assert!(new.starts_with(NEW), "{name}: {new}");
            // It is still the same password, and the session from the login continues.
            assert_eq!(app.me(&tokens.access).await, 200, "{name}");
            assert_eq!(app.refresh(&tokens.refresh).await.status(), 200, "{name}");
            Tokens::of(login(&app, name, ENGLISH).await).await;
            error(login(&app, name, "correct horse battery stapler").await, 400, "invalid_grant").await;
        }
    }

    async fn a_hash_in_the_current_format_stays_as_it_is(database: TestDatabase) {
        let app = App::start(&database).await;
        add(&app, "alice", NewPassword::Imported(CURRENT.parse().expect("a hash"))).await;
        add(&app, "bob", NewPassword::Imported(PLAIN.parse().expect("a hash"))).await;
        Tokens::of(login(&app, "alice", ENGLISH).await).await;
        Tokens::of(login(&app, "bob", ENGLISH).await).await;
        // Bob logged in later: by now alice's would have been rehashed too.
        rehashed(&app, "bob", PLAIN).await;
        assert_eq!(stored(&app, "alice").await, CURRENT);
    }

    async fn a_hash_of_the_bcrypt_crate_logs_in_up_to_72_bytes(database: TestDatabase) {
        let app = App::start(&database).await;
        let password = "ä".repeat(36);
        let hash = bcrypt::hash(&password, 4).expect("a hash");
        add(&app, "alice", NewPassword::Imported(hash.parse().expect("a hash"))).await;
        let longer = format!("{password}x");
        assert!(bcrypt::verify(&longer, &hash).expect("a hash"), "bcrypt itself ignores the rest");
        error(login(&app, "alice", &longer).await, 400, "invalid_grant").await;
        error(login(&app, "alice", &password[..70]).await, 400, "invalid_grant").await;
        Tokens::of(login(&app, "alice", &password).await).await;
        rehashed(&app, "alice", &hash).await;
        error(login(&app, "alice", &longer).await, 400, "invalid_grant").await;
        Tokens::of(login(&app, "alice", &password).await).await;
    }

    async fn every_byte_of_a_long_password_counts(database: TestDatabase) {
        let app = App::start(&database).await;
        for length in [200, 256] {
            let name = format!("user {length}");
            let words = "two badgers read the paper ".repeat(12);
            let password = &words[..length];
            add(&app, &name, NewPassword::Plain(Password::new(password))).await;
            Tokens::of(login(&app, &name, password).await).await;
            let last = format!("{}#", &password[..length - 1]);
            let middle = format!("{}#{}", &password[..100], &password[101..]);
            for wrong in [&last, &middle, &password[..length - 1], &password[..72], &words[..length + 1]] {
                error(login(&app, &name, wrong).await, 400, "invalid_grant").await;
            }
        }
    }

    async fn a_password_change_ends_the_old_password_and_its_sessions(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let old = app.login("alice").await;
        let new = "an otter never forgets a face";
        app.admin.set_password(&tester(), "alice", NewPassword::Plain(Password::new(new))).await.expect("changed");
        assert_eq!(app.me(&old.access).await, 401);
        error(app.refresh(&old.refresh).await, 400, "invalid_grant").await;
        error(login(&app, "alice", PASSWORD).await, 400, "invalid_grant").await;
        Tokens::of(login(&app, "alice", new).await).await;
    }

    async fn a_password_changed_while_the_old_one_is_rehashed_stays_changed(database: TestDatabase) {
        let app = App::start(&database).await;
        let new = "an otter never forgets a face";
        for round in 0..8 {
            let name = format!("user {round}");
            add(&app, &name, NewPassword::Imported(PLAIN.parse().expect("a hash"))).await;
            Tokens::of(login(&app, &name, ENGLISH).await).await;
            app.admin.set_password(&tester(), &name, NewPassword::Plain(Password::new(new))).await.expect("changed");
            error(login(&app, &name, ENGLISH).await, 400, "invalid_grant").await;
            Tokens::of(login(&app, &name, new).await).await;
        }
    }
}

/// A hash in the current format with a higher cost than new hashes have in these tests.
async fn of_cost_5(app: &App, database: &TestDatabase) -> String {
    let costlier = app
        .another_with(database, |options| {
            options.settings.password.bcrypt_cost = ficha_authority::Cost::try_from(5).expect("5 is a valid cost");
        })
        .await;
    add(&costlier, "made costlier", NewPassword::Imported(PLAIN.parse().expect("a hash"))).await;
    Tokens::of(login(&costlier, "made costlier", ENGLISH).await).await;
    rehashed(&costlier, "made costlier", PLAIN).await
}
