//! Checks the builder's settings, and starts the background task.

use std::panic::catch_unwind;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ficha_token::MAX_LEEWAY_SECONDS;
use ficha_token::{Algorithm, Expected};
use reqwest::Client;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::{BearerBuilder, Denylist, Expectations, Keys};
use crate::build_error::BuildError;
use crate::password_bearer::{Description, Following, OAuth2PasswordBearer, Shared};
use crate::remote::fixed::{FixedKeys, NoDenylist, SharedSecret};
use crate::remote::http;
use crate::remote::http::Credentials;
use crate::remote::metadata::{Endpoints, Search};
use crate::remote::name::Name;
use crate::remote::{Fed, Plan, RemoteKeys, Replica, Task, address};
use crate::resource_metadata;
use crate::scopes::is_scope_name;
use crate::source::{DenySource, KeySource, OnStale};
use crate::verifier::{Verifier, VerifierSettings};

const LEASES: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(3_600);
const LEAST_OUTAGE_LIMIT: Duration = Duration::from_secs(60);
const PUBLIC_KEY_ALGORITHMS: [Algorithm; 3] = [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256];
/// How long [`BearerBuilder::build`] waits for metadata, keys and denylist together.
const START_LIMIT: Duration = Duration::from_secs(5);

impl<B: From<OAuth2PasswordBearer>> BearerBuilder<B> {
    /// Starts the background task on the current tokio runtime, and waits up to 5 s for keys and denylist.
    ///
    /// A service may start before its authorization server. If keys and denylist can't be loaded in time, `build`
    /// succeeds anyway: every token is refused with 503 while the background task keeps trying, and
    /// [`OAuth2PasswordBearer::readiness`] says what is missing. Only a mistake that waiting does not fix is an error, such as
    /// credentials that the server refuses.
    ///
    /// If keys and denylist are given, `build` does not wait for the metadata: only the token URL comes from there, and
    /// is filled in later.
    ///
    /// The runtime must live as long as the value is used; see [`NotReady::Stopped`](crate::NotReady::Stopped).
    pub async fn build(mut self) -> Result<B, BuildError> {
        let deadline = Instant::now() + START_LIMIT;
        look_at_runtime()?;
        let settings = self.settings()?;
        let (mut known, mut search) = self.endpoints()?;
        let client = match self.client.take() {
            Some(client) => client,
            None => http::client(&self.root_certificates)?,
        };
        // If keys and denylist are given there is nothing to wait for: the token URL is looked up in the background.
        if let Some(needed) = search.take_if(|search| search.needs_keys || search.needs_denylist) {
            match timeout_at(deadline, needed.run(&client, &*self.clock, true)).await {
                Ok(found) => known = found?,
                Err(_) => search = Some(needed),
            }
        }
        let bearer = self.start(settings, known, search, client)?;
        let following = &bearer.inner.following;
        let loaded = async {
            if let Some(keys) = &following.keys {
                keys.loaded().await;
            }
            if let Some(replica) = &following.replica {
                replica.completed().await.map_err(|status| BuildError::Refused { status })?;
            }
            Ok(())
        };
        match timeout_at(deadline, loaded).await {
            Ok(loaded) => loaded?,
            Err(_) => tracing::warn!(
                issuer = bearer.inner.description.issuer,
                why = %bearer.readiness(),
                "started before keys and denylist could be loaded; tokens are refused until they are"
            ),
        }
        Ok(bearer.into())
    }

    /// What does not come over the network, for a test issuer.
    pub(crate) fn without_network(mut self) -> Result<(VerifierSettings, Description, OnStale), BuildError> {
        let settings = self.settings()?;
        let token_url = self.token_url.unwrap_or_else(|| format!("{}/token", self.issuer.trim_end_matches('/')));
        let Self { issuer, scopes, realm, resource, .. } = self;
        Ok((settings, Description { issuer, token_url: Some(token_url), scopes, realm, resource }, self.on_stale))
    }

    fn settings(&mut self) -> Result<VerifierSettings, BuildError> {
        let Expectations { audiences, any_audience, algorithms, leeway } = &mut self.expected;
        if audiences.is_empty() && !*any_audience {
            return Err(BuildError::NoAudience);
        }
        if audiences.iter().any(String::is_empty) {
            return Err(BuildError::EmptyAudience);
        }
        if *any_audience {
            audiences.clear();
        }
        if self.credentials.as_ref().is_some_and(Credentials::are_incomplete) {
            return Err(BuildError::EmptyCredentials);
        }
        if *leeway > Duration::from_secs(u64::from(MAX_LEEWAY_SECONDS)) || leeway.subsec_nanos() > 0 {
            return Err(BuildError::Leeway);
        }
        if !LEASES.contains(&self.lease) {
            return Err(BuildError::Lease);
        }
        if self.keys_outage_limit < LEAST_OUTAGE_LIMIT {
            return Err(BuildError::KeysOutageLimit);
        }
        if let Some((name, _)) = self.scopes.iter().find(|(name, _)| !is_scope_name(name)) {
            return Err(BuildError::BadScope(name.clone()));
        }
        if let Some(resource) = &self.resource {
            resource_metadata::check(resource, self.allow_plain_http)?;
        }
        let algorithms = accepted_algorithms(algorithms.take(), matches!(self.keys, Keys::Secret(_)))?;
        let expected = Expected::new(self.issuer.as_str(), std::mem::take(audiences), algorithms)
            .with_leeway(leeway.as_secs() as u32);
        Ok(VerifierSettings::new(expected).with_cache_bytes(self.cache_bytes))
    }

    /// The given addresses, and the search for the rest.
    fn endpoints(&self) -> Result<(Endpoints, Option<Search>), BuildError> {
        let parse = |what, url: &str| address::parse(what, url, self.allow_plain_http);
        let jwks_url = match &self.keys {
            Keys::Url(url) => Some(parse("the JWKS URL", url)?),
            Keys::Unset | Keys::Set(_) | Keys::Secret(_) => None,
        };
        let denylist_url = match &self.denylist {
            Denylist::Url(url) => Some(parse("the denylist URL", url)?),
            Denylist::Unset | Denylist::None => None,
        };
        let needs_keys = matches!(self.keys, Keys::Unset);
        let needs_denylist = matches!(self.denylist, Denylist::Unset);
        if !self.discover {
            if needs_keys {
                return Err(BuildError::NoKeys);
            }
            if needs_denylist {
                return Err(BuildError::NoDenylist);
            }
        }
        let given = Endpoints { token_url: self.token_url.clone(), jwks_url, denylist_url };
        if !self.discover {
            return Ok((given, None));
        }
        let search = Search {
            issuer: self.issuer.clone(),
            issuer_url: address::parse_issuer(&self.issuer, self.allow_plain_http)?,
            allow_plain_http: self.allow_plain_http,
            needs_keys,
            needs_denylist,
            given: given.clone(),
            last_error: Arc::default(),
        };
        let is_all_given = !needs_keys && !needs_denylist && given.token_url.is_some();
        Ok((given, (!is_all_given).then_some(search)))
    }

    fn start(
        self,
        settings: VerifierSettings,
        known: Endpoints,
        search: Option<Search>,
        client: Client,
    ) -> Result<OAuth2PasswordBearer, BuildError> {
        let fixed = Fixed::new(&self.keys, settings.expected.algorithms[0])?;
        let fetched = fixed.is_none();
        let keys = fetched.then(|| Arc::new(RemoteKeys::new(Arc::clone(&self.clock), self.keys_outage_limit)));
        let replica = (!matches!(self.denylist, Denylist::None))
            .then(|| Arc::new(Replica::new(self.issuer.clone(), Arc::clone(&self.clock), self.lease)));
        let token_url = known.token_url.clone();
        let description = Description {
            issuer: self.issuer,
            token_url,
            scopes: self.scopes,
            realm: self.realm,
            resource: self.resource,
        };
        let found = Arc::new(OnceLock::new());
        let following = Following {
            keys: keys.clone(),
            fixed_keys: fixed.as_ref().map_or(0, |fixed| fixed.count),
            replica: replica.clone(),
            denied: None,
            metadata_error: search.as_ref().map(|search| Arc::clone(&search.last_error)).unwrap_or_default(),
            awaits_metadata: search.as_ref().is_some_and(|search| search.needs_keys || search.needs_denylist),
        };
        let by_client = self.credentials.as_ref().map(|credentials| credentials.client_id.as_str());
        let audience = settings.expected.audiences.first().map(String::as_str);
        let service = self.service.as_deref().or(audience).or(by_client).unwrap_or("any");
        let name = Name::new(service, self.instance.as_deref(), self.lease, self.on_stale);
        let plan = Plan {
            client,
            clock: Arc::clone(&self.clock),
            known,
            search,
            found: complete_description(description.clone(), Arc::clone(&found)),
            keys: keys.clone(),
            replica: replica.clone(),
            credentials: self.credentials,
            lease: self.lease,
            name,
        };
        let task = Arc::new(Task::spawn(description.issuer.clone(), plan));
        let keys: Arc<dyn KeySource> = match (keys, fixed) {
            (Some(source), _) => Arc::new(Fed::new(source, &task)),
            (None, Some(fixed)) => fixed.source,
            (None, None) => return Err(BuildError::NoKeys),
        };
        let denied: Arc<dyn DenySource> = match replica {
            Some(source) => Arc::new(Fed::new(source, &task)),
            None => Arc::new(NoDenylist),
        };
        let verifier = Verifier::new(settings, keys, denied, self.clock);
        let shared = Shared { verifier, description, found, following, task: Some(task) };
        Ok(OAuth2PasswordBearer::new(shared, self.on_stale))
    }
}

/// The background task needs a runtime with timers and sockets.
fn look_at_runtime() -> Result<(), BuildError> {
    Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
    // tokio can't be asked what a runtime has. It panics when something is used that is missing.
    let works = |attempt: fn()| catch_unwind(attempt).is_ok();
    if !works(|| drop(tokio::time::sleep(Duration::ZERO))) {
        return Err(BuildError::RuntimeLacks { call: "enable_time()" });
    }
    if !works(|| drop(tokio::net::UnixStream::pair())) {
        return Err(BuildError::RuntimeLacks { call: "enable_io()" });
    }
    Ok(())
}

/// The algorithms to accept, at least one. A secret is used with exactly one, and a published key never with HMAC.
fn accepted_algorithms(named: Option<Vec<Algorithm>>, is_secret: bool) -> Result<Vec<Algorithm>, BuildError> {
    let Some(named) = named else {
        let default: &[_] = if is_secret { &[Algorithm::HS256] } else { &PUBLIC_KEY_ALGORITHMS };
        return Ok(default.to_vec());
    };
    if named.is_empty() {
        return Err(BuildError::NoAlgorithm);
    }
    let reason = match (&named[..], is_secret) {
        ([one], true) if one.is_symmetric() => return Ok(named),
        (_, true) => "a shared secret needs exactly one of HS256, HS384 and HS512",
        (several, false) if several.iter().all(|algorithm| algorithm.is_symmetric()) => {
            "HS256, HS384 and HS512 need shared_secret()"
        }
        _ => return Ok(named),
    };
    Err(BuildError::Algorithms { reason })
}

/// Keys that are given rather than fetched.
struct Fixed {
    source: Arc<dyn KeySource>,
    count: usize,
}

impl Fixed {
    fn new(keys: &Keys, algorithm: Algorithm) -> Result<Option<Self>, BuildError> {
        match keys {
            Keys::Unset | Keys::Url(_) => Ok(None),
            Keys::Set(set) => {
                let keys = FixedKeys::new(set)?;
                let count = keys.len();
                Ok(Some(Self { source: Arc::new(keys), count }))
            }
            Keys::Secret(secret) => {
                let source = Arc::new(SharedSecret::new(secret.clone(), algorithm)?);
                Ok(Some(Self { source, count: 1 }))
            }
        }
    }
}

/// Completes the description with the token URL, if it is found later.
fn complete_description(
    description: Description,
    found: Arc<OnceLock<Description>>,
) -> Box<dyn FnOnce(&Endpoints) + Send> {
    Box::new(move |endpoints| {
        let token_url = description.token_url.clone().or_else(|| endpoints.token_url.clone());
        // It is set only once.
        let _ = found.set(Description { token_url, ..description });
    })
}
