//! A TLS server before another server: what it takes goes there.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::certificates::{Authority, Identity};

/// Its thread ends with the process.
pub struct TlsFront {
    address: SocketAddr,
    config: Arc<Mutex<Arc<ServerConfig>>>,
    handshakes: Arc<AtomicUsize>,
}

impl TlsFront {
    /// Before `upstream`. With an authority of clients, each has to have a certificate.
    pub fn start(upstream: SocketAddr, own: &Identity, clients: Option<&Authority>) -> Self {
        let config = Arc::new(Mutex::new(config(own, clients)));
        let (sender, receiver) = mpsc::channel();
        let theirs = Arc::clone(&config);
        let handshakes = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&handshakes);
        thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let acceptor = TlsAcceptor::from(Arc::clone(&theirs.lock().unwrap()));
                    let count = Arc::clone(&count);
                    actix_rt::spawn(async move {
                        let Ok(mut stream) = acceptor.accept(stream).await else {
                            return;
                        };
                        count.fetch_add(1, Ordering::SeqCst);
                        let mut upstream = TcpStream::connect(upstream).await.unwrap();
                        _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
                    });
                }
            });
        });
        Self {
            address: receiver.recv().unwrap(),
            config,
            handshakes,
        }
    }

    /// The certificate of connections from now on.
    pub fn use_identity(&self, own: &Identity, clients: Option<&Authority>) {
        *self.config.lock().unwrap() = config(own, clients);
    }

    /// By address: for certificates of `127.0.0.1`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// How many connections came about.
    pub fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::SeqCst)
    }
}

fn config(own: &Identity, clients: Option<&Authority>) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            let authority = CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap();
            roots.add(authority).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let certificate = CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    Arc::new(builder.with_single_cert(vec![certificate], key).unwrap())
}
