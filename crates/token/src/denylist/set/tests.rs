use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use super::*;
use proptest::prelude::*;
use uuid::Uuid;

fn id(number: u64) -> DenyId {
    // Like UUIDv7: the same first bytes.
    let mut bytes = [0x01, 0x98, 0xAB, 0xCD, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

fn entry(number: u64, until: i64) -> DenyEntry {
    DenyEntry { id: id(number), until }
}

#[test]
fn an_id_is_denied_until_its_time_and_not_longer() {
    let set = DenySet::new();
    assert!(!set.contains(&id(1), 0));
    assert!(set.insert(entry(1, 100)));
    assert!(set.contains(&id(1), 99));
    assert!(!set.contains(&id(1), 100));
    assert!(!set.contains(&id(2), 99));
    assert!(set.contains_any(&[id(2), id(1)], 99));
    assert!(!set.contains_any(&[], 99));
}

#[test]
fn a_larger_until_extends_and_a_smaller_one_changes_nothing() {
    let set = DenySet::new();
    assert!(set.insert(entry(1, 100)));
    assert!(!set.insert(entry(1, 200)));
    assert!(!set.insert(entry(1, 50)));
    assert!(set.contains(&id(1), 199));
    assert_eq!(set.len(), 1);
    assert_eq!(set.purge(199), 0);
    assert_eq!(set.purge(200), 1);
    assert!(set.is_empty());
}

#[test]
fn times_out_of_range_are_bounded() {
    let set = DenySet::new();
    assert!(!set.insert(entry(1, 0)));
    assert!(!set.insert(entry(2, -5)));
    assert!(set.insert(entry(3, i64::MAX)));
    assert!(set.contains(&id(3), 4_000_000_000));
    assert!(!set.contains(&id(1), -10));
    assert_eq!(set.purge(i64::MIN), 0);
}

#[test]
fn a_hundred_thousand_ids_are_all_found_and_expire_in_time() {
    let set = DenySet::new();
    let count = 100_000;
    for number in 0..count {
        assert!(set.insert(entry(number, 1_000 + (number % 10) as i64)));
    }
    assert_eq!(set.len(), count as usize);
    assert!((0..count).all(|number| set.contains(&id(number), 999)));
    assert!((count..2 * count).all(|number| !set.contains(&id(number), 999)));
    let empty = DenySet::new().memory_bytes();
    let full = set.memory_bytes() - empty;
    assert_eq!(set.purge(1_004), count as usize / 2);
    assert!((0..count).all(|number| set.contains(&id(number), 999) == (number % 10 > 4)));
    assert_eq!(set.purge(1_009), count as usize / 2);
    assert!(set.is_empty());
    assert!(set.memory_bytes() - empty < full / 10, "memory is freed");
}

#[test]
fn no_id_is_missed_while_others_are_added_and_purged() {
    let set = DenySet::new();
    let done = AtomicBool::new(false);
    for number in 0..1_000 {
        set.insert(entry(number, 5_000));
    }
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert!((0..1_000).all(|number| set.contains(&id(number), 1_000)));
            }
        });
        // It rebuilds the filter shard by shard, again and again, while the others read.
        let purger = scope.spawn(|| {
            let mut removed = 0;
            while !done.load(Ordering::Relaxed) {
                removed += set.purge(400);
            }
            removed
        });
        let writers = [1_u64, 2].map(|writer| {
            let set = &set;
            scope.spawn(move || {
                for number in writer * 100_000..writer * 100_000 + 20_000 {
                    assert!(set.insert(entry(number, 500)));
                    assert!(set.insert(entry(number + 1_000_000, 400)));
                    assert!(set.contains(&id(number), 499));
                    assert!(set.contains(&id(number - number % 10), 499));
                }
            })
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        assert_eq!(purger.join().unwrap() + set.purge(400), 40_000);
        assert_eq!(set.purge(500), 40_000);
    });
    assert_eq!(set.len(), 1_000);
}

#[test]
fn an_id_is_found_by_its_uuid() {
    let set = DenySet::new();
    let uuid: Uuid = "01981234-5678-7abc-8def-0123456789ab".parse().unwrap();
    set.insert(DenyEntry { id: uuid.into(), until: 10 });
    assert!(set.contains(&DenyId::from(uuid), 9));
}

proptest! {
    #[test]
    fn it_is_a_map_from_id_to_until(
        steps in proptest::collection::vec((0..300_u64, 1..100_i64, any::<bool>()), 0..2_000)
    ) {
        // One shard alone, so that its table grows, shrinks and is compacted.
        let mixer = Mixer::new(&SystemEntropy);
        let mut shard = Shard::new();
        let mut model = HashMap::<u64, u32>::new();
        for (number, until, purge) in steps {
            let until = until as u32;
            if purge && number < 10 {
                let before = model.len();
                model.retain(|_, known| *known > until);
                prop_assert_eq!(shard.purge(mixer, until), before - model.len());
            } else {
                let id = id(number);
                let added = shard.insert(mixer, mixer.hash(id.as_bytes()), id.as_bytes(), until);
                prop_assert_eq!(added, !model.contains_key(&number));
                let known = model.entry(number).or_default();
                *known = until.max(*known);
            }
        }
        for number in 0..300 {
            let id = id(number);
            let found = shard.until(mixer, mixer.hash(id.as_bytes()), id.as_bytes());
            prop_assert_eq!(found, model.get(&number).copied());
        }
        prop_assert!(model.values().all(|until| *until >= shard.due()));
    }
}
