//! Whose certificates are trusted: the same for what is asked and for what is passed on.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::process::Process;
use crate::support::head;

/// TLS in front of an origin, with a certificate that nobody else issued.
struct Secure {
    address: SocketAddr,
    pem: String,
    _serving: JoinSet<()>,
}

impl Secure {
    async fn before(origin: &Origin) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), origin.addr()));
        Self {
            address,
            pem: made.cert.pem(),
            _serving: serving,
        }
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, behind: SocketAddr) {
    let mut relaying = JoinSet::new();
    loop {
        let (io, _) = listener.accept().await.unwrap();
        let acceptor = acceptor.clone();
        relaying.spawn(async move {
            // Who does not trust us ends the handshake.
            let Ok(mut near) = acceptor.accept(io).await else {
                return;
            };
            let mut far = TcpStream::connect(behind).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "the process reads it")]
fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn config(servers: &[(&str, &Secure)], ca_file: &str) -> String {
    let mut tiers = String::new();
    let mut routes = String::new();
    for (name, server) in servers {
        let url = format!("https://{}", server.address);
        tiers += &format!("  {name}: {{ http: {{ url: '{url}', ca_file: '{ca_file}' }} }}\n");
        routes += &format!("  - {{ name: {name}, match: {{ path: /{name}/ }}, tiers: [{name}] }}\n");
    }
    format!("listen: [{{ address: 127.0.0.1:0 }}]\nadmin: {{ address: 127.0.0.1:0 }}\ntiers:\n{tiers}routes:\n{routes}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ca_file_is_trusted_besides_the_machines_roots_whatever_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await.unwrap();
    origin.put("/x", Resource::pattern(Pattern::new(1, 1), 1000));
    let public = Secure::before(&origin).await;
    let own = Secure::before(&origin).await;
    let strange = Secure::before(&origin).await;
    let ca_file = write(folder.path(), "ca.pem", &own.pem);
    let roots = write(folder.path(), "roots.pem", &public.pem);
    let servers = [("public", &public), ("own", &own), ("strange", &strange)];
    let by = ["env".to_owned(), format!("SSL_CERT_FILE={roots}")];
    let process = Process::start_by(&by, folder.path(), &config(&servers, &ca_file)).await;
    for (name, read, passed) in [("public", 200, 201), ("own", 200, 201), ("strange", 502, 502)] {
        let answer = process.get(&format!("GET /{name}/x")).await;
        assert_eq!(answer.status(), read, "{name}");
        let post = head(process.address, &format!("POST /{name}/x; Content-Length: 0"));
        let answer = raw::get(process.address, post).await.unwrap();
        assert_eq!(answer.status(), passed, "{name}");
    }
    process.kill().await;
}
