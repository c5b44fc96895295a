//! On PostgreSQL only: a refresh writes no index.

use std::time::Duration;

use ficha_store::testing::TestDatabase;

use crate::support::{NOW, rotation, sessions, terms};

/// With an index on a column that a refresh writes, or with full pages, each refresh would cost an entry in every
/// index.
#[tokio::test]
async fn a_refresh_is_a_heap_only_update() {
    const SESSIONS: i64 = 16;
    const REFRESHES: i64 = 25;
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.store().await;
    let mut batch: Vec<_> = sessions(&store, SESSIONS as usize).await.iter().map(rotation).collect();
    for generation in 0..REFRESHES {
        batch.iter_mut().for_each(|rotation| rotation.generation = generation);
        // A few of each page at once, as when sessions of different age are refreshed.
        for few in batch.chunks(4) {
            assert_eq!(store.rotate_sessions(few, terms(NOW + generation)).await.unwrap().len(), 4);
        }
    }
    // A connection's counts appear in the table once it has ended.
    store.close().await;
    let raw = database.raw().await;
    let count = async |column: &str| {
        raw.number(&format!("SELECT {column} FROM pg_stat_user_tables WHERE relname = 'sessions'")).await
    };
    for _ in 0..200 {
        if count("n_tup_upd").await >= SESSIONS * REFRESHES {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (all, heap_only) = (count("n_tup_upd").await, count("n_tup_hot_upd").await);
    assert_eq!(all, SESSIONS * REFRESHES);
    // Nearly all are; on a busy machine a page may fill before it is cleaned up. With an index on a written column,
    // none would be.
    assert!(heap_only * 2 >= all, "only {heap_only} of {all} refreshes were heap-only");
}
