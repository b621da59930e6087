//! Places in the order of events as clients hold them: opaque, authentic, and bound to a tenant.
//!
//! A cursor is base64url of: a version byte, a 16-byte tag over tenant and place, and the place hidden under a
//! mask made from the tag. Equal places give equal cursors; nothing of the place, and so nothing of how much other
//! tenants do, can be read from one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::domain::{Seq, TenantId};

const VERSION: u8 = 1;
const TAG_BYTES: usize = 16;
const SEQ_BYTES: usize = 8;
const CURSOR_BYTES: usize = 1 + TAG_BYTES + SEQ_BYTES;

/// A text that is not a cursor of this gateway for this tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor of this tenant")]
pub struct InvalidCursor;

/// Seals and opens cursors with one key.
#[derive(Clone)]
pub struct Cursors {
    tag: Hmac<Sha256>,
    mask: Hmac<Sha256>,
}

impl std::fmt::Debug for Cursors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursors").finish_non_exhaustive()
    }
}

impl Cursors {
    /// Cursors of the key that the store keeps.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let derive = |purpose: &[u8]| keyed(&digest(keyed(key), &[purpose]));
        Self { tag: derive(b"cursor tag"), mask: derive(b"cursor mask") }
    }

    /// The cursor of a place, for one tenant.
    #[must_use]
    pub fn seal(&self, tenant: &TenantId, seq: Seq) -> String {
        let tag = self.tag(tenant, seq);
        let body = self.masked(tenant, &tag, seq.0.to_be_bytes());
        let mut bytes = Vec::with_capacity(CURSOR_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&tag);
        bytes.extend_from_slice(&body);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place that a cursor of this tenant refers to.
    ///
    /// # Errors
    /// When it was not sealed with this key for this tenant.
    pub fn open(&self, tenant: &TenantId, text: &str) -> Result<Seq, InvalidCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let (version, rest) = bytes.split_first().ok_or(InvalidCursor)?;
        let (tag, body) = rest.split_first_chunk::<TAG_BYTES>().ok_or(InvalidCursor)?;
        let body = <[u8; SEQ_BYTES]>::try_from(body).map_err(|_| InvalidCursor)?;
        let seq = Seq(u64::from_be_bytes(self.masked(tenant, tag, body)));
        let authentic = self.tag(tenant, seq).ct_eq(tag);
        if *version == VERSION && bool::from(authentic) { Ok(seq) } else { Err(InvalidCursor) }
    }

    fn tag(&self, tenant: &TenantId, seq: Seq) -> [u8; TAG_BYTES] {
        // The place has a fixed length, so tenant and place cannot run into each other.
        first(&digest(self.tag.clone(), &[&[VERSION], tenant.as_str().as_bytes(), &seq.0.to_be_bytes()]))
    }

    /// Hides the place, or shows it again.
    fn masked(&self, tenant: &TenantId, tag: &[u8; TAG_BYTES], place: [u8; SEQ_BYTES]) -> [u8; SEQ_BYTES] {
        let mask: [u8; SEQ_BYTES] = first(&digest(self.mask.clone(), &[tenant.as_str().as_bytes(), tag]));
        std::array::from_fn(|at| place[at] ^ mask[at])
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC fills a short key up with zeros; doing it here leaves nothing that could fail.
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    Hmac::new(&block.into())
}

fn digest(mut mac: Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn first<const N: usize>(bytes: &[u8; 32]) -> [u8; N] {
    std::array::from_fn(|at| bytes[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::contract::tenant;
    use proptest::prelude::*;

    #[test]
    fn neighbouring_places_share_nothing_readable() {
        let cursors = Cursors::new(&[7; 32]);
        let one = cursors.seal(&tenant("acme"), Seq(1));
        let next = cursors.seal(&tenant("acme"), Seq(2));
        assert_eq!(one, cursors.seal(&tenant("acme"), Seq(1)));
        let same = one.bytes().zip(next.bytes()).skip(2).filter(|(a, b)| a == b).count();
        assert!(same < 8, "{one} {next}");
    }

    #[test]
    fn another_key_or_version_is_refused() {
        let cursor = Cursors::new(&[7; 32]).seal(&tenant("acme"), Seq(1));
        assert_eq!(Cursors::new(&[8; 32]).open(&tenant("acme"), &cursor), Err(InvalidCursor));
        assert_eq!(Cursors::new(&[7; 32]).open(&tenant("acme"), &format!("{cursor}AA")), Err(InvalidCursor));
        assert!(!format!("{:?}", Cursors::new(&[7; 32])).contains('7'));
    }

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_place_for_its_own_tenant_only(
            key: [u8; 32], seq: u64, one in "[a-z]{1,8}", other in "[a-z]{1,8}",
        ) {
            let cursors = Cursors::new(&key);
            let cursor = cursors.seal(&tenant(&one), Seq(seq));
            prop_assert_eq!(cursors.open(&tenant(&one), &cursor), Ok(Seq(seq)));
            prop_assert_eq!(cursors.open(&tenant(&other), &cursor).is_ok(), one == other);
        }

        #[test]
        fn changing_any_letter_of_a_cursor_makes_it_invalid(seq: u64, at in 0_usize..34, by in 1_u8..128) {
            let cursors = Cursors::new(&[7; 32]);
            let mut bytes = cursors.seal(&tenant("acme"), Seq(seq)).into_bytes();
            bytes[at] ^= by;
            let text = String::from_utf8_lossy(&bytes);
            prop_assert_eq!(cursors.open(&tenant("acme"), &text), Err(InvalidCursor));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            prop_assert_eq!(Cursors::new(&[7; 32]).open(&tenant("acme"), &text), Err(InvalidCursor));
        }
    }
}
