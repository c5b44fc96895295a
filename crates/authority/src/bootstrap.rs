//! The first start: keys, the client `first-party`, the user `admin`.

use ficha_password::Password;
use ficha_store::{
    Bootstrap, BootstrapOutcome, ClientRecord, ClientScopes, NewKey, PasswordHashText, SealedKey, Store, StoreError,
    UserRecord,
};
use ficha_token::{Entropy, Grant, Scope, ordered_uuid};

use crate::error::StartError;
use crate::foundation::{Foundation, start_hashing};
use crate::keys::key_ring::{new_refresh_key, new_signing_key, sealed_name};
use crate::keys::master_key::{MasterKey, MasterKeySource};
use crate::keys::secret::Secret;
use crate::own_clients::add_own_clients;
use crate::settings::{ADMIN, ADMIN_SCOPE, FIRST_PARTY};
use crate::user_name::other_normal_form;

/// What the first start created, to be shown once.
#[derive(Debug)]
pub struct FirstStart {
    /// The password of the user `admin`; `None` if that user existed already.
    pub admin_password: Option<Secret>,
}

/// Performs the first start, unless it was done before (`None`). It is one transaction, so if two servers start at the
/// same time, only one of them performs it.
pub async fn first_start(base: &Foundation) -> Result<Option<FirstStart>, StartError> {
    base.settings.check()?;
    if base.store.head().await?.bootstrapped {
        add_own_clients(base).await?;
        // The next start does it again; a disk that is full now must not prevent this one.
        if let Err(error) = complete_names(base).await {
            tracing::warn!(%error, "the normal forms of user names were not completed; the next start tries again");
        }
        return Ok(None);
    }
    let (clock, entropy) = (&*base.clock, &*base.entropy);
    let password = first_password(entropy);
    // Before the master key is created: hashing takes a while, and a master key without a first start looks like a lost
    // database.
    let user = admin(base, &password).await?;
    // A store with keys and no master key is an error, even before its first start.
    let (master, made) = match base.store.keys().await?.is_empty() {
        true => base.master_key.load_or_make(entropy)?,
        false => (base.master_key.load_existing()?, false),
    };
    let discard = || if made { base.master_key.discard() } else { Ok(()) };
    let keys = first_keys(base, &master).inspect_err(|_| drop(discard()))?;
    let first = Bootstrap {
        keys,
        client: Some(first_party(base)),
        user: Some((user, base.settings.password.bcrypt_cost.get())),
        scopes: Vec::new(),
        now: clock.unix_now(),
        at: clock.unix_millis(),
    };
    let outcome = match base.store.bootstrap(first).await {
        Ok(outcome) => outcome,
        // It may have been committed, and then its keys could not be opened without the master key.
        Err(error @ (StoreError::OutcomeUnknown(_) | StoreError::Lost(_))) => return Err(error.into()),
        Err(error) => {
            discard()?;
            return Err(error.into());
        }
    };
    // Moves the first keys from the log into the database itself. They are committed in any case.
    if let Err(error) = base.store.checkpoint().await {
        tracing::warn!(%error, "the write-ahead log could not be checkpointed");
    }
    Ok(match outcome {
        BootstrapOutcome::AlreadyDone => {
            // Another server was faster. If it has a master key of its own, ours would only hide that the right one is
            // missing. But it may have found ours and used it.
            if made && !fits(&master, &base.store.sealed_keys().await?) {
                base.master_key.discard()?;
            }
            add_own_clients(base).await?;
            None
        }
        BootstrapOutcome::Done { user_added, .. } => {
            // The password is committed and shown only this once, so from here on nothing fails.
            if let Err(error) = add_own_clients(base).await {
                tracing::warn!(%error, "the server's own clients could not be added; the next start adds them");
            }
            Some(FirstStart { admin_password: user_added.then_some(password) })
        }
    })
}

/// How far back users are looked at who have been added by a server of the release before names had a normal form, while
/// this one was rolled out: in seconds.
const ROLLED_OUT_WITHIN: i64 = 8 * 86_400;

/// Gives users whom such a server has added within these seconds what the migration has given to those before.
pub(crate) async fn add_normal_names(base: &Foundation, within: i64) -> Result<(), StoreError> {
    let since = base.clock.unix_now().saturating_sub(within);
    for (id, name) in base.store.names_to_complete(since).await? {
        if let Some(normal) = other_normal_form(&name) {
            base.store.set_normal_name(id, &name, &normal).await?;
        }
    }
    Ok(())
}

/// The same, and says which names look the same.
async fn complete_names(base: &Foundation) -> Result<(), StartError> {
    add_normal_names(base, ROLLED_OUT_WITHIN).await?;
    for users in base.store.colliding_names().await? {
        // Not the names, which this log would keep for longer than the database does.
        let ids: Vec<String> = users.into_iter().map(|(id, _)| id.to_string()).collect();
        tracing::warn!(
            users = ids.join(" "),
            "names look the same: each of these users logs in with the exact one only"
        );
    }
    Ok(())
}

/// Checks that the master key opens the keys in a database. It writes nothing, and the tables may be missing or of an
/// older version, so it comes before everything that a failed start would leave half done.
pub async fn check_master_key(store: &Store, source: &MasterKeySource) -> Result<(), StartError> {
    let sealed = store.sealed_keys().await?;
    if sealed.is_empty() {
        // A malformed master key is refused even so.
        return source.load().map(drop);
    }
    if fits(&source.load_existing()?, &sealed) { Ok(()) } else { Err(StartError::MasterKeyWrong) }
}

fn first_keys(base: &Foundation, master: &MasterKey) -> Result<Vec<NewKey>, StartError> {
    let (clock, entropy) = (&*base.clock, &*base.entropy);
    let algorithm = base.settings.signing.pair_algorithm();
    let signing = new_signing_key(algorithm, master, clock, entropy, clock.unix_now())?;
    Ok(vec![new_refresh_key(master, clock, entropy), signing])
}

fn fits(master: &MasterKey, sealed: &[SealedKey]) -> bool {
    sealed.iter().all(|key| master.open(&sealed_name(key.purpose, &key.kid), &key.sealed).is_some())
}

/// 24 characters, 144 random bits: strong enough, and short enough to type once.
fn first_password(entropy: &dyn Entropy) -> Secret {
    Secret::new(&Secret::random(entropy).expose()[..24])
}

fn first_party(base: &Foundation) -> ClientRecord {
    ClientRecord {
        id: FIRST_PARTY.into(),
        subject: ordered_uuid(&*base.clock, &*base.entropy),
        secrets: Vec::new(),
        grants: vec![Grant::Password, Grant::RefreshToken],
        scopes: ClientScopes::Any,
        audience: None,
        serves: Vec::new(),
        forwards_address: false,
        own_scopes: false,
        enabled: true,
        revoking: false,
        auth_version: 0,
        created_at: base.clock.unix_now(),
    }
}

async fn admin(base: &Foundation, password: &Secret) -> Result<UserRecord, StartError> {
    let hashing = start_hashing(&base.settings)?;
    let password = Password::new(password.expose());
    let hash = hashing.hash(0, password, base.settings.password.bcrypt_cost).await;
    let hash = hash.map_err(|error| StartError::FirstUser(error.to_string()))?;
    Ok(UserRecord {
        id: ordered_uuid(&*base.clock, &*base.entropy),
        name: ADMIN.into(),
        email: None,
        password_hash: PasswordHashText(hash.to_string()),
        scopes: ADMIN_SCOPE.parse::<Scope>().map_err(|error| StartError::FirstUser(error.to_string()))?,
        roles: Vec::new(),
        enabled: true,
        auth_version: 0,
        created_at: base.clock.unix_now(),
        must_change: false,
    })
}
