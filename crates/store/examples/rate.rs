//! How many refreshes per second the store commits, by the number of refreshes that share a statement.
//!
//! `cargo run --release -p ficha-store --example rate --features testing [seconds]`

use ficha_store::testing::TestDatabase;
use ficha_store::{
    Cause, ClientRecord, ClientScopes, EventActor, InsertOutcome, NewSession, PasswordHashText, Rotation,
    RotationTerms, SessionRecord, Store, UserRecord,
};
use ficha_token::{Clock, Scope, SystemClock, SystemEntropy, ordered_uuid};

const NOW: i64 = 1_800_000_000;
const SESSIONS: usize = 2_048;

#[tokio::main]
async fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(3.0);
    let mut databases = vec![TestDatabase::sqlite().await];
    databases.extend(TestDatabase::postgres().await);
    for database in databases {
        let store = database.store().await;
        let mut batch = sessions(&store).await;
        for size in [1, 8, 64, 256] {
            let rate = measure(&store, &mut batch, size, seconds).await;
            println!("{:?}: {size:>3} per statement: {rate:>7.0} refreshes/s", database.kind());
        }
    }
}

async fn measure(store: &Store, sessions: &mut [Rotation], size: usize, seconds: f64) -> f64 {
    let start = SystemClock.elapsed();
    let mut done = 0;
    loop {
        for chunk in sessions.chunks_mut(size) {
            let terms = RotationTerms { now: NOW, access_exp: NOW + 600, idle_ttl: 3_600 };
            let rows = store.rotate_sessions(chunk, terms).await.expect("the database answers");
            assert_eq!(rows.len(), chunk.len());
            for rotation in chunk.iter_mut() {
                rotation.generation += 1;
            }
            done += rows.len();
            let elapsed = (SystemClock.elapsed() - start).as_secs_f64();
            if elapsed > seconds {
                return done as f64 / elapsed;
            }
        }
    }
}

async fn sessions(store: &Store) -> Vec<Rotation> {
    let id = || ordered_uuid(&SystemClock, &SystemEntropy);
    let user = UserRecord {
        id: id(),
        name: "alice".into(),
        email: None,
        password_hash: PasswordHashText(String::new()),
        scopes: Scope::empty(),
        roles: Vec::new(),
        enabled: true,
        auth_version: 1,
        created_at: NOW,
        must_change: false,
    };
    let client = ClientRecord {
        id: "app".into(),
        subject: id(),
        secrets: Vec::new(),
        grants: Vec::new(),
        scopes: ClientScopes::Any,
        audience: None,
        serves: Vec::new(),
        forwards_address: false,
        own_scopes: false,
        enabled: true,
        revoking: false,
        auth_version: 1,
        created_at: NOW,
    };
    let actor = EventActor::Cli { name: "rate".into() };
    let cause = Cause { actor, address: None, request_id: None, at: NOW * 1_000, session: None };
    store.add_user(user.clone(), 10, &cause).await.expect("the database answers");
    store.add_client(client.clone(), &cause).await.expect("the database answers");
    let mut made = Vec::new();
    for _ in 0..SESSIONS {
        let session = SessionRecord {
            id: id(),
            user_id: Some(user.id),
            subject: user.id,
            client_id: client.id.clone(),
            scopes: "notes:read notes:write".parse().expect("a scope"),
            roles: Vec::new(),
            audience: "notes".into(),
            generation: 0,
            rotated_at: NOW,
            access_exp: NOW + 600,
            epoch: 0,
            created_at: NOW,
            expires_at: NOW + 100_000,
            idle_expires_at: NOW + 3_600,
            idle_seconds: None,
            address: Some("192.0.2.1".into()),
            user_agent: Some("rate".into()),
            authentication: None,
            revoked: None,
        };
        let rotation = Rotation { session: session.id, generation: 0, client_id: client.id.clone() };
        let new = NewSession { session, user_version: Some(1), client_version: 1, cause: cause.clone() };
        let outcome = store.insert_session(new).await.expect("the database answers");
        assert!(matches!(outcome, InsertOutcome::Inserted(_)));
        made.push(rotation);
    }
    made
}
