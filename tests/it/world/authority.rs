//! An authority of our own that issues certificates, and a listener that shows one.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    },
    server::TlsStream,
};

/// A certificate and its key.
pub(crate) struct Certificate {
    chain: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

/// Issues certificates. Its own lies in a file for as long as it lives.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    place: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let (key, place) = (KeyPair::generate().unwrap(), tempfile::tempdir().unwrap());
        let own = params.self_signed(&key).unwrap();
        std::fs::write(place.path().join("authority.pem"), own.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), place }
    }

    /// Where its own certificate lies.
    pub(crate) fn file(&self) -> PathBuf {
        self.place.path().join("authority.pem")
    }

    /// Vouches for a host.
    pub(crate) fn vouches_for(&self, host: &str) -> Certificate {
        self.issues(CertificateParams::new([host.to_owned()]).unwrap())
    }

    /// Vouched for a host, until long ago.
    pub(crate) fn vouched_for(&self, host: &str) -> Certificate {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_after = date_time_ymd(2020, 1, 1);
        self.issues(params)
    }

    fn issues(&self, params: CertificateParams) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Certificate { chain, key: key.serialize_der().into() }
    }
}

/// Takes connections behind TLS, on loopback.
pub(crate) struct TlsListener {
    plain: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsListener {
    pub(crate) async fn bind(certificate: Certificate) -> Self {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.chain], certificate.key.into())
            .unwrap();
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { plain, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (plain, from) = self.plain.accept().await.unwrap();
            // Who does not trust us goes away.
            if let Ok(secured) = self.acceptor.accept(plain).await {
                return (secured, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.plain.local_addr()
    }
}
