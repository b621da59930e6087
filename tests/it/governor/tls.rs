//! Aurora as it is out there: behind TLS, and over HTTP/2. The binary trusts what the system trusts, or `SSL_CERT_FILE`.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Instant,
};

use futures_util::future::join_all;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

use super::{
    black_hole::{HASTY, Proxy},
    *,
};
use crate::{
    load::process::{Running, command},
    world::KEY,
};

/// Ends TLS before Aurora, as a front that offers HTTP/2 does.
struct Front {
    address: SocketAddr,
    /// Of the authority that vouches for it.
    authority: String,
    /// What was agreed on with each connection.
    agreed: Arc<Mutex<Vec<Option<Vec<u8>>>>>,
}

impl Front {
    async fn before(world: &World) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, agreed) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<_>>>::default());
        let (acceptor, log) = (TlsAcceptor::from(Arc::new(tls)), Arc::clone(&agreed));
        let (http, aurora) = (world.http.clone(), world.aurora_url());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
                let (http, aurora) = (http.clone(), aurora.clone());
                tokio::spawn(async move {
                    // Who does not trust us hangs up.
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    log.lock().unwrap().push(stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec));
                    let pass = service_fn(move |request| pass_on(http.clone(), aurora.clone(), request));
                    let _gone =
                        Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), pass).await;
                });
            }
        });
        Self { address, authority: authority.pem(), agreed }
    }

    fn connections(&self) -> usize {
        self.agreed.lock().unwrap().len()
    }
}

async fn pass_on(
    http: reqwest::Client,
    aurora: String,
    request: Request<Incoming>,
) -> Result<Response<String>, reqwest::Error> {
    let path = request.uri().path_and_query().unwrap().as_str();
    let mut passed =
        http.request(request.method().clone(), format!("{}{path}", aurora.trim_end_matches('/')));
    for name in ["authorization", "content-type"] {
        if let Some(value) = request.headers().get(name) {
            passed = passed.header(name, value.clone());
        }
    }
    let answer = passed.send().await?;
    let status = answer.status();
    let mut response = Response::new(answer.text().await?);
    *response.status_mut() = status;
    Ok(response)
}

/// The binary before the Aurora at that address, and where it is.
fn gateway(world: &World, place: &Path, aurora: SocketAddr, trusted: Option<&str>) -> (Running, String) {
    let mut settings: BTreeMap<String, String> = world
        .settings()
        .iter()
        .map(|(key, value)| (key.trim_start_matches("HELIOGRAPH_").to_owned(), value.clone()))
        .collect();
    settings.insert("STORE__PATH".to_owned(), "heliograph.db".to_owned());
    settings.insert("AURORA__BASE_URL".to_owned(), format!("https://{aurora}"));
    let mut serve = command(place, &settings);
    if let Some(authority) = trusted {
        std::fs::write(place.join("authority.pem"), authority).unwrap();
        serve.env("SSL_CERT_FILE", "authority.pem");
    }
    let (running, base, _) = Running::start_logging(serve.arg("serve"), "listens on ", Stdio::null());
    (running, base)
}

async fn read(world: &World, base: &str, number: u32) -> Vec<String> {
    let query = format!(r#"{{ design(designId: "no-{number}") {{ name }} }}"#);
    let request = world.http.post(format!("{base}/graphql")).bearer_auth(KEY);
    Answer::of(request.json(&json!({ "query": query })).send().await.unwrap()).await.errors()
}

#[tokio::test]
async fn where_aurora_offers_http_2_all_calls_share_one_connection_over_tls() {
    let world = World::start().await;
    let (front, place) = (Front::before(&world).await, tempfile::tempdir().unwrap());
    let (_running, base) = gateway(&world, place.path(), front.address, Some(&front.authority));
    assert_eq!(read(&world, &base, 0).await, ["NOT_FOUND at design"]);
    for answer in join_all((1..31).map(|number| read(&world, &base, number))).await {
        assert_eq!(answer, ["NOT_FOUND at design"]);
    }
    assert_eq!(*front.agreed.lock().unwrap(), [Some(b"h2".to_vec())]);
    assert_eq!(world.aurora.calls().len(), 32);
}

#[tokio::test]
async fn an_aurora_that_nobody_vouches_for_is_told_nothing() {
    let world = World::start().await;
    let (front, place) = (Front::before(&world).await, tempfile::tempdir().unwrap());
    let (_running, base) = gateway(&world, place.path(), front.address, None);
    assert_eq!(read(&world, &base, 0).await, ["UPSTREAM_UNAVAILABLE at design"]);
    assert_eq!((front.connections(), world.aurora.calls().len()), (0, 0));
}

#[tokio::test]
async fn a_connection_over_http_2_that_went_dead_costs_at_most_one_request() {
    let world = World::with(|_| {}, &HASTY).await;
    let (front, place) = (Front::before(&world).await, tempfile::tempdir().unwrap());
    let proxy = Proxy::before(&format!("http://{}", front.address)).await;
    let (_running, base) = gateway(&world, place.path(), proxy.address, Some(&front.authority));
    assert_eq!(read(&world, &base, 0).await, ["NOT_FOUND at design"]);
    proxy.swallow();
    let (begun, mut failed) = (Instant::now(), 0);
    while read(&world, &base, 100 + failed).await != ["NOT_FOUND at design"] {
        failed += 1;
    }
    assert!(failed <= 1 && begun.elapsed() <= Duration::from_secs(3), "{failed}: {:?}", begun.elapsed());
    assert_eq!(front.connections(), 2);
}
