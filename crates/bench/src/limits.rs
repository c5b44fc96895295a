//! What the machine can do without Ficha.

use std::path::Path;
use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::PgPoolOptions;
use sea_orm::sqlx::{self, AssertSqlSafe};

use crate::Outcome;

/// How many passwords per second the bcrypt crate checks on `threads` threads.
pub fn bcrypt(cost: u32, threads: usize, length: Duration) -> Outcome<f64> {
    let hash = bcrypt::hash_with_salt("plum otter violin drift nine", cost, [7; 16])?.to_string();
    let began = Instant::now();
    let counts: Vec<u32> = std::thread::scope(|scope| {
        let work = || {
            let mut count = 0;
            while began.elapsed() < length {
                assert!(bcrypt::verify("plum otter violin drift nine", &hash).is_ok_and(|right| right));
                count += 1;
            }
            count
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(0)).collect()
    });
    Ok(f64::from(counts.iter().sum::<u32>()) / began.elapsed().as_secs_f64())
}

/// How many ES256 signatures per second one core makes, with the key parsed once.
pub fn es256(length: Duration) -> Outcome<f64> {
    let key = ficha_token::SigningKey::generate(ficha_token::Algorithm::ES256)?;
    let claims = ficha_token::AccessClaims::new(
        "http://127.0.0.1:8080",
        uuid::Uuid::from_u128(1),
        ["http://127.0.0.1:8080"],
        "first-party",
        uuid::Uuid::from_u128(3),
        uuid::Uuid::from_u128(2),
        1_999_999_400..2_000_000_000,
    );

    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < length {
        std::hint::black_box(key.sign(&claims)?);
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

/// The update of a refresh, on one row.
const UPDATE: &str = "UPDATE sessions SET generation = generation + 1, rotated_at = 1, access_exp = access_exp + 1, \
                      idle_expires_at = idle_expires_at + 1 WHERE id = ";

/// How many durable one-row commits of a refresh's update SQLite makes per second, in process, on one connection.
/// `copy` is a copy of the store's file.
pub fn sqlite_commits(copy: &Path, ids: &[uuid::Uuid], length: Duration) -> Outcome<f64> {
    let connection = rusqlite::Connection::open(copy)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let mut update = connection.prepare(&format!("{UPDATE} ?1"))?;
    let began = Instant::now();
    let mut count = 0_usize;
    while began.elapsed() < length {
        let id = ids.get(count % ids.len().max(1)).ok_or("there are sessions")?;
        assert_eq!(update.execute([id.as_bytes().as_slice()])?, 1);
        count += 1;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// The same on PostgreSQL, with `connections` in parallel.
pub async fn postgres_commits(url: &str, ids: &[uuid::Uuid], connections: u32, length: Duration) -> Outcome<f64> {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect(url)
        .await?;
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..connections as usize {
        let (pool, ids) = (pool.clone(), ids.to_vec());
        tasks.spawn(async move {
            let mut connection = pool.acquire().await?;
            let mut count = 0_usize;
            while began.elapsed() < length {
                let id = ids[(index + count * connections as usize) % ids.len()];
                let update = AssertSqlSafe(format!("{UPDATE} $1"));
                sqlx::query(update).bind(id).execute(&mut *connection).await?;
                count += 1;
            }
            Ok::<_, sqlx::Error>(count)
        });
    }
    let mut count = 0;
    while let Some(done) = tasks.join_next().await {
        count += done??;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}
