use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ficha_store::testing::TestDatabase;
use ficha_store::{DenyRow, Store, on_both_databases};
use ficha_token::{DenyEntry, DenyId};
use futures_util::future::join_all;

use crate::support::{NOW, id, revocation, revocation_of_token, sessions, token};

async fn deny(store: &Store, entries: &[DenyEntry]) -> Vec<bool> {
    let revocations: Vec<_> = entries.iter().copied().map(revocation_of_token).collect();
    store.revoke_batch(&revocations, NOW).await.unwrap().newly
}

/// Reads like a server: the rows after the last number that it has seen.
async fn follow(store: Store, done: Arc<AtomicBool>) -> Vec<DenyRow> {
    let mut seen: Vec<DenyRow> = Vec::new();
    loop {
        let last_look = done.load(Ordering::SeqCst);
        let after = seen.last().map_or(0, |row| row.number);
        let rows = store.deny_rows_after(after, 7).await.unwrap();
        if rows.is_empty() && last_look {
            return seen;
        }
        seen.extend(rows);
    }
}

on_both_databases! {
    async fn numbers_count_up_and_the_head_follows(db: TestDatabase) {
        let store = db.store().await;
        let entries = [token(), token(), token()];
        assert_eq!(deny(&store, &entries[..1]).await, [true]);
        assert_eq!(deny(&store, &entries[1..]).await, [true, true]);
        let rows = store.deny_rows_after(0, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(rows[0].entry, entries[0]);
        let head = store.head().await.unwrap();
        assert_eq!((head.number, head.tag), (3, rows[2].tag));
        assert_eq!(store.deny_rows_after(1, 1).await.unwrap(), rows[1..2]);
        assert_eq!(store.deny_rows_after(3, 10).await.unwrap(), []);
    }

    async fn an_id_already_denied_gets_no_new_number(db: TestDatabase) {
        let store = db.store().await;
        let entry = token();
        assert_eq!(deny(&store, &[entry, entry]).await, [true, false]);
        assert_eq!(deny(&store, &[entry]).await, [false]);
        let head = store.head().await.unwrap();
        assert_eq!(head.number, 1);
        assert_eq!(deny(&store, &[entry, token()]).await, [false, true]);
        assert_eq!(store.head().await.unwrap().number, 2);
    }

    async fn an_id_denied_for_longer_gets_a_new_number(db: TestDatabase) {
        let store = db.store().await;
        let entry = token();
        deny(&store, &[entry]).await;
        let longer = DenyEntry::new(entry.id, entry.until + 100);
        assert_eq!(deny(&store, &[longer]).await, [true]);
        let rows = store.deny_rows_after(0, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| (row.number, row.entry)).collect::<Vec<_>>(), [(2, longer)]);
    }

    async fn a_follower_misses_nothing_while_many_revoke(db: TestDatabase) {
        let stores = [db.store().await, db.store().await];
        let made = sessions(&stores[0], 40).await;
        let done = Arc::new(AtomicBool::new(false));
        let follower = tokio::spawn(follow(db.store().await, Arc::clone(&done)));
        let writers = made.chunks(2).enumerate().map(|(n, pair)| {
            let store = stores[n % 2].clone();
            let [first, second] = pair else { unreachable!() };
            // Two sessions and a token of its own, and a token that all writers revoke.
            let shared = DenyEntry::new(DenyId::from([9; 16]), NOW + 500);
            let work = vec![
                revocation(second.id, ficha_store::RevokeReason::Logout),
                revocation_of_token(token()),
                revocation_of_token(shared),
                revocation(first.id, ficha_store::RevokeReason::Admin),
            ];
            tokio::spawn(async move { store.revoke_batch(&work, NOW).await.unwrap() })
        });
        let applied = join_all(writers).await;
        done.store(true, Ordering::SeqCst);
        let seen = follower.await.unwrap();
        let shared = applied.iter().filter(|one| one.as_ref().unwrap().newly[2]).count();
        assert_eq!(shared, 1, "exactly one was first");
        let numbers: Vec<_> = seen.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=61).collect::<Vec<_>>(), "every number is used, and the follower saw each");
        assert_eq!(seen, stores[0].deny_rows_after(0, 100).await.unwrap());
        let head = stores[1].head().await.unwrap();
        assert_eq!((head.number, head.tag), (61, seen[60].tag));
    }

    async fn live_rows_are_those_in_force(db: TestDatabase) {
        let store = db.store().await;
        let early = DenyEntry::new(token().id, NOW + 10);
        let late = DenyEntry::new(token().id, NOW + 20);
        deny(&store, &[early]).await;
        deny(&store, &[late]).await;
        assert_eq!(store.live_deny_rows(NOW, 0, 10).await.unwrap().len(), 2);
        // `until` is exclusive.
        let rows = store.live_deny_rows(NOW + 10, 0, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.entry).collect::<Vec<_>>(), [late]);
        assert_eq!(store.live_deny_rows(NOW, 1, 10).await.unwrap().len(), 1);
        assert_eq!(store.live_deny_rows(NOW, 2, 10).await.unwrap(), []);
    }

    async fn pruning_begins_with_the_oldest_and_keeps_the_last_thousand_numbers(db: TestDatabase) {
        let store = db.store().await;
        let entries: Vec<_> = (0..1_005).map(|_| token()).collect();
        deny(&store, &entries).await;
        let rows = store.deny_rows_after(0, 2_000).await.unwrap();
        assert_eq!(store.prune_denylist(NOW, 2_000).await.unwrap(), 0);
        assert_eq!(store.prune_denylist(NOW + 1_000, 2).await.unwrap(), 2);
        assert_eq!(store.deny_rows_after(0, 2_000).await.unwrap(), rows[2..]);
        // The cursor of an idle server may still be at any of these, with the rest to read.
        assert_eq!(store.prune_denylist(NOW + 1_000, 2_000).await.unwrap(), 3);
        assert_eq!(store.deny_rows_after(0, 2_000).await.unwrap(), rows[5..]);
        let head = store.head().await.unwrap();
        assert_eq!((head.number, head.tag), (1_005, rows[1_004].tag));
        assert!(store.deny_row_exists(6, rows[5].tag).await.unwrap());
        assert!(!store.deny_row_exists(5, rows[4].tag).await.unwrap());
        deny(&store, &[token()]).await;
        assert_eq!(store.prune_denylist(NOW + 1_000, 2_000).await.unwrap(), 1);
        // The cursor of a reader that had read up to the head is still valid.
        assert!(store.deny_row_exists(1_005, rows[1_004].tag).await.unwrap());
        assert_eq!(store.deny_rows_after(1_005, 10).await.unwrap()[0].number, 1_006);
    }

    async fn a_row_of_another_history_with_the_same_number_is_unknown(db: TestDatabase) {
        let store = db.store().await;
        assert!(store.deny_row_exists(0, 0).await.unwrap());
        assert!(!store.deny_row_exists(1, 0).await.unwrap());
        deny(&store, &[token()]).await;
        let row = store.deny_rows_after(0, 1).await.unwrap()[0];
        assert!(store.deny_row_exists(1, row.tag).await.unwrap());
        assert!(!store.deny_row_exists(1, row.tag ^ 1).await.unwrap());
        assert!(!store.deny_row_exists(2, row.tag).await.unwrap());
        assert_ne!(row.tag, 0);
    }

    async fn rows_in_force_are_returned_after_a_known_row_and_none_after_an_unknown_one(db: TestDatabase) {
        let store = db.store().await;
        for until in [NOW + 10, NOW + 10, NOW + 20, NOW + 10, NOW + 20] {
            deny(&store, &[DenyEntry::new(token().id, until)]).await;
        }
        let rows = store.deny_rows_after(0, 10).await.unwrap();
        let numbers = async |now, after, limit| {
            let rows = store.live_deny_rows_after(now, after, limit).await.unwrap();
            rows.map(|rows| rows.iter().map(|row| row.number).collect::<Vec<_>>())
        };
        let at = |number: usize| (rows[number - 1].number, rows[number - 1].tag);
        assert_eq!(numbers(NOW, at(2), 10).await, Some(vec![3, 4, 5]));
        assert_eq!(numbers(NOW, at(2), 2).await, Some(vec![3, 4]));
        // The row itself may have expired: it is known until it is deleted.
        assert_eq!(numbers(NOW + 10, at(2), 10).await, Some(vec![3, 5]));
        assert_eq!(numbers(NOW + 10, at(5), 10).await, Some(vec![]));
        assert_eq!(numbers(NOW, (0, 0), 2).await, Some(vec![1, 2]));
        for unknown in [(2, at(2).1 ^ 1), (6, at(5).1), (0, 1)] {
            assert_eq!(numbers(NOW, unknown, 10).await, None, "{unknown:?}");
        }
        db.raw().await.execute("DELETE FROM denylist WHERE number = 1").await;
        assert_eq!(numbers(NOW, at(1), 10).await, None);
    }

    async fn many_entries_are_written_in_one_transaction(db: TestDatabase) {
        let store = db.store().await;
        let entries: Vec<_> = (0..2_201).map(|_| DenyEntry::new(DenyId::from(id()), NOW + 9)).collect();
        assert!(deny(&store, &entries).await.iter().all(|newly| *newly));
        assert_eq!(store.head().await.unwrap().number, 2_201);
        assert_eq!(store.prune_denylist(NOW + 9, 5_000).await.unwrap(), 1_201);
    }
}
