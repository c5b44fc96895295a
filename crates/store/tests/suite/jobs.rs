use ficha_store::testing::TestDatabase;
use ficha_store::{
    Cause, JobKind, JobRecord, JobState, JobStep, JobWork, NewEvent, NewJob, RevokeReason, Store, StoreError,
    on_both_databases,
};
use uuid::Uuid;

use crate::support::*;

async fn accepted(store: &Store, kind: JobKind, cause: Cause) -> NewJob {
    let new = NewJob { id: id(), kind, cause, why: None, total: 2, failed: 0, now: NOW };
    let work = store.begin_job(&new).await.unwrap();
    store.add_job_part(work, 0, b"first").await.unwrap();
    store.add_job_part(work, 1, b"second").await.unwrap();
    store.accept_job(work, &new.cause, Vec::new()).await.unwrap();
    new
}

async fn seen(store: &Store, job: Uuid) -> JobRecord {
    store.job(job).await.unwrap().unwrap()
}

async fn taken(store: &Store, job: Uuid) -> JobWork {
    store.take_job(&seen(store, job).await).await.unwrap().unwrap()
}

on_both_databases! {
    async fn a_job_has_one_worker_and_no_part_is_done_twice(db: TestDatabase) {
        let store = db.store().await;
        let job = accepted(&store, JobKind::ImportUsers, cause()).await.id;
        let queued = seen(&store, job).await;
        assert_eq!((queued.state, queued.next_part), (JobState::Queued, 0));
        // Of two that have seen the same, one gets it.
        let first = store.take_job(&queued).await.unwrap().unwrap();
        assert_eq!(store.take_job(&queued).await.unwrap(), None);
        let (ana, bea) = ((user("ana"), 4), (user("bea"), 4));
        let part = [ana.clone(), bea.clone()];
        assert_eq!(store.import_users(first, 0, &part, &cause()).await.unwrap(), JobStep::Done(2));
        // That part was done: the answer to it may have been lost.
        assert_eq!(store.import_users(first, 0, &part, &cause()).await.unwrap(), JobStep::NotOurs);
        assert_eq!(store.job_part(job, 0).await.unwrap(), None);
        // Somebody takes it over; the first worker was only slow.
        let second = taken(&store, job).await;
        assert_eq!(store.import_users(first, 1, &[(user("cleo"), 4)], &cause()).await.unwrap(), JobStep::NotOurs);
        assert!(!store.finish_job(first, JobState::Failed, Some("late"), NOW).await.unwrap());
        let repeated = [(user("ana"), 4), (user("dan"), 4)];
        assert_eq!(store.import_users(second, 1, &repeated, &cause()).await.unwrap(), JobStep::Done(1));
        assert!(store.finish_job(second, JobState::Done, None, NOW + 5).await.unwrap());
        let done = seen(&store, job).await;
        assert_eq!((done.state, done.done, done.unchanged, done.finished_at), (JobState::Done, 4, 1, Some(NOW + 5)));
        assert_eq!(store.user_by_name("ana").await.unwrap().unwrap().id, ana.0.id);
        assert_eq!(store.user_by_name("cleo").await.unwrap(), None);
    }

    async fn what_is_stopped_goes_on_no_further(db: TestDatabase) {
        let store = db.store().await;
        let job = accepted(&store, JobKind::ImportUsers, cause()).await.id;
        let work = taken(&store, job).await;
        let stopped = store.stop_job(job, &cause(), NOW + 1).await.unwrap().unwrap();
        assert_eq!((stopped.state, stopped.finished_at), (JobState::Stopped, Some(NOW + 1)));
        assert!(stopped.error.as_ref().is_some_and(|why| why.contains("stopped by")));
        assert_eq!(crate::events::of_kind(&store, ficha_store::EventKind::JobStopped).await.len(), 1);
        assert_eq!(store.import_users(work, 0, &[(user("ana"), 4)], &cause()).await.unwrap(), JobStep::NotOurs);
        assert_eq!(store.job_part(job, 1).await.unwrap(), None, "what it worked on is not kept");
        assert_eq!(store.stop_job(job, &cause(), NOW + 9).await.unwrap().unwrap().finished_at, Some(NOW + 1));
        assert_eq!(store.take_job(&stopped).await.unwrap(), None);
        assert_eq!(store.stop_job(id(), &cause(), NOW).await.unwrap(), None);
        assert_eq!(store.prune_jobs(NOW + 1, NOW).await.unwrap(), 0);
        assert_eq!(store.prune_jobs(NOW + 2, NOW).await.unwrap(), 1);
    }

    async fn a_job_that_was_never_accepted_begins_anew_or_is_forgotten(db: TestDatabase) {
        let store = db.store().await;
        let new = NewJob { id: id(), kind: JobKind::ImportUsers, cause: cause(), why: None, total: 0, failed: 1, now: NOW };
        let first = store.begin_job(&new).await.unwrap();
        store.add_job_part(first, 0, b"part").await.unwrap();
        store.add_job_lines(first, &[(3, "bad".into())]).await.unwrap();
        assert_eq!(store.take_job(&seen(&store, new.id).await).await.unwrap(), None);
        // Whoever wrote it has died, or is slow: then it writes nothing more.
        let second = store.begin_job(&new).await.unwrap();
        assert_eq!((store.job_part(new.id, 0).await.unwrap(), store.job_lines(new.id, 9).await.unwrap()), (None, Vec::new()));
        let late = [
            store.add_job_part(first, 1, b"late").await, store.add_job_lines(first, &[(4, "late".into())]).await,
            store.accept_job(first, &cause(), Vec::new()).await, store.abandon_job(first).await,
        ];
        assert!(late.iter().all(|late| matches!(late, Err(StoreError::Conflict(_)))), "{late:?}");
        store.add_job_part(second, 0, b"part").await.unwrap();
        assert_eq!(store.prune_jobs(NOW, NOW).await.unwrap(), 0);
        assert_eq!(store.prune_jobs(NOW, NOW + 1).await.unwrap(), 1);
        assert_eq!((store.job(new.id).await.unwrap(), store.job_part(new.id, 0).await.unwrap()), (None, None));
        assert!(matches!(store.accept_job(second, &cause(), Vec::new()).await, Err(StoreError::Conflict(_))));
        // What could not be written down leaves nothing.
        let third = store.begin_job(&new).await.unwrap();
        store.add_job_part(third, 0, b"part").await.unwrap();
        store.abandon_job(third).await.unwrap();
        assert_eq!((store.job(new.id).await.unwrap(), store.job_part(new.id, 0).await.unwrap()), (None, None));
        let other = accepted(&store, JobKind::ImportUsers, cause()).await;
        assert!(matches!(store.begin_job(&other).await, Err(StoreError::Conflict(_))), "it was accepted");
        // Stopped while it is written: nothing is added any more.
        let fourth = store.begin_job(&new).await.unwrap();
        store.stop_job(new.id, &cause(), NOW).await.unwrap();
        assert!(store.add_job_part(fourth, 0, b"part").await.is_err());
    }

    async fn what_a_newer_release_has_written_stops_nothing(db: TestDatabase) {
        let store = db.store().await;
        let job = accepted(&store, JobKind::ImportUsers, cause()).await.id;
        let other = accepted(&store, JobKind::RevokeSessions, cause()).await.id;
        store.run_sql("UPDATE jobs SET kind = 'something_new' WHERE kind = 'revoke_sessions'").await.unwrap();
        let ids: Vec<_> = store.unfinished_jobs().await.unwrap().into_iter().map(|job| job.id).collect();
        assert!(ids == [job] && !ids.contains(&other));
        store.run_sql("UPDATE jobs SET state = 'paused' WHERE kind = 'import_users'").await.unwrap();
        assert_eq!(store.jobs(&JobKind::ALL, None, 9).await.unwrap(), []);
    }

    async fn a_part_of_sessions_ends_with_the_place_of_its_job(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let made = more_sessions(&store, &alice, &app, 3).await;
        let job = accepted(&store, JobKind::RevokeSessions, cause()).await.id;
        let work = taken(&store, job).await;
        revoke(&store, made[0].id, RevokeReason::Logout, NOW).await.unwrap();
        let ids: Vec<_> = made.iter().map(|session| session.id).collect();
        let event = NewEvent::new(ficha_store::EventKind::SessionsRevoked, &cause());
        let step = store.revoke_part(work, 0, &ids, &event, NOW).await.unwrap();
        let JobStep::Done(revoked) = step else { panic!("{step:?}") };
        // Those that had ended are denied as well: another server may have ended them a moment ago.
        assert_eq!((revoked.sessions, revoked.entries.len()), (2, 3));
        assert_eq!((seen(&store, job).await.done, seen(&store, job).await.unchanged), (3, 1));
        assert_eq!(store.revoke_part(work, 0, &ids, &event, NOW).await.unwrap(), JobStep::NotOurs);
    }
}
