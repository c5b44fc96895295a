use ficha_store::testing::TestDatabase;
use ficha_store::{RevokeReason, SessionFilter, on_both_databases};
use ficha_token::DENY_MARGIN_SECONDS;

use crate::support::{NOW, alice_and_app, cause, client, more_sessions, revoke, sessions, user};

on_both_databases! {
    async fn sessions_are_listed_newest_first_in_pages(db: TestDatabase) {
        let store = db.store().await;
        let mut made = sessions(&store, 5).await;
        made.sort_by_key(|session| std::cmp::Reverse(session.id));
        let all = SessionFilter::default();
        let page = store.list_sessions(&all, None, 2).await.unwrap();
        assert_eq!(page, made[..2]);
        assert_eq!(store.list_sessions(&all, Some(page[1].id), 10).await.unwrap(), made[2..]);
    }

    async fn a_list_contains_what_the_filter_selects(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let (bob, other) = (user("bob"), client("other"));
        store.add_user(bob.clone(), 10, &cause()).await.unwrap();
        store.add_client(other.clone(), &cause()).await.unwrap();
        more_sessions(&store, &alice, &app, 2).await;
        let of_bob = more_sessions(&store, &bob, &app, 3).await;
        more_sessions(&store, &bob, &other, 1).await;
        let count = async |filter: SessionFilter| store.list_sessions(&filter, None, 100).await.unwrap().len();
        let all = SessionFilter::default();
        assert_eq!(count(SessionFilter { user: Some(bob.id), ..all.clone() }).await, 4);
        assert_eq!(count(SessionFilter { client: Some("app".into()), ..all.clone() }).await, 5);
        assert_eq!(count(SessionFilter { user: Some(bob.id), client: Some("app".into()), ..all.clone() }).await, 3);
        revoke(&store, of_bob[0].id, RevokeReason::Admin, NOW).await.unwrap();
        assert_eq!(count(SessionFilter { live_at: Some(NOW), ..all.clone() }).await, 5);
        assert_eq!(count(SessionFilter { live_at: Some(of_bob[0].idle_expires_at), ..all }).await, 0);
    }

    async fn pruning_walks_the_table_and_keeps_sessions_with_denied_tokens(db: TestDatabase) {
        let store = db.store().await;
        let mut made = sessions(&store, 7).await;
        made.sort_by_key(|session| session.id);
        // Idle for too long, but a token is still denied for longer.
        let over = made[0].idle_expires_at.max(made[0].access_exp + DENY_MARGIN_SECONDS);
        store.run_sql(&format!("UPDATE sessions SET access_exp = {over}, generation = 1 WHERE generation = 0")).await.unwrap();
        assert_eq!(store.prune_sessions(None, 100, over, 0).await.unwrap(), (None, 0));
        let later = over + DENY_MARGIN_SECONDS;
        let (next, deleted) = store.prune_sessions(None, 3, later, 0).await.unwrap();
        assert_eq!((next, deleted), (Some(made[2].id), 3));
        let (next, deleted) = store.prune_sessions(next, 3, later, 0).await.unwrap();
        assert_eq!((next, deleted), (Some(made[5].id), 3));
        assert_eq!(store.prune_sessions(next, 3, later, 0).await.unwrap(), (None, 1));
        assert_eq!(store.list_sessions(&SessionFilter::default(), None, 10).await.unwrap(), []);
    }

    async fn a_session_in_use_is_not_pruned(db: TestDatabase) {
        let store = db.store().await;
        let session = sessions(&store, 1).await.remove(0);
        assert_eq!(store.prune_sessions(None, 10, session.idle_expires_at - 1, 0).await.unwrap().1, 0);
        assert_eq!(store.prune_sessions(None, 10, session.idle_expires_at, 0).await.unwrap().1, 1);
    }

    async fn an_ended_session_is_kept_as_long_as_the_setting_says(db: TestDatabase) {
        let store = db.store().await;
        let made = sessions(&store, 2).await;
        let expired = made[0].idle_expires_at;
        revoke(&store, made[1].id, RevokeReason::Admin, NOW).await.unwrap();
        // Revoked long ago, it is still kept until it would have expired.
        let keep = 10 * (expired - NOW);
        let pruned = async |now| store.prune_sessions(None, 10, now, keep).await.unwrap().1;
        assert_eq!(pruned(NOW + keep - 1).await, 0);
        assert_eq!(pruned(NOW + keep).await, 1, "the revoked one");
        assert_eq!(pruned(expired + keep - 1).await, 0);
        assert_eq!(pruned(expired + keep).await, 1);
    }
}
