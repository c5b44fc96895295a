//! A gRPC service of tonic behind the tower layer: its routes are an axum router.

use ficha_resource::TestIssuer;
use ficha_resource::axum::BearerGuard;
use tonic::metadata::MetadataValue;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::listener;

async fn ask(client: &mut HealthClient<Channel>, token: Option<&str>) -> Code {
    let mut request = Request::new(HealthCheckRequest::default());
    if let Some(token) = token {
        let value: MetadataValue<_> = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    client.check(request).await.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grpc_service_behind_the_layer_refuses_a_revoked_token() {
    let issuer = TestIssuer::new();
    let guard = BearerGuard::from(&issuer.oauth2());
    let (_reporter, health) = tonic_health::server::health_reporter();
    let app = Routes::new(health).into_axum_router().layer(guard.require("notes:read"));
    let listener = listener();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), app).await });

    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    let token = issuer.token().scope("notes:read").sign();
    assert_eq!(ask(&mut client, None).await, Code::Unauthenticated);
    assert_eq!(ask(&mut client, Some(&issuer.token().sign())).await, Code::PermissionDenied);
    assert_eq!(ask(&mut client, Some(&token)).await, Code::Ok);
    issuer.set_stale(true);
    assert_eq!(ask(&mut client, Some(&token)).await, Code::Unavailable);
    issuer.set_stale(false);
    issuer.revoke(&token);
    assert_eq!(ask(&mut client, Some(&token)).await, Code::Unauthenticated);
}
