//! Finds Aurora's addresses, and says so plainly when there are none: elsewhere a name that leads nowhere looks like
//! any other connection that does not come about.

use std::{io, net::SocketAddr, time::Duration};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Less than a connection may take, so that a resolver that hangs is told from a host that does.
const RESOLVE_TIMEOUT: Duration = Duration::from_millis(1500);

/// The host's name led nowhere.
#[derive(Debug, thiserror::Error)]
#[error("the host's name could not be resolved")]
pub(super) struct Unresolved(#[source] io::Error);

/// The system's resolver.
#[derive(Debug)]
pub(super) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((name.as_str(), 0)));
            let addresses: Vec<SocketAddr> = match found.await {
                Ok(Ok(addresses)) => addresses.collect(),
                Ok(Err(error)) => return Err(Unresolved(error).into()),
                Err(_late) => return Err(Unresolved(io::ErrorKind::TimedOut.into()).into()),
            };
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
