//! Tenants' keys on disk, sealed, so that a restart needs no new session token.
//!
//! Invariants: a key opens only for the tenant, the Aurora and the application that it was given for; what cannot be
//! opened is passed over and told of, and never stops anything; nothing here is waited for for long.
//! Not here: the cipher ([`seal`](super::seal)), and the file ([`store`](crate::store)).

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretBox, SecretString, zeroize::Zeroizing};
use tokio::time::timeout;

use super::{
    Key,
    key::Span,
    seal::{Seal, Unopened},
};
use crate::{
    clock::later,
    domain::{Fingerprint, TenantId, fingerprint::Fingerprinter},
    store::{SealedKey, Store},
};

/// How long those who wait for a key wait for the disk as well. It is written all the same when the disk comes to it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What tenants' keys are sealed under.
#[derive(Debug, Clone)]
pub struct EncryptionKeys {
    /// Seals and opens.
    pub current: Arc<SecretBox<[u8; 32]>>,
    /// Opens what was sealed before the change to `current`.
    pub previous: Option<Arc<SecretBox<[u8; 32]>>>,
}

/// Where keys are kept, and under what they are sealed.
pub(super) struct Vault {
    store: Store,
    seal: Seal,
    /// Which Aurora and which application the keys are for: those of a sandbox must not go to production.
    realm: Fingerprint,
}

/// A key as it was kept.
pub(super) struct Kept {
    pub(super) tenant: TenantId,
    pub(super) secret: SecretString,
    pub(super) span: Span,
}

impl Vault {
    pub(super) fn new(store: Store, seal: Seal, aurora: &str, application: &str) -> Self {
        let realm = Fingerprinter::new("realm of sealed keys").text(aurora).text(application).finish();
        Self { store, seal, realm }
    }

    /// Keeps a key that ends. One that cannot be kept works all the same, until a restart.
    pub(super) async fn keep(&self, tenant: &TenantId, key: &Key) {
        let Some(row) = key.span().and_then(|span| self.sealed(tenant, key.secret(), span)) else { return };
        self.write(tenant, self.store.keep_sealed_key(self.realm, row)).await;
    }

    /// Forgets a tenant's key.
    pub(super) async fn forget(&self, tenant: &TenantId) {
        self.write(tenant, self.store.forget_sealed_key(self.realm, tenant)).await;
    }

    /// All that can be opened. What was sealed under the encryption key from before is sealed anew.
    pub(super) async fn restore(&self, now: Timestamp) -> Vec<Kept> {
        let most = usize::try_from(super::MOST_TENANTS).unwrap_or(usize::MAX);
        let rows = match self.store.sealed_keys(self.realm, now, most).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, "tenants' keys cannot be read from the store: each is exchanged anew");
                return Vec::new();
            }
        };
        let (mut kept, mut unopened) = (Vec::new(), Vec::new());
        for row in rows {
            match self.open(&row) {
                Ok((it, is_of_previous)) => {
                    if is_of_previous && let Some(row) = self.sealed(&it.tenant, &it.secret, it.span) {
                        self.write(&it.tenant, self.store.keep_sealed_key(self.realm, row)).await;
                    }
                    kept.push(it);
                }
                Err(why) => unopened.push(why),
            }
        }
        for why in [Unopened::OtherKey, Unopened::Damaged, Unopened::Version] {
            let keys = unopened.iter().filter(|it| **it == why).count();
            if keys > 0 {
                tracing::warn!(
                    keys,
                    "{keys} sealed keys of tenants cannot be used: {why}. Each is exchanged anew; is store.encryption_key \
                     the right one?"
                );
            }
        }
        kept
    }

    fn sealed(&self, tenant: &TenantId, secret: &SecretString, span: Span) -> Option<SealedKey> {
        let text = written(span, secret);
        let sealed = self.seal.seal(&self.place(tenant), &text);
        if sealed.is_none() {
            tracing::error!(tenant.id = %tenant, "the key of tenant {tenant} cannot be sealed, and is not kept");
        }
        let expires_at = later(span.received_at, span.life);
        Some(SealedKey { tenant: tenant.clone(), sealed: sealed?, expires_at })
    }

    fn open(&self, row: &SealedKey) -> Result<(Kept, bool), Unopened> {
        let opened = self.seal.open(&self.place(&row.tenant), &row.sealed)?;
        let (span, secret) = read(&opened.text).ok_or(Unopened::Version)?;
        Ok((Kept { tenant: row.tenant.clone(), secret, span }, opened.is_of_previous))
    }

    /// What a sealed key is bound to, beside the encryption key.
    fn place(&self, tenant: &TenantId) -> Fingerprint {
        Fingerprinter::new("sealed key of a tenant").bytes(&self.realm.0).text(tenant.as_str()).finish()
    }

    async fn write(&self, tenant: &TenantId, write: impl Future<Output = Result<(), crate::store::Error>>) {
        match timeout(PATIENCE, write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(tenant.id = %tenant, %error, "the sealed key of tenant {tenant} cannot be written");
            }
            Err(_late) => {
                tracing::warn!(tenant.id = %tenant, "the sealed key of tenant {tenant} waits for a slow store");
            }
        }
    }
}

/// The three numbers of a span, eight bytes each, and the key's own text.
fn written(span: Span, secret: &SecretString) -> Zeroizing<Vec<u8>> {
    let secret = secret.expose_secret().as_bytes();
    let life = i64::try_from(span.life.as_micros()).unwrap_or(i64::MAX);
    // All its room at once: grown, it would leave copies behind in memory.
    let mut text = Zeroizing::new(Vec::with_capacity(3 * size_of::<i64>() + secret.len()));
    for number in [span.received_at.as_microsecond(), span.expires_at.as_microsecond(), life] {
        text.extend_from_slice(&number.to_be_bytes());
    }
    text.extend_from_slice(secret);
    text
}

fn read(text: &[u8]) -> Option<(Span, SecretString)> {
    let (received_at, rest) = text.split_first_chunk()?;
    let (expires_at, rest) = rest.split_first_chunk()?;
    let (life, secret) = rest.split_first_chunk()?;
    let at = |bytes: &[u8; 8]| Timestamp::from_microsecond(i64::from_be_bytes(*bytes)).ok();
    let life = Duration::from_micros(u64::try_from(i64::from_be_bytes(*life)).ok()?);
    let span = Span { received_at: at(received_at)?, expires_at: at(expires_at)?, life };
    Some((span, SecretString::from(std::str::from_utf8(secret).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_a_key_is_read_again() {
        let received_at: Timestamp = "2026-06-21T12:00:00.123456Z".parse().unwrap();
        let life = Duration::from_secs(46_800);
        let span = Span { received_at, expires_at: later(received_at, 2 * life), life };
        let text = written(span, &"tk_ü".into());
        let (read_span, secret) = read(&text).unwrap();
        assert_eq!((read_span, secret.expose_secret()), (span, "tk_ü"));
        for length in 0..24 {
            assert!(read(&text[..length]).is_none(), "{length}");
        }
        assert!(read(&[&text[..24], &[0xff]].concat()).is_none());
    }
}
