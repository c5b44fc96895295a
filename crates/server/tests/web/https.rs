//! HTTPS served by the server itself.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ficha_server::{Server, ServerError, ServerSettings};
use ficha_store::testing::TestDatabase;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion};

use crate::certificates::{Certified, Files};
use ficha_testing::{App, eventually, stays};

const TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
const TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

/// What a TLS client learns.
struct Met {
    version: ProtocolVersion,
    certificate: CertificateDer<'static>,
    alpn: Option<Vec<u8>>,
    answer: String,
}

/// Connects with one of these versions, trusting only these certificates, and requests `/health/live`.
async fn meet(
    address: SocketAddr,
    roots: &[&Certified],
    versions: &'static [&'static SupportedProtocolVersion],
    alpn: &'static [&'static [u8]],
) -> std::io::Result<Met> {
    let mut store = RootCertStore::empty();
    roots.iter().for_each(|root| store.add(root.der()).expect("a root"));
    let meeting = move || {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
        let mut config = config.with_root_certificates(store).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        let mut answer = String::new();
        if alpn.is_empty() {
            stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            // A server need not send close_notify.
            let _ = stream.read_to_string(&mut answer);
        }
        let certificates = stream.conn.peer_certificates().expect("the server has a certificate");
        Ok(Met {
            version: stream.conn.protocol_version().expect("a version"),
            certificate: certificates[0].clone().into_owned(),
            alpn: stream.conn.alpn_protocol().map(<[u8]>::to_vec),
            answer,
        })
    };
    tokio::task::spawn_blocking(meeting).await.expect("the client ends")
}

/// A ClientHello of this version (RFC 5246 §7.4.1.2) with cipher suites of all ages, and the first record that comes
/// back.
async fn hello(address: SocketAddr, version: [u8; 2]) -> Vec<u8> {
    let with_length = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let extension = |kind: u16, data: &[u8]| [&kind.to_be_bytes()[..], &with_length(data)].concat();
    // ECDHE-ECDSA with AES-GCM and, for older versions, with AES-CBC; ECDHE-RSA; plain RSA.
    let suites = with_length(&[0xc0, 0x2b, 0xc0, 0x2c, 0xc0, 0x09, 0xc0, 0x0a, 0xc0, 0x2f, 0xc0, 0x13, 0x00, 0x2f]);
    let extensions = [
        extension(10, &with_length(&[0, 23, 0, 24])),
        extension(11, &[1, 0]),
        extension(13, &with_length(&[4, 3, 5, 3, 8, 4, 4, 1, 2, 3, 2, 1])),
        extension(23, &[]),
    ]
    .concat();
    let body = [&version[..], &[7; 32], &[0], &suites, &[1, 0], &with_length(&extensions)].concat();
    let length = (body.len() as u32).to_be_bytes();
    let message = [&[1][..], &length[1..], &body].concat();
    let record = [&[22, 3, 1][..], &with_length(&message)].concat();
    let asking = move || {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        socket.write_all(&record)?;
        let mut header = [0; 5];
        socket.read_exact(&mut header)?;
        let mut record = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        socket.read_exact(&mut record)?;
        Ok::<_, std::io::Error>([&header[..], &record].concat())
    };
    tokio::task::spawn_blocking(asking).await.expect("the client ends").expect("the server answers")
}

/// Connects until the server presents this certificate; it checks the files every second.
async fn wait_for(address: SocketAddr, expected: &Certified, other: &Certified) {
    eventually("the new certificate is loaded", async || {
        let met =
            meet(address, &[expected, other], BOTH, &[]).await.expect("the server accepts connections at any time");
        met.certificate == expected.der()
    })
    .await;
}

/// A TLS connection, ready for HTTP/1.1.
fn connect(address: SocketAddr, root: &Certified) -> StreamOwned<ClientConnection, TcpStream> {
    let mut store = RootCertStore::empty();
    store.add(root.der()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(BOTH).expect("versions");
    let config = config.with_root_certificates(store).with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    let socket = TcpStream::connect(address).expect("it is accepted");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    StreamOwned::new(connection, socket)
}

ficha_store::on_both_databases! {
    async fn a_poll_ends_when_its_client_closes_properly(database: TestDatabase) {
        let certified = Certified::new();
        let files = Files::new(&certified);
        let app = App::start_with(&database, |options| files.apply(options)).await;
        let (address, authority) = (app.address, app.authority.clone());
        let held = move || {
            let ask = |stream: &mut StreamOwned<ClientConnection, TcpStream>, query: &str| {
                let request = format!("GET /denylist?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
                stream.write_all(request.as_bytes()).expect("it is connected");
            };
            let mut stream = connect(address, &certified);
            ask(&mut stream, "");
            let mut answer = [0; 4096];
            let length = stream.read(&mut answer).expect("a page");
            let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
            let cursor = answer.split("\"cursor\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a cursor");
            ask(&mut stream, &format!("after={cursor}&wait=30"));
            stream
        };
        let mut stream = tokio::task::spawn_blocking(held).await.expect("a held poll");
        eventually("the poll is held", async || authority.followers_waiting() == 1).await;
        // close_notify, and then the end: the server reads nothing below TLS any more.
        stream.conn.send_close_notify();
        stream.flush().expect("it is connected");
        stream.sock.shutdown(std::net::Shutdown::Write).expect("it is connected");
        eventually("its place is free", async || authority.followers_waiting() == 0).await;
    }

    async fn tls_1_2_and_1_3_both_work(database: TestDatabase) {
        let certified = Certified::new();
        let files = Files::new(&certified);
        let app = App::start_with(&database, |options| files.apply(options)).await;
        for (versions, expected) in [
            (TLS12, ProtocolVersion::TLSv1_2),
            (TLS13, ProtocolVersion::TLSv1_3),
            (BOTH, ProtocolVersion::TLSv1_3),
        ] {
            let met = meet(app.address, &[&certified], versions, &[]).await.expect("the handshake succeeds");
            assert_eq!(met.version, expected);
            assert_eq!(met.certificate, certified.der());
            assert!(met.answer.starts_with("HTTP/1.1 200 "), "{}", met.answer);
        }
        // A client that trusts a different certificate does not trust this server.
        assert!(meet(app.address, &[&Certified::new()], BOTH, &[]).await.is_err());
        const PROTOCOLS: [&[&[u8]]; 2] = [&[b"h2"], &[b"http/1.1"]];
        for protocol in PROTOCOLS {
            let met = meet(app.address, &[&certified], BOTH, protocol).await.expect("the handshake succeeds");
            assert_eq!(met.alpn.as_deref(), Some(protocol[0]));
        }
    }

    async fn tls_1_1_and_older_are_refused(database: TestDatabase) {
        let certified = Certified::new();
        let files = Files::new(&certified);
        let app = App::start_with(&database, |options| files.apply(options)).await;
        // The same hello with TLS 1.2 gets a ServerHello of TLS 1.2, so only the version is refused.
        let record = hello(app.address, [3, 3]).await;
        assert_eq!((record[0], record[5], &record[9..11]), (22, 2, &[3, 3][..]), "{record:?}");
        for version in [[3, 0], [3, 1], [3, 2]] {
            let record = hello(app.address, version).await;
            // Alert, fatal, protocol_version (RFC 5246 §7.2).
            assert_eq!((record[0], &record[5..]), (21, &[2, 70][..]), "{version:?}: {record:?}");
        }
    }

    async fn plain_http_on_the_https_port_gets_no_http_response(database: TestDatabase) {
        let files = Files::new(&Certified::new());
        let app = App::start_with(&database, |options| files.apply(options)).await;
        let request = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let answer = crate::raw::exchange(app.address, request).await;
        assert_eq!(answer.statuses(), [0_u16; 0], "{answer:?}");
    }

    async fn a_changed_certificate_is_loaded_and_a_broken_one_is_not(database: TestDatabase) {
        let (first, second, third) = (Certified::new(), Certified::new(), Certified::new());
        let files = Files::new(&first);
        let app = App::start_with(&database, |options| files.apply(options)).await;
        let met = meet(app.address, &[&first], BOTH, &[]).await.expect("the handshake succeeds");
        assert_eq!(met.certificate, first.der());

        files.write_certificate(&second.certificate.pem());
        files.write_key(&second.key.serialize_pem());
        wait_for(app.address, &second, &first).await;

        // The next certificate with the previous key, and then no certificate at all: the last matching pair stays in
        // use while the server checks the files twice.
        for text in [third.certificate.pem(), "-----BEGIN CERTIFICATE-----\nAAAA".to_owned(), String::new()] {
            files.write_certificate(&text);
            stays("the last matching pair is in use", Duration::from_millis(2_400), async || {
                let met = meet(app.address, &[&second], BOTH, &[]).await.expect("the handshake succeeds");
                met.answer.starts_with("HTTP/1.1 200 ")
            })
            .await;
        }
        files.write_certificate(&third.certificate.pem());
        files.write_key(&third.key.serialize_pem());
        wait_for(app.address, &third, &second).await;
    }

    async fn unusable_files_are_named_and_nothing_listens(database: TestDatabase) {
        let certified = Certified::new();
        let app = App::start(&database).await;
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port");
        let refusal = |files: &Files| {
            let settings = ServerSettings {
                metrics_bind: None,
                gate_bind: None,
                admin: None,
                bind: port,
                tls: Some(files.settings()),
                trusted_proxies: Vec::new(),
                allowed_origins: Vec::new(),
                workers: None,
                drain: Duration::ZERO,
                console: true,
                max_connections_per_source: None,
            };
            match Server::bind(app.authority.clone(), settings) {
                Ok(_) => panic!("these files can't be used"),
                Err(error @ ServerError::Tls { .. }) => error.to_string(),
                Err(error) => panic!("{error}"),
            }
        };
        let broken = |change: &dyn Fn(&Files)| {
            let files = Files::new(&certified);
            change(&files);
            let why = refusal(&files);
            assert!(!why.contains('\n') && !why.contains("BEGIN"), "one line, and no part of the key: {why}");
            (why.contains("the-certificate.pem"), why.contains("the-key.pem"))
        };
        let (certificate, key) = ((true, false), (false, true));
        assert_eq!(broken(&|files| files.write_key(&Certified::new().key.serialize_pem())), key, "it does not match");
        assert_eq!(broken(&|files| files.write_key("no key")), key);
        assert_eq!(broken(&|files| files.write_key(&certified.certificate.pem())), key);
        assert_eq!(broken(&|files| std::fs::remove_file(files.key()).expect("it was there")), key);
        assert_eq!(broken(&|files| files.write_certificate("")), certificate);
        assert_eq!(broken(&|files| files.write_certificate(&certified.key.serialize_pem())), certificate);
        let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(broken(&|files| files.write_certificate(nonsense)), certificate);
        assert_eq!(broken(&|files| std::fs::remove_file(files.certificate()).expect("it was there")), certificate);
        std::net::TcpListener::bind(port).expect("the port is free");
    }
}
