//! Resource servers that use the library: each follows the denylist by itself and is asked about a token as by requests.

use std::time::{Duration, Instant};

use ficha_resource::{OAuth2PasswordBearer, VerifyError};

use crate::Outcome;
use crate::child::ServerProcess;
use crate::issuer::ISSUER;
use crate::setup::{INTROSPECTOR, Setup};

/// Whoever has not refused by then never will.
const GIVE_UP: Duration = Duration::from_secs(20);
/// How often each is asked.
const ASK: Duration = Duration::from_millis(1);

/// Several of them, in this process.
pub struct Services(Vec<OAuth2PasswordBearer>);

impl Services {
    /// Starts them, and waits until each has its keys and the list.
    pub async fn start(server: &ServerProcess, setup: &Setup, count: usize) -> Outcome<Self> {
        let at = |path: &str| format!("http://{}{path}", server.address);
        let mut services = Vec::with_capacity(count);
        for _ in 0..count {
            // The server's issuer names another port than the one that it listens on, so nothing is discovered.
            let service = OAuth2PasswordBearer::by_hand(ISSUER)
                .audience(ISSUER)
                .token_url(at("/token"))
                .jwks_url(at("/.well-known/jwks.json"))
                .denylist_url(at("/denylist"))
                .credentials(INTROSPECTOR, setup.secret.as_str());
            services.push(service.build().await?);
        }
        Ok(Self(services))
    }

    /// Checks that each takes this token, keys and list read before if need be.
    pub async fn accept(&self, token: &str) -> Outcome<()> {
        let began = Instant::now();
        for service in &self.0 {
            while let Err(error) = service.verify_waiting(token).await {
                if began.elapsed() > GIVE_UP {
                    return Err(error.into());
                }
                tokio::time::sleep(ASK).await;
            }
        }
        Ok(())
    }

    /// When the last of them refused a token because it has been revoked.
    pub async fn refuse(&self, token: &str) -> Outcome<Instant> {
        let began = Instant::now();
        let mut accepting: Vec<_> = self.0.iter().collect();
        loop {
            accepting.retain(|service| !matches!(service.verify(token), Err(VerifyError::Denied)));
            match accepting.len() {
                0 => return Ok(Instant::now()),
                some if began.elapsed() > GIVE_UP => return Err(format!("{some} services go on accepting").into()),
                _ => tokio::time::sleep(ASK).await,
            }
        }
    }
}
