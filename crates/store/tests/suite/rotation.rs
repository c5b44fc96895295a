use std::collections::HashSet;

use ficha_store::testing::TestDatabase;
use ficha_store::{RevokeReason, RotationTerms, on_both_databases};
use futures_util::future::join_all;

use crate::support::{ACCESS_TTL, IDLE_TTL, NOW, cause, new_keys, revoke, rotation, sessions, terms};

on_both_databases! {
    async fn a_refresh_updates_the_session(db: TestDatabase) {
        let store = db.store().await;
        let session = sessions(&store, 1).await.remove(0);
        let rotated = store.rotate_sessions(&[rotation(&session)], terms(NOW + 100)).await.unwrap();
        let mut expected = session.clone();
        expected.generation = 1;
        expected.rotated_at = NOW + 100;
        expected.access_exp = NOW + 100 + ACCESS_TTL;
        expected.idle_expires_at = NOW + 100 + IDLE_TTL;
        assert_eq!(rotated, [expected.clone()]);
        assert_eq!(store.session(session.id).await.unwrap(), Some(expected));
    }

    async fn of_parallel_uses_of_one_refresh_token_exactly_one_wins(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        let session = sessions(&one, 1).await.remove(0);
        for generation in 0..5 {
            let mut presented = rotation(&session);
            presented.generation = generation;
            let presented = [presented];
            let attempts = (0..24).map(|n| if n % 2 == 0 { &one } else { &other });
            let attempts = attempts.map(|store| store.rotate_sessions(&presented, terms(NOW)));
            let won: usize = join_all(attempts).await.into_iter().map(|rows| rows.unwrap().len()).sum();
            assert_eq!(won, 1);
        }
        assert_eq!(one.session(session.id).await.unwrap().unwrap().generation, 5);
    }

    async fn batches_that_share_sessions_give_each_one_winner(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        let made = sessions(&one, 24).await;
        let forwards: Vec<_> = made.iter().map(rotation).collect();
        let backwards: Vec<_> = forwards.iter().rev().cloned().collect();
        let (mut won, mut lost) = (HashSet::new(), 0);
        for rows in join_all([
            one.rotate_sessions(&forwards, terms(NOW)),
            other.rotate_sessions(&backwards, terms(NOW)),
            one.rotate_sessions(&backwards, terms(NOW)),
        ])
        .await
        {
            let rows = rows.unwrap();
            lost += made.len() - rows.len();
            for row in rows {
                assert!(won.insert(row.id), "two winners of {}", row.id);
            }
        }
        assert_eq!((won.len(), lost), (made.len(), 2 * made.len()));
    }

    async fn the_row_reaches_as_far_as_the_longest_lived_token(db: TestDatabase) {
        let store = db.store().await;
        let session = sessions(&store, 1).await.remove(0);
        // The settings were changed: new tokens have a shorter lifetime, earlier ones stay valid.
        let shorter = RotationTerms { access_exp: session.access_exp - 300, ..terms(NOW) };
        let rotated = store.rotate_sessions(&[rotation(&session)], shorter).await.unwrap().remove(0);
        assert_eq!(rotated.access_exp, session.access_exp);
        let longer = RotationTerms { access_exp: session.access_exp + 1, ..terms(NOW) };
        let rotated = store.rotate_sessions(&[rotation(&rotated)], longer).await.unwrap().remove(0);
        assert_eq!(rotated.access_exp, session.access_exp + 1);
    }

    async fn nothing_reaches_past_the_sessions_end(db: TestDatabase) {
        let store = db.store().await;
        let session = sessions(&store, 1).await.remove(0);
        store.run_sql(&format!("UPDATE sessions SET expires_at = {}", NOW + 700)).await.unwrap();
        let far = RotationTerms { now: NOW, access_exp: NOW + 5_000, idle_ttl: 5_000 };
        let rotated = store.rotate_sessions(&[rotation(&session)], far).await.unwrap().remove(0);
        assert_eq!((rotated.access_exp, rotated.idle_expires_at), (NOW + 700, NOW + 700));
    }

    async fn a_session_that_may_not_be_refreshed_stays_unchanged(db: TestDatabase) {
        let store = db.store().await;
        let made = sessions(&store, 3).await;
        let mut wrong_client = rotation(&made[0]);
        wrong_client.client_id = "another".into();
        let mut wrong_generation = rotation(&made[1]);
        wrong_generation.generation = 1;
        revoke(&store, made[2].id, RevokeReason::Logout, NOW).await.unwrap();
        let batch = [wrong_client, wrong_generation, rotation(&made[2])];
        assert_eq!(store.rotate_sessions(&batch, terms(NOW)).await.unwrap(), []);
        // First the idle timeout, then the end: it is refused from the very second in which it expires.
        let first = [rotation(&made[0])];
        assert_eq!(store.rotate_sessions(&first, terms(made[0].idle_expires_at)).await.unwrap(), []);
        store.run_sql(&format!("UPDATE sessions SET idle_expires_at = {}", NOW + 200_000)).await.unwrap();
        assert_eq!(store.rotate_sessions(&first, terms(made[0].expires_at)).await.unwrap(), []);
        assert_eq!(store.rotate_sessions(&first, terms(made[0].expires_at - 1)).await.unwrap().len(), 1);
        assert_eq!(store.rotate_sessions(&[], terms(NOW)).await.unwrap(), []);
    }

    async fn a_session_of_an_earlier_epoch_is_not_refreshed(db: TestDatabase) {
        let store = db.store().await;
        let session = sessions(&store, 1).await.remove(0);
        store.purge(new_keys("s", "r", NOW), &cause()).await.unwrap();
        assert_eq!(store.rotate_sessions(&[rotation(&session)], terms(NOW)).await.unwrap(), []);
    }

    async fn a_batch_of_any_size_refreshes_all(db: TestDatabase) {
        let store = db.store().await;
        let mut made = sessions(&store, 33).await;
        for size in [1, 2, 3, 5, 33] {
            let batch: Vec<_> = made[..size].iter().map(rotation).collect();
            let rotated = store.rotate_sessions(&batch, terms(NOW)).await.unwrap();
            assert_eq!(rotated.len(), size);
            for row in rotated {
                let at = made.iter().position(|session| session.id == row.id).unwrap();
                made[at] = row;
            }
        }
    }
}
