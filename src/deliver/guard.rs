//! Where a target may lead, before anything is sent and again at each connection.
//!
//! Invariants: the addresses that were judged are the ones that are connected to, for the judge is the resolver; a private
//! address is reached only under a host that is allowed by name; plain HTTP reaches loopback only, under such a name.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::address::Reach;

/// Why a URL is no target. The text follows the setting's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Complaint {
    /// No URL, or without a host.
    #[error("must be a URL, such as \"https://crm.example/hook\"")]
    NotAUrl,
    /// It could send what it knows to somebody else.
    #[error("must not contain credentials: sign what is sent instead, with `secret`")]
    Credentials,
    /// Never sent, so somebody believes in something that does not happen.
    #[error("must not contain a fragment")]
    Fragment,
    /// Neither https, nor a loopback host that is allowed.
    #[error("must begin with https:// (http:// is for loopback hosts that stand in `allow_private`)")]
    Plain,
    /// An address, or a name that is one by definition, that is not public.
    #[error("leads to a private address: name its host in `allow_private` if that is meant")]
    Private,
    /// Nobody may allow that.
    #[error("leads to an address that is no place for a webhook")]
    Never,
}

/// Every address that a name had was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host leads to an address that it may not have")]
pub(super) struct Refused;

/// Asks the system, or a test, for the addresses of a name.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The judge of one target's host.
#[derive(Clone)]
pub(super) struct Guard {
    allowed: Arc<BTreeSet<String>>,
    plain: bool,
    lookup: Lookup,
}

impl Guard {
    /// The judge for a URL, whose hosts may be private where `allowed` names them.
    ///
    /// # Errors
    /// When the URL can be no target whatever its name resolves to.
    pub(super) fn try_new(url: &Url, allowed: &[String]) -> Result<Self, Complaint> {
        let allowed: BTreeSet<_> = allowed.iter().map(|host| host.to_ascii_lowercase()).collect();
        let lookup: Lookup = Arc::new(|host| Box::pin(system(host)));
        let guard = Self { allowed: Arc::new(allowed), plain: url.scheme() == "http", lookup };
        guard.check(url)?;
        Ok(guard)
    }

    #[cfg(test)]
    pub(super) fn looking_up(self, lookup: Lookup) -> Self {
        Self { lookup, ..self }
    }

    fn check(&self, url: &Url) -> Result<(), Complaint> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Complaint::Credentials);
        }
        if url.fragment().is_some() {
            return Err(Complaint::Fragment);
        }
        let host = url.host().ok_or(Complaint::NotAUrl)?;
        let address = match &host {
            Host::Ipv4(it) => Some(IpAddr::from(*it)),
            Host::Ipv6(it) => Some(IpAddr::from(*it)),
            Host::Domain(_) => None,
        };
        let name = plain_name(&host.to_string());
        let reach = match address {
            Some(address) => Some(Reach::of(address)),
            // RFC 6761: these are loopback, whatever a resolver says.
            None => (name == "localhost" || name.ends_with(".localhost")).then_some(Reach::Loopback),
        };
        let is_allowed = self.allowed.contains(&name);
        match url.scheme() {
            "https" => {}
            "http" if reach == Some(Reach::Loopback) && is_allowed => {}
            _ => return Err(Complaint::Plain),
        }
        match reach {
            Some(Reach::Never) => Err(Complaint::Never),
            Some(Reach::Private | Reach::Loopback) if !is_allowed => Err(Complaint::Private),
            _ => Ok(()),
        }
    }

    /// Those of a name's addresses that may be connected to.
    async fn addresses(
        &self,
        name: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let found = (self.lookup)(name.to_owned()).await?;
        let is_allowed = self.allowed.contains(&plain_name(name));
        let may = |address: &IpAddr| match Reach::of(*address) {
            Reach::Public => !self.plain,
            Reach::Private => is_allowed && !self.plain,
            Reach::Loopback => is_allowed,
            Reach::Never => false,
        };
        // Port 0 stands for the URL's own.
        let good: Vec<_> = found.into_iter().filter(may).map(|it| SocketAddr::new(it, 0)).collect();
        if good.is_empty() { Err(Box::new(Refused)) } else { Ok(good) }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.addresses(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// A host as `allow_private` writes it: in small letters, without brackets and without the dot of the root.
pub(super) fn plain_name(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase()
}

async fn system(host: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((host, 0)).await?.map(|it| it.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(url: &str, allowed: &[&str]) -> Result<(), Complaint> {
        let allowed: Vec<_> = allowed.iter().map(|it| (*it).to_owned()).collect();
        Guard::try_new(&Url::parse(url).unwrap(), &allowed).map(drop)
    }

    #[test]
    fn only_https_to_public_hosts_passes_unless_a_host_is_allowed_by_name() {
        assert_eq!(judge("https://crm.example/hook?key=1", &[]), Ok(()));
        assert_eq!(judge("https://8.8.8.8/", &[]), Ok(()));
        for url in ["http://crm.example/", "http://10.0.0.1/", "http://127.0.0.1/", "ftp://crm.example/"] {
            assert_eq!(judge(url, &["crm.example", "10.0.0.1"]), Err(Complaint::Plain), "{url}");
        }
        for url in ["https://10.0.0.1/", "https://[::1]/", "https://localhost/", "https://a.localhost./"] {
            assert_eq!(judge(url, &["other"]), Err(Complaint::Private), "{url}");
        }
        assert_eq!(judge("https://10.0.0.1/", &["10.0.0.1"]), Ok(()));
        assert_eq!(judge("https://[::ffff:10.0.0.1]/", &["10.0.0.1"]), Err(Complaint::Private));
        assert_eq!(judge("http://[::1]:8080/", &["::1"]), Ok(()));
        assert_eq!(judge("http://LOCALHOST:8080/", &["localhost"]), Ok(()));
    }

    #[test]
    fn an_address_in_another_spelling_is_the_same_address() {
        for url in ["https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/", "https://127.1/"] {
            assert_eq!(judge(url, &[]), Err(Complaint::Private), "{url}");
        }
        assert_eq!(judge("https://2852039166/", &["169.254.169.254"]), Err(Complaint::Never));
    }

    #[test]
    fn credentials_and_fragments_are_refused() {
        assert_eq!(judge("https://user@crm.example/", &[]), Err(Complaint::Credentials));
        assert_eq!(judge("https://:word@crm.example/", &[]), Err(Complaint::Credentials));
        assert_eq!(judge("https://crm.example/#a", &[]), Err(Complaint::Fragment));
    }

    async fn resolved(url: &str, allowed: &[&str], addresses: &[&str]) -> Option<Vec<String>> {
        let url = Url::parse(url).unwrap();
        let allowed: Vec<_> = allowed.iter().map(|it| (*it).to_owned()).collect();
        let found: Vec<IpAddr> = addresses.iter().map(|it| it.parse().unwrap()).collect();
        let guard = Guard::try_new(&url, &allowed).unwrap();
        let guard = guard.looking_up(Arc::new(move |_| Box::pin(std::future::ready(Ok(found.clone())))));
        let good = guard.addresses(url.host_str().unwrap()).await.ok()?;
        Some(good.into_iter().map(|it| it.ip().to_string()).collect())
    }

    #[tokio::test]
    async fn of_a_names_addresses_only_those_are_used_that_it_may_have() {
        let mixed = ["10.0.0.1", "8.8.8.8", "::ffff:127.0.0.1", "169.254.169.254"];
        assert_eq!(resolved("https://crm.example/", &[], &mixed).await.unwrap(), ["8.8.8.8"]);
        assert_eq!(resolved("https://crm.example/", &[], &mixed[2..]).await, None);
        let inside = resolved("https://crm.example/", &["CRM.example"], &mixed).await.unwrap();
        assert_eq!(inside, ["10.0.0.1", "8.8.8.8", "::ffff:127.0.0.1"]);
        assert_eq!(resolved("https://crm.example/", &["other.example"], &["fd00::1"]).await, None);
        assert_eq!(resolved("https://crm.example/", &["crm.example"], &["fd00:ec2::254"]).await, None);
        // A resolver that sends "localhost" elsewhere would carry plain text there.
        assert_eq!(resolved("http://localhost/", &["localhost"], &["8.8.8.8", "10.0.0.1"]).await, None);
    }
}
