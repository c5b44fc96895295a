//! What happened, by the minute and by the hour.

use ficha_store::testing::TestDatabase;
use ficha_store::{Activity, on_both_databases};

fn logins(logins: i64) -> Activity {
    Activity { logins, refreshes: 2 * logins, ..Activity::default() }
}

on_both_databases! {
    async fn old_minutes_become_hours_and_nothing_is_lost(db: TestDatabase) {
        let store = db.store().await;
        for minute in [0, 1, 59, 60, 61, 119, 120, 130, 200] {
            store.add_activity(minute, logins(1)).await.unwrap();
        }
        // Only whole hours: the third goes on until 180.
        assert_eq!(store.thin_activity(179).await.unwrap(), 4);
        let hours = vec![(0, logins(3)), (60, logins(3)), (120, logins(1)), (130, logins(1)), (200, logins(1))];
        assert_eq!(store.activity_since(0).await.unwrap(), hours);
        assert_eq!(store.thin_activity(179).await.unwrap(), 0);
        // One that comes late is added to its hour.
        store.add_activity(7, logins(5)).await.unwrap();
        assert_eq!(store.thin_activity(179).await.unwrap(), 1);
        assert_eq!(store.activity_since(0).await.unwrap()[0], (0, logins(8)));
    }

    async fn two_servers_that_thin_out_at_once_count_each_minute_once(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        for round in 0..10 {
            let first = round * 6_000;
            for minute in 0..90 {
                one.add_activity(first + minute, logins(1)).await.unwrap();
            }
            let until = first + 120;
            let (a, b) = tokio::join!(one.thin_activity(until), other.thin_activity(until));
            assert_eq!(a.unwrap() + b.unwrap(), 88);
            let rows = one.activity_since(first).await.unwrap();
            assert_eq!(rows, [(first, logins(60)), (first + 60, logins(30))]);
        }
    }
}
