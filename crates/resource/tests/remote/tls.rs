//! HTTPS with a private certificate authority.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use ficha_resource::{BearerBuilder, OAuth2PasswordBearer};
use ficha_token::SigningKey;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use crate::support::{World, new_key};

/// Publishes one key on a port of its own, until the test ends.
fn publish(key: &SigningKey, identity: &CertifiedKey<rcgen::KeyPair>) -> SocketAddr {
    let private = PrivateKeyDer::try_from(identity.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.cert.der().clone()], private)
        .unwrap();
    let config = Arc::new(config);
    let body = json!({ "keys": [key.public_jwk().unwrap()] }).to_string();
    let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, connection.unwrap());
            // A client that does not trust the certificate hangs up here.
            if stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                let _ = stream.write_all(answer.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    address
}

#[tokio::test]
async fn a_private_certificate_authority_is_trusted_only_where_it_is_given() {
    let world = World::new().await;
    let key = new_key();
    let identity = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let address = publish(&key, &identity);
    let issuer = world.server.state().issuer.clone();
    let service = || -> BearerBuilder {
        OAuth2PasswordBearer::by_hand(issuer.as_str())
            .audience("notes")
            .clock(world.shared_clock())
            .jwks_url(format!("https://localhost:{}/jwks", address.port()))
            .no_denylist()
    };
    let trusting = service().root_certificate(identity.cert.pem()).build().await.unwrap();
    assert!(trusting.verify_now(&key.sign(&world.claims()).unwrap()).is_ok());
    let wary = tokio::time::timeout(Duration::from_secs(10), service().build()).await.unwrap().unwrap();
    assert!(!wary.readiness().is_ready());
    assert!(wary.stats().key_fetches_failed > 0);
}
