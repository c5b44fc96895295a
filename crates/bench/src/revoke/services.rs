//! Resource servers that use the library: each follows the denylist and checks tokens as it would for requests.

use std::time::{Duration, Instant};

use ficha_resource::{OAuth2PasswordBearer, VerifyError};

use crate::Outcome;
use crate::child::ServerProcess;
use crate::issuer::ISSUER;
use crate::setup::{INTROSPECTOR, Setup};

/// A service that has not refused a token by then never will.
const GIVE_UP: Duration = Duration::from_secs(20);
/// How often each service is asked.
const ASK: Duration = Duration::from_millis(1);

/// Several services in this process.
pub struct Services(Vec<OAuth2PasswordBearer>);

impl Services {
    /// Starts them, and waits until each has its keys and the list.
    pub async fn start(server: &ServerProcess, setup: &Setup, count: usize) -> Outcome<Self> {
        let at = |path: &str| format!("http://{}{path}", server.address);
        let mut services = Vec::with_capacity(count);
        for _ in 0..count {
            // Discovery does not work, because the issuer names a different port than the server's.
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

    /// Waits until each service accepts this token.
    pub async fn accept(&self, token: &str) -> Outcome<()> {
        let began = Instant::now();
        for service in &self.0 {
            while let Err(error) = service.verify(token).await {
                if began.elapsed() > GIVE_UP {
                    return Err(error.into());
                }
                tokio::time::sleep(ASK).await;
            }
        }
        Ok(())
    }

    /// Waits until the last service refuses the token as revoked, and returns that time.
    pub async fn refuse(&self, token: &str) -> Outcome<Instant> {
        let began = Instant::now();
        let mut accepting: Vec<_> = self.0.iter().collect();
        loop {
            accepting.retain(|service| !matches!(service.verify_now(token), Err(VerifyError::Denied)));
            match accepting.len() {
                0 => return Ok(Instant::now()),
                some if began.elapsed() > GIVE_UP => {
                    return Err(format!("{some} services still accept a revoked token").into());
                }
                _ => tokio::time::sleep(ASK).await,
            }
        }
    }
}
