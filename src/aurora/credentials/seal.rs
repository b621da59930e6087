//! Sealing: what lies on disk can be read by a holder of the encryption key only, and only where it was put.
//!
//! A sealed text is `version ‖ id of the encryption key ‖ nonce ‖ AES-256-GCM(text) ‖ tag`. Version, id and place are
//! authenticated with it, so that it opens nowhere else; the id says which encryption key to take while two are
//! accepted, and tells a wrong one from damage.
//!
//! Invariants: each sealing draws a fresh random nonce; what does not open says why, and nothing of what it holds.
//! Not here: where sealed texts are kept, and what is in them.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, MAX_TAG_LEN, NONCE_LEN, Nonce, RandomizedNonceKey};
use secrecy::{ExposeSecret, SecretBox, zeroize::Zeroizing};

use crate::domain::{Fingerprint, fingerprint::Fingerprinter};

const VERSION: u8 = 1;

/// Bytes that name an encryption key: enough that two are told apart, and no help in guessing one of 256 bits.
const ID_LEN: usize = 8;

const HEAD_LEN: usize = 1 + ID_LEN;

/// The encryption keys: the one that seals, and one from before that still opens.
pub(super) struct Seal {
    current: Sealer,
    previous: Option<Sealer>,
}

struct Sealer {
    id: [u8; ID_LEN],
    key: RandomizedNonceKey,
}

/// What was sealed.
pub(super) struct Opened {
    pub(super) text: Zeroizing<Vec<u8>>,
    /// It was sealed under the key from before.
    pub(super) is_of_previous: bool,
}

/// Why a sealed text does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unopened {
    #[error("it was sealed under an encryption key that is not configured")]
    OtherKey,
    #[error("it was damaged, or moved from elsewhere")]
    Damaged,
    #[error("another version of heliograph sealed it")]
    Version,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// None where the cipher does not take the keys, which have the length that it asks for.
    pub(super) fn new(current: &SecretBox<[u8; 32]>, previous: Option<&SecretBox<[u8; 32]>>) -> Option<Self> {
        let previous = match previous {
            Some(key) => Some(Sealer::new(key)?),
            None => None,
        };
        Some(Self { current: Sealer::new(current)?, previous })
    }

    /// Seals a text for one place. None only where the system has no randomness to give.
    pub(super) fn seal(&self, place: &Fingerprint, text: &[u8]) -> Option<Vec<u8>> {
        let sealer = &self.current;
        // Room for the tag at once: grown, it would leave a copy of the text behind in memory.
        let mut sealed = Zeroizing::new(Vec::with_capacity(text.len() + MAX_TAG_LEN));
        sealed.extend_from_slice(text);
        let nonce = sealer.key.seal_in_place_append_tag(bound(sealer.id, place), &mut *sealed).ok()?;
        Some([&head(sealer.id)[..], nonce.as_ref(), &sealed].concat())
    }

    /// Opens what was sealed for that place.
    pub(super) fn open(&self, place: &Fingerprint, sealed: &[u8]) -> Result<Opened, Unopened> {
        let (head, rest) = sealed.split_at_checked(HEAD_LEN).ok_or(Unopened::Damaged)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN).ok_or(Unopened::Damaged)?;
        if head.first() != Some(&VERSION) {
            return Err(Unopened::Version);
        }
        let known = [(Some(&self.current), false), (self.previous.as_ref(), true)];
        let (sealer, is_of_previous) = known
            .into_iter()
            .find_map(|(it, previous)| it.filter(|it| head.get(1..) == Some(&it.id)).zip(Some(previous)))
            .ok_or(Unopened::OtherKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unopened::Damaged)?;
        let mut text = Zeroizing::new(sealed.to_vec());
        let opened = sealer.key.open_in_place(nonce, bound(sealer.id, place), &mut text);
        let length = opened.map_err(|_| Unopened::Damaged)?.len();
        text.truncate(length);
        Ok(Opened { text, is_of_previous })
    }
}

impl Sealer {
    fn new(key: &SecretBox<[u8; 32]>) -> Option<Self> {
        let Fingerprint(print) =
            Fingerprinter::new("id of an encryption key").bytes(key.expose_secret()).finish();
        let id = *print.first_chunk()?;
        Some(Self { id, key: RandomizedNonceKey::new(&AES_256_GCM, key.expose_secret()).ok()? })
    }
}

fn head(id: [u8; ID_LEN]) -> [u8; HEAD_LEN] {
    let mut head = [VERSION; HEAD_LEN];
    head[1..].copy_from_slice(&id);
    head
}

fn bound(id: [u8; ID_LEN], place: &Fingerprint) -> Aad<Vec<u8>> {
    Aad::from([&head(id)[..], &place.0].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> SecretBox<[u8; 32]> {
        SecretBox::new(Box::new([byte; 32]))
    }

    fn seal(current: u8, previous: Option<u8>) -> Seal {
        Seal::new(&key(current), previous.map(key).as_ref()).unwrap()
    }

    fn place(name: &str) -> Fingerprint {
        Fingerprinter::new("place").text(name).finish()
    }

    fn why(opened: Result<Opened, Unopened>) -> Unopened {
        opened.err().unwrap()
    }

    #[test]
    fn a_key_from_before_opens_and_an_unknown_one_is_told_from_damage() {
        let old = seal(1, None).seal(&place("a"), b"text").unwrap();
        let opened = seal(2, Some(1)).open(&place("a"), &old).unwrap();
        assert_eq!((&opened.text[..], opened.is_of_previous), (&b"text"[..], true));
        assert_eq!(why(seal(2, None).open(&place("a"), &old)), Unopened::OtherKey);
        assert_eq!(why(seal(2, Some(3)).open(&place("a"), &old)), Unopened::OtherKey);

        let new = seal(2, Some(1)).seal(&place("a"), b"text").unwrap();
        assert!(!seal(2, None).open(&place("a"), &new).unwrap().is_of_previous);
        assert_eq!(why(seal(2, None).open(&place("b"), &new)), Unopened::Damaged);
        let newer = [&[2][..], &new[1..]].concat();
        assert_eq!(why(seal(2, None).open(&place("a"), &newer)), Unopened::Version);
    }

    #[test]
    fn the_same_text_is_never_sealed_alike_and_nothing_of_it_shows() {
        let seal = seal(1, None);
        let sealed: Vec<_> = (0..50).map(|_| seal.seal(&place("a"), b"tk_of_a_tenant").unwrap()).collect();
        let mut nonces: Vec<_> =
            sealed.iter().map(|it| it[HEAD_LEN..HEAD_LEN + NONCE_LEN].to_vec()).collect();
        nonces.sort();
        nonces.dedup();
        assert_eq!(nonces.len(), 50);
        assert!(
            sealed
                .iter()
                .all(|it| !it.windows(6).any(|part| b"tk_of_a_tenant".windows(6).any(|of| of == part)))
        );
        assert_eq!(format!("{seal:?}"), "Seal(…)");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_in_its_place_and_in_no_other(
            text in prop::collection::vec(any::<u8>(), 0..300), here in ".{0,12}", there in ".{0,12}",
        ) {
            let seal = seal(1, None);
            let sealed = seal.seal(&place(&here), &text).unwrap();
            prop_assert_eq!(&seal.open(&place(&here), &sealed).unwrap().text[..], &text[..]);
            prop_assert_eq!(seal.open(&place(&there), &sealed).is_ok(), here == there);
        }

        #[test]
        fn one_flipped_bit_anywhere_and_it_does_not_open(
            text in prop::collection::vec(any::<u8>(), 0..100), at in any::<prop::sample::Index>(), bit in 0..8_u32,
        ) {
            let seal = seal(1, Some(2));
            let mut sealed = seal.seal(&place("a"), &text).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(seal.open(&place("a"), &sealed).is_err());
        }

        #[test]
        fn a_text_that_was_cut_or_grew_does_not_open(
            text in prop::collection::vec(any::<u8>(), 0..100), at in any::<prop::sample::Index>(),
        ) {
            let seal = seal(1, None);
            let sealed = seal.seal(&place("a"), &text).unwrap();
            prop_assert!(seal.open(&place("a"), &sealed[..at.index(sealed.len())]).is_err());
            prop_assert!(seal.open(&place("a"), &[&sealed[..], &[0]].concat()).is_err());
        }
    }
}
