//! Tests of the hashing threads through the public interface.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ficha_password::{Cost, HashFormat, Hashing, HashingSettings, MAX_PASSWORD_BYTES, Password, StoredHash};

/// A hash of "correct horse battery staple" by argon2-cffi.
const ARGON2: &str = "$argon2id$v=19$m=64,t=2,p=2$HsPYG4NQCsGYEyIkJEQopQ$NjJR8rQyKhmnNOJrVC9jBA2K4rEQHg9sbK//iCT7lII";

/// Long enough (about 150 ms) that what a test does meanwhile is done before it ends.
const SLOW: u32 = 11;

fn cost(cost: u32) -> Cost {
    Cost::try_from(cost).expect("a cost")
}

fn start(threads: usize, lanes: usize) -> Hashing {
    let settings = HashingSettings { threads, lanes, max_queue: 3, max_per_source: 2, max_stored_cost: 12 };
    Hashing::start(settings).expect("threads")
}

fn check(hashing: &Hashing, source: u64, floor: u32) -> impl Future<Output = Result<bool, ficha_password::Busy>> {
    let hashing = hashing.clone();
    async move { hashing.verify(source, Password::new("wrong"), None, cost(floor)).await }
}

/// Polls once: the job is then in the queue, or was rejected.
fn begin<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Waits until a thread has taken everything from the queue.
async fn taken(hashing: &Hashing, running: usize) {
    while hashing.stats().queued > 0 || hashing.stats().running < running {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_new_hash_is_in_the_current_format_and_matches_its_password_only() {
    let hashing = start(2, 4);
    let hash = hashing.hash(1, Password::new("pässwörd"), cost(5)).await.unwrap();
    assert_eq!((hash.format(), hash.cost(), hash.is_current(5)), (HashFormat::BcryptSha256V2, Some(5), true));
    assert_eq!(StoredHash::parse(hash.as_str()).unwrap().as_str(), hash.as_str());
    let verify = |password: &str| hashing.verify(1, Password::new(password), Some(hash.clone()), cost(4));
    assert_eq!(verify("pässwörd").await, Ok(true));
    assert_eq!(verify("passwörd").await, Ok(false));
    let other = hashing.hash(1, Password::new("pässwörd"), cost(5)).await.unwrap();
    assert_ne!(hash.as_str(), other.as_str(), "each has its own salt");
}

#[tokio::test]
async fn the_longest_password_counts_in_full_and_one_byte_more_fails() {
    let hashing = start(1, 1);
    let longest = "x".repeat(MAX_PASSWORD_BYTES);
    let hash = hashing.hash(1, Password::new(&*longest), cost(4)).await.unwrap();
    assert_eq!(hashing.verify(1, Password::new(&*longest), Some(hash.clone()), cost(4)).await, Ok(true));
    assert_eq!(hashing.verify(1, Password::new(&longest[1..]), Some(hash), cost(4)).await, Ok(false));
    let over = longest + "x";
    let hash = hashing.hash(1, Password::new(&*over), cost(4)).await.unwrap();
    assert_eq!(hashing.verify(1, Password::new(over), Some(hash), cost(4)).await, Ok(false));
}

#[tokio::test]
async fn an_unknown_user_never_matches() {
    assert_eq!(check(&start(1, 4), 1, 4).await, Ok(false));
}

#[tokio::test]
async fn a_stored_cost_above_the_maximum_is_rejected_without_computing_it() {
    let hashing = start(1, 4);
    // At cost 31 this would take two days.
    let costly = "$2b$31$s.2BA/eSMdb2ueeNfURDYOdVyGc/JrdLBPZGNNLri05M9HwgRAX1a".parse().unwrap();
    assert_eq!(hashing.verify(1, Password::new("a"), Some(costly), cost(4)).await, Ok(false));
}

#[tokio::test]
async fn argon2_runs_next_to_bcrypt() {
    let hashing = start(1, 4);
    let argon2 = |password| hashing.verify(1, Password::new(password), Some(ARGON2.parse().unwrap()), cost(5));
    let both = tokio::join!(check(&hashing, 2, 6), argon2("correct horse battery staple"));
    assert_eq!(both, (Ok(false), Ok(true)));
    assert_eq!(argon2("wrong").await, Ok(false));
    assert_eq!(hashing.stats().running, 0);
}

#[tokio::test]
async fn a_full_queue_is_busy_at_once() {
    let hashing = start(1, 1);
    let mut running = pin!(check(&hashing, 1, SLOW));
    assert!(begin(running.as_mut()).is_pending());
    taken(&hashing, 1).await;
    let (mut first, mut second, mut third) =
        (pin!(check(&hashing, 1, 4)), pin!(check(&hashing, 2, 4)), pin!(check(&hashing, 3, 4)));
    assert!(begin(first.as_mut()).is_pending());
    assert!(begin(second.as_mut()).is_pending());
    assert!(begin(third.as_mut()).is_pending());
    let Poll::Ready(Err(busy)) = begin(pin!(check(&hashing, 4, 4))) else { panic!("the queue holds 3") };
    assert!((1..=30).contains(&busy.retry_after.as_secs()));
    assert_eq!((hashing.stats().queued, hashing.stats().refused), (3, 1));
    assert_eq!(tokio::join!(running, first, second, third), (Ok(false), Ok(false), Ok(false), Ok(false)));
}

#[tokio::test]
async fn one_source_cannot_fill_the_queue() {
    let hashing = start(1, 1);
    let mut running = pin!(check(&hashing, 1, SLOW));
    assert!(begin(running.as_mut()).is_pending());
    taken(&hashing, 1).await;
    let (mut first, mut second, mut other) =
        (pin!(check(&hashing, 1, 4)), pin!(check(&hashing, 1, 4)), pin!(check(&hashing, 2, 4)));
    assert!(begin(first.as_mut()).is_pending());
    assert!(begin(second.as_mut()).is_pending());
    assert!(matches!(begin(pin!(check(&hashing, 1, 4))), Poll::Ready(Err(_))), "its share is 2");
    assert!(begin(other.as_mut()).is_pending(), "another source still has room");
    assert_eq!(tokio::join!(running, first, second, other), (Ok(false), Ok(false), Ok(false), Ok(false)));
    assert_eq!(check(&hashing, 1, 4).await, Ok(false), "its share is free again");
}

#[tokio::test]
async fn a_caller_that_hangs_up_frees_its_place() {
    let hashing = start(1, 1);
    let mut running = Box::pin(check(&hashing, 1, 16));
    assert!(begin(running.as_mut()).is_pending());
    taken(&hashing, 1).await;
    for source in 0..3 {
        assert!(begin(pin!(check(&hashing, source, 16))).is_pending());
    }
    assert_eq!(hashing.stats().queued, 3, "their callers have hung up");
    let mut next = Box::pin(check(&hashing, 9, 4));
    assert!(begin(next.as_mut()).is_pending(), "they are dropped to make room");
    // A job that is running is cancelled too; otherwise this would take five seconds.
    drop(running);
    assert_eq!(next.await, Ok(false));
    assert_eq!(hashing.stats().completed, 1);
}

#[tokio::test]
async fn jobs_spread_over_the_threads_before_they_share_one() {
    let hashing = start(2, 4);
    assert_eq!(tokio::join!(check(&hashing, 1, 8), check(&hashing, 2, 8)), (Ok(false), Ok(false)));
    assert_eq!(hashing.stats().lanes_used, [2, 0, 0, 0]);
}

#[tokio::test]
async fn a_login_that_comes_later_takes_a_free_lane() {
    let hashing = start(1, 4);
    let mut long = pin!(check(&hashing, 1, SLOW));
    assert!(begin(long.as_mut()).is_pending());
    taken(&hashing, 1).await;
    assert_eq!(check(&hashing, 2, 4).await, Ok(false));
    assert!(begin(long.as_mut()).is_pending(), "the short one does not wait for the long one");
    assert_eq!(long.await, Ok(false));
    assert_eq!(hashing.stats().lanes_used, [0, 2, 0, 0]);
}

#[tokio::test]
async fn the_typical_time_is_known_from_the_start_and_grows_with_the_cost() {
    let hashing = start(1, 1);
    let (cheap, costly) = (hashing.typical(1, cost(4)), hashing.typical(1, cost(12)));
    assert!(cheap > Duration::from_micros(100) && costly > cheap * 200 && costly < cheap * 300, "{cheap:?} {costly:?}");
    assert_eq!(check(&hashing, 1, 5).await, Ok(false));
    assert!(hashing.stats().typical > Duration::ZERO);
}

#[tokio::test]
async fn many_checks_of_all_kinds_at_once_get_their_own_answers() {
    let settings = HashingSettings { threads: 2, max_queue: 200, max_per_source: 200, ..HashingSettings::default() };
    let hashing = Hashing::start(settings).unwrap();
    let mut stored = Vec::new();
    for (number, hash_cost) in (0..5).zip([4, 5, 6, 4, 5]) {
        stored.push(hashing.hash(1, Password::new(format!("password {number}")), cost(hash_cost)).await.unwrap());
    }
    let mut running = Vec::new();
    for number in 0..100 {
        let (hashing, hash, other) = (hashing.clone(), stored[number % 5].clone(), number % 3);
        let task = tokio::spawn(async move {
            let password = Password::new(format!("password {}", (number + other) % 5));
            assert_eq!(hashing.verify(number as u64, password, Some(hash), cost(6)).await, Ok(other == 0));
        });
        if number % 10 == 9 {
            tokio::task::yield_now().await;
            task.abort();
        } else {
            running.push(task);
        }
    }
    for task in running {
        task.await.unwrap();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_hashing_threads_have_a_lower_priority() {
    let hashing = start(1, 1);
    assert_eq!(check(&hashing, 1, 4).await, Ok(false));
    // The 19th field of `stat` is the niceness; the name in the second, in brackets, may hold spaces.
    let nice = |stat: &str| stat.rsplit(") ").next()?.split(' ').nth(16)?.parse::<i32>().ok();
    let own = nice(&std::fs::read_to_string("/proc/thread-self/stat").unwrap()).unwrap();
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let stats = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok());
    let mut hashing_threads = stats.filter(|stat| stat.contains("(hashing-"));
    assert!(hashing_threads.any(|stat| nice(&stat) == Some((own + 10).min(19))));
}

#[test]
fn invalid_settings_are_refused() {
    let bad = |threads, lanes| HashingSettings { threads, lanes, ..HashingSettings::default() };
    assert!([bad(0, 4), bad(1, 0), bad(1, 5)].into_iter().all(|settings| Hashing::start(settings).is_err()));
}
