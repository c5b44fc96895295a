//! The file store.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ficha_client::{Error, FileStore, StoreError, TokenSource, TokenStore};

use crate::world::World;
use ficha_testing::PASSWORD;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn only_the_owner_can_read_the_file_and_the_next_process_is_logged_in() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ficha/deep/token.json");
    let source = world.login_alice(world.builder().store(FileStore::new(&path))).await;
    for _ in 0..5 {
        world.until_due().await;
        source.access_token().await.unwrap();
    }
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    // The only other file is the lock file, with the same permissions.
    let mut names: Vec<_> =
        std::fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap().path()).collect();
    names.sort();
    assert_eq!(names, [path.clone(), path.with_extension("json.lock")]);
    assert_eq!(mode(&names[1]), 0o600);
    let next = world.builder().store(FileStore::new(&path)).build().unwrap();
    assert_eq!(next.access_token().await.unwrap().secret(), source.access_token().await.unwrap().secret());
    next.logout().await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_that_others_can_read_is_refused() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token.json");
    let store = FileStore::new(&path);
    let source = world.login_alice(world.builder().store(store.clone())).await;
    for open in [0o640, 0o604, 0o620, 0o644, 0o666] {
        set_mode(&path, open);
        let error = store.load().await.unwrap_err();
        assert!(matches!(&error, StoreError::TooOpen { mode, .. } if *mode == open), "{error:?}");
        let message = error.to_string();
        assert!(message.contains(&format!("chmod 600 {}", path.display())), "{message}");
    }
    world.until_due().await;
    assert!(matches!(source.access_token().await, Err(Error::Store(StoreError::TooOpen { .. }))));
    set_mode(&path, 0o600);
    source.access_token().await.unwrap();
}

#[tokio::test]
async fn the_content_of_an_invalid_file_is_not_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token.json");
    for text in ["", "my-secret", "{\"access_token\":\"my-secret\"}", "[]"] {
        std::fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        let error = FileStore::new(&path).load().await.unwrap_err();
        assert!(matches!(error, StoreError::InvalidFile { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("my-secret"));
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_created_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let path = directory.path().join("file/token.json");
    let error = FileStore::new(&path).lock(std::time::Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_sources_with_one_file_refresh_once_between_them() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    let store = || FileStore::new(directory.path().join("token.json"));
    let first = world.login_alice(world.builder().store(store())).await;
    let second = world.builder().store(store()).build().unwrap();
    for round in 1..=20 {
        world.until_due().await;
        let (one, other) = tokio::join!(first.access_token(), second.access_token());
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.secret(), other.secret());
        assert!(world.accepts(&one).await);
        assert_eq!(world.refreshes().await, [round, 0, 0]);
    }
    // Long after the grace period, the second source also takes the stored token.
    world.until_due().await;
    let one = first.access_token().await.unwrap();
    world.app.advance(std::time::Duration::from_secs(60)).await;
    assert_eq!(second.access_token().await.unwrap().secret(), one.secret());
    assert_eq!(world.refreshes().await, [21, 0, 0]);
}

#[tokio::test]
async fn a_refresh_waits_while_another_process_holds_the_lock() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token.json");
    let source = world.login_alice(world.builder().store(FileStore::new(&path))).await;
    world.until_due().await;
    // A second open file, as in another process.
    let lock = std::fs::File::open(path.with_extension("json.lock")).unwrap();
    lock.try_lock().unwrap();
    let waiting = tokio::spawn(async move { source.access_token().await });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.refreshes().await, [0, 0, 0]);
    assert!(!waiting.is_finished());
    lock.unlock().unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(world.refreshes().await, [1, 0, 0]);
}

#[tokio::test]
async fn a_lock_that_is_not_released_in_time_is_a_transient_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token.json");
    let memory = ficha_client::MemoryStore::new();
    let stores: [(&dyn TokenStore, &str); 2] = [(&FileStore::new(&path), "token.json.lock"), (&memory, "memory")];
    for (store, name) in stores {
        let moment = std::time::Duration::from_millis(50);
        let held = store.lock(moment).await.unwrap();
        let error = Error::from(store.lock(moment).await.unwrap_err());
        assert!(matches!(error, Error::Store(StoreError::Locked { .. })) && error.is_transient(), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
        drop(held);
        drop(store.lock(moment).await.unwrap());
    }
}

#[tokio::test]
async fn tokens_of_another_issuer_or_client_are_not_sent() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::new(directory.path().join("token.json"));
    let source = world.login_alice(world.builder().store(store.clone())).await;
    let elsewhere = crate::network::StubServer::responding("200 OK\r\n").await;
    for (issuer, client) in [(elsewhere.url(""), "first-party"), (world.issuer.clone(), "another")] {
        let other = TokenSource::builder(&issuer, client).clock(world.clock()).store(store.clone()).build().unwrap();
        let error = other.access_token().await.unwrap_err();
        assert!(matches!(error, Error::StoredForAnother { .. }) && error.needs_login(), "{error:?}");
        assert!(matches!(other.logout().await, Err(Error::StoredForAnother { .. })));
    }
    assert!(elsewhere.requests().is_empty());
    assert!(world.accepts(&source.access_token().await.unwrap()).await);
    // A login replaces them.
    world.app.add_client("another", |new| new.public = true).await;
    let other = TokenSource::builder(&world.issuer, "another").clock(world.clock()).store(store).build().unwrap();
    other.login("alice", PASSWORD).await.unwrap();
    assert!(world.accepts(&other.access_token().await.unwrap()).await);
}

#[tokio::test]
async fn a_symbolic_link_to_the_file_is_kept() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (link, path) = (directory.path().join("token.json"), directory.path().join("elsewhere/real.json"));
    std::os::unix::fs::symlink("elsewhere/real.json", &link).unwrap();
    let source = world.login_alice(world.builder().store(FileStore::new(&link))).await;
    world.until_due().await;
    let token = source.access_token().await.unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(mode(&path), 0o600);
    let stored = FileStore::new(&path).load().await.unwrap().unwrap();
    assert_eq!(stored.access_token().secret(), token.secret());
    // Both paths use the same lock.
    assert!(path.with_extension("json.lock").exists());
    source.logout().await.unwrap();
    assert!(!path.exists());
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[tokio::test]
async fn temporary_files_of_a_killed_process_are_removed() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token.json");
    let left = directory.path().join("token.json.4711-0.new");
    let others = ["token.json.bak", "token.json.my-own.new", "other.json.4711-0.new", "token.json.4711.new"];
    let others = others.map(|name| directory.path().join(name));
    for file in others.iter().chain([&left]) {
        std::fs::write(file, "{\"refresh_token\":\"old\"}").unwrap();
    }
    world.login_alice(world.builder().store(FileStore::new(&path))).await;
    assert!(!left.exists());
    assert!(others.iter().all(|file| file.exists()));
}
