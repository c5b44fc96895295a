//! Test records. The time is always [`NOW`].

use ficha_store::{
    Authentication, Cause, ClientRecord, ClientScopes, ClientSecret, EventActor, EventKind, FailedLogin, InsertOutcome,
    KeyPurpose, NewEvent, NewHash, NewKey, NewKeys, NewSession, PasswordHashText, Revocation, RevokeReason, Revoked,
    Rotation, RotationTerms, SessionRecord, Store, StoreError, Target, UserRecord,
};
use ficha_token::{DenyEntry, DenyId, Entropy, Grant, SystemEntropy};
use uuid::Uuid;

pub const NOW: i64 = 1_800_000_000;
pub const IDLE_TTL: i64 = 3_600;
pub const ACCESS_TTL: i64 = 600;

/// A new id, not ordered by time: nothing in the store may rely on such an order.
pub fn id() -> Uuid {
    ficha_token::random_uuid(&SystemEntropy)
}

pub fn bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    SystemEntropy.fill(&mut bytes);
    bytes
}

/// A hash to be stored, of a password that can be kept.
pub fn new_hash(text: &PasswordHashText, cost: u32) -> NewHash<'_> {
    NewHash { text, cost, must_change: false }
}

pub fn user(name: &str) -> UserRecord {
    UserRecord {
        id: id(),
        name: name.into(),
        email: None,
        password_hash: PasswordHashText("hash".into()),
        scopes: "notes:read notes:write".parse().unwrap(),
        roles: vec!["editor".into()],
        enabled: true,
        auth_version: 1,
        created_at: NOW,
        must_change: false,
    }
}

/// A secret of a client, which never expires.
pub fn secret(byte: u8) -> ClientSecret {
    ClientSecret {
        id: id(),
        hash: [byte; 32],
        created_at: Some(NOW + i64::from(byte)),
        expires_at: None,
        last_used_at: None,
    }
}

pub fn client(id: &str) -> ClientRecord {
    ClientRecord {
        id: id.into(),
        subject: self::id(),
        secrets: vec![secret(7)],
        grants: vec![Grant::Password, Grant::RefreshToken, Grant::ClientCredentials],
        scopes: ClientScopes::Only("notes:read notes:write".parse().unwrap()),
        audience: None,
        serves: vec!["notes".into()],
        forwards_address: false,
        own_scopes: false,
        enabled: true,
        revoking: false,
        auth_version: 1,
        created_at: NOW,
    }
}

/// A login of `user` through `client` at [`NOW`].
pub fn login(user: &UserRecord, client: &ClientRecord) -> NewSession {
    let session = SessionRecord {
        id: id(),
        user_id: Some(user.id),
        subject: user.id,
        client_id: client.id.clone(),
        scopes: "notes:read".parse().unwrap(),
        roles: user.roles.clone(),
        audience: "notes".into(),
        generation: 0,
        rotated_at: NOW,
        access_exp: NOW + ACCESS_TTL,
        epoch: 0,
        created_at: NOW,
        expires_at: NOW + 100_000,
        idle_expires_at: NOW + IDLE_TTL,
        idle_seconds: None,
        address: Some("192.0.2.1".into()),
        user_agent: Some("tests".into()),
        authentication: Some(Authentication { amr: vec!["pwd".into()], acr: None, at: NOW }),
        revoked: None,
    };
    let (user_version, client_version) = (Some(user.auth_version), client.auth_version);
    NewSession { session, user_version, client_version, cause: cause() }
}

/// A client's own grant at [`NOW`].
pub fn own_grant(client: &ClientRecord) -> NewSession {
    let mut new = login(&user("nobody"), client);
    new.session.user_id = None;
    new.session.subject = client.subject;
    new.session.roles = Vec::new();
    new.session.authentication = None;
    new.user_version = None;
    new
}

pub fn inserted(outcome: InsertOutcome) -> SessionRecord {
    match outcome {
        InsertOutcome::Inserted(session) => session,
        other => panic!("{other:?}"),
    }
}

/// Stores a first user and a first client.
pub async fn alice_and_app(store: &Store) -> (UserRecord, ClientRecord) {
    let (alice, app) = (user("alice"), client("app"));
    assert!(store.add_user(alice.clone(), 10, &cause()).await.unwrap());
    assert!(store.add_client(app.clone(), &cause()).await.unwrap());
    (alice, app)
}

/// Stores `count` sessions of alice through app.
pub async fn sessions(store: &Store, count: usize) -> Vec<SessionRecord> {
    let (alice, app) = alice_and_app(store).await;
    more_sessions(store, &alice, &app, count).await
}

/// Why a test changes something.
pub fn cause() -> Cause {
    cause_at(NOW * 1_000)
}

/// The same at another time, in Unix milliseconds.
pub fn cause_at(at: i64) -> Cause {
    let actor = EventActor::Cli { name: "tester".into() };
    Cause { actor, address: Some("192.0.2.1".into()), request_id: Some("r1".into()), at, session: None }
}

/// A revocation of a session.
pub fn revocation(id: Uuid, reason: RevokeReason) -> Revocation {
    let event = NewEvent::new(EventKind::SessionRevoked, &cause());
    Revocation { target: Target::Session(id, reason), event }
}

/// A revocation of a token.
pub fn revocation_of_token(entry: DenyEntry) -> Revocation {
    let event = NewEvent::new(EventKind::TokenRevoked, &cause());
    Revocation { target: Target::Token(entry), event }
}

/// Revokes one session. True if it had not been revoked before.
pub async fn revoke(store: &Store, id: Uuid, reason: RevokeReason, now: i64) -> Result<(bool, Revoked), StoreError> {
    let applied = store.revoke_batch(&[revocation(id, reason)], now).await?;
    Ok((applied.newly == [true], applied.revoked))
}

/// The keys of a purge at `now`.
pub fn new_keys(sign: &str, refresh: &str, now: i64) -> NewKeys {
    NewKeys { sign: key(KeyPurpose::Sign, sign), refresh: key(KeyPurpose::Refresh, refresh), now, until: NOW + 900 }
}

/// A failed login at `now`, in seconds.
pub fn failed(account: [u8; 16], source: [u8; 16], now: i64) -> FailedLogin {
    let cause = Cause { actor: EventActor::Anonymous, ..cause_at(now * 1_000) };
    FailedLogin { account, source, user_id: None, client_id: "app".into(), cause }
}

/// The names of the events that are committed, in the order in which they happened.
pub async fn event_names(store: &Store) -> Vec<String> {
    store.pending_events(10_000).await.unwrap().into_iter().map(|event| event.event).collect()
}

pub async fn more_sessions(
    store: &Store,
    user: &UserRecord,
    client: &ClientRecord,
    count: usize,
) -> Vec<SessionRecord> {
    let mut made = Vec::new();
    for _ in 0..count {
        made.push(inserted(store.insert_session(login(user, client)).await.unwrap()));
    }
    made
}

pub fn rotation(session: &SessionRecord) -> Rotation {
    Rotation { session: session.id, generation: session.generation, client_id: session.client_id.clone() }
}

pub fn terms(now: i64) -> RotationTerms {
    RotationTerms { now, access_exp: now + ACCESS_TTL, idle_ttl: IDLE_TTL }
}

pub fn token() -> DenyEntry {
    DenyEntry::new(DenyId::from(id()), NOW + 500)
}

pub fn key(purpose: KeyPurpose, kid: &str) -> NewKey {
    NewKey {
        purpose,
        algorithm: "ES256".into(),
        kid: kid.into(),
        public_jwk: Some("{}".into()),
        sealed: vec![1, 2, 3],
        created_at: NOW,
        sign_from: NOW,
    }
}
