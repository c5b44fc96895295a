//! Which tokens of a real server a service accepts at all.

use ficha_store::testing::TestDatabase;

use crate::place::Place;
use crate::serve::{ROUTES, Service};
use crate::support::*;
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
            service.rejects(&tokens.access).await;
        }
        service.rejects(&own.refresh).await;
        service.accepts(&own.access).await;
        others.accepts(&foreign.access).await;
        others.rejects(&own.access).await;
        // Nor does a revocation at one server affect the other's tokens.
        revoke(&app, &own.refresh).await;
        service.soon_rejects(&own.access).await;
        others.accepts(&foreign.access).await;
    }

    async fn a33_a_token_without_the_required_scope_gets_insufficient_scope(database: TestDatabase) {
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
        // Revocation is checked before scope.
        revoke(&app, &tokens.access).await;
        eventually("it is rejected", async || service.get(ROUTES[0], &tokens.access).await.status == 401).await;
        service.rejects(&tokens.access).await;
    }
}
