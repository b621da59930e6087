//! `[server]`: where the gateway listens, and who may call it from a browser.

use std::net::SocketAddr;
use std::time::Duration;

use url::{Origin, Url};

use super::parse;
use super::section::{Reported, Section};

/// Where the gateway listens, and who may call it from a browser.
#[derive(Debug, Clone)]
pub struct Server {
    /// GraphQL, webhooks and the page. Port 0: any free one.
    pub listen: SocketAddr,
    /// Health and metrics, apart from the public listener. Port 0: any free one.
    pub admin_listen: SocketAddr,
    /// Where Aurora reaches this gateway; its path ends in `/`, so that [`Url::join`] adds to it.
    pub public_url: Option<Url>,
    /// Browser origins beside our own.
    pub allowed_origins: Vec<Origin>,
    /// Whether GraphiQL is served at `/graphiql`.
    pub graphiql: bool,
    /// How long a stop waits for work in flight.
    pub drain: Duration,
}

/// Supervisors kill after some minutes; to wait longer would promise what cannot be kept.
const LONGEST_DRAIN: Duration = Duration::from_mins(10);

impl Server {
    pub(super) fn read(mut section: Section<'_, '_>) -> Result<Self, Reported> {
        let listen = section.required("listen", parse::address);
        let admin_listen = section.required("admin_listen", parse::address);
        let public_url = section.optional("public_url", parse::public_url);
        let allowed_origins = section.list("allowed_origins", parse::origin);
        let graphiql = section.required("graphiql", parse::boolean);
        let drain = parse::duration(Duration::ZERO..=LONGEST_DRAIN, "supervisors do not wait longer");
        let drain = section.required("drain", drain);

        let (listen, admin_listen) = (listen?, admin_listen?);
        if clash(listen, admin_listen) {
            return Err(section.refuse("admin_listen", "is the address of `server.listen`; one must move"));
        }
        Ok(Self {
            listen,
            admin_listen,
            public_url: public_url?,
            allowed_origins: allowed_origins?,
            graphiql: graphiql?,
            drain: drain?,
        })
    }
}

/// Whether two listeners want one port. A wildcard address takes the port on every address.
pub(super) fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let same_ip = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && same_ip
}
