//! Which of a real server's tokens a service takes at all.

use ficha_store::testing::TestDatabase;

use crate::place::Place;
use crate::serve::{ROUTES, Service};
use crate::world::*;
use ficha_testing::{PASSWORD, Tokens};

ficha_store::on_both_databases! {
    async fn a67_a_token_of_another_server_or_for_another_service_is_refused(database: TestDatabase) {
        let (place, elsewhere) = (Place::free(), Place::free());
        let app = server_at(&database, place).await;
        let other_database = TestDatabase::sqlite().await;
        let other = server_at(&other_database, elsewhere).await;
        let (service, others) =
            (Service::discover(&place.issuer(), &app).await, Service::discover(&elsewhere.issuer(), &other).await);
        let mail = app.add_client("mail-app", |new| new.audience = Some("mail".to_owned())).await;
        let (own, foreign, for_mail) =
            (app.login("alice").await, other.login("alice").await, app.login_as(&mail, "alice").await);
        assert_eq!(for_mail.claims()["aud"], "mail");
        for tokens in [&foreign, &for_mail] {
            service.refuses(&tokens.access).await;
        }
        service.refuses(&own.refresh).await;
        service.takes(&own.access).await;
        others.takes(&foreign.access).await;
        others.refuses(&own.access).await;
        // Nor does one server's revocation reach the other's tokens.
        revoke(&app, &own.refresh).await;
        service.comes_to_refuse(&own.access).await;
        others.takes(&foreign.access).await;
    }

    async fn a33_a_token_that_was_granted_too_little_says_so(database: TestDatabase) {
        let place = Place::free();
        let app = server_at(&database, place).await;
        let service = Service::discover(&place.issuer(), &app).await;
        let form =
            [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("scope", "notes:write")];
        let tokens = Tokens::of(app.post("/token", &form).await).await;
        for path in [ROUTES[0], ROUTES[2]] {
            let answer = service.get(path, &tokens.access).await;
            assert_eq!(answer.status, 403, "{path}");
            let challenge = answer.challenge.expect("a challenge");
            assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
            assert!(challenge.contains(r#"scope="notes:read""#), "{challenge}");
        }
        assert_eq!(service.get(ROUTES[1], &tokens.access).await.status, 200);
        // Revoked comes before too little.
        revoke(&app, &tokens.access).await;
        eventually("it is refused", async || service.get(ROUTES[0], &tokens.access).await.status == 401).await;
        service.refuses(&tokens.access).await;
    }
}
