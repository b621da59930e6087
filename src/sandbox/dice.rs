//! Chance that comes out the same every time.
//!
//! [`Dice`] are thrown from a text (seed, tenant, house), so a house keeps its figures whatever
//! else happened before it. Own arithmetic (SplitMix64), because a library's generator may change
//! its sequence with a version, and figures written into somebody's CI must not.
//! Not here: secrets. Tokens come from the operating system, see [`keys`](super::keys).

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A repeatable sequence of numbers.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice that belong to these words, in this order.
    pub(super) fn of(words: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for word in words {
            hash.update(word.as_bytes());
            // Keeps ("ab", "c") apart from ("a", "bc").
            hash.update([0]);
        }
        let first = hash.finalize().iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        Self(first)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, and without, `n`.
    pub(super) fn below(&mut self, n: u32) -> u32 {
        // The remainder is below n, which is a u32.
        u32::try_from(self.next() % u64::from(n.max(1))).unwrap_or(0)
    }

    /// A whole number from `low` to `high`, both included.
    pub(super) fn whole(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// A number from `low` up to `high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        const STEPS: u32 = 1 << 24;
        low + (high - low) * f64::from(self.below(STEPS)) / f64::from(STEPS)
    }

    /// True once in `n` throws.
    pub(super) fn once_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    pub(super) fn pick<'a, T, const N: usize>(&mut self, from: &'a [T; N]) -> &'a T {
        &from[self.below(u32::try_from(N).unwrap_or(u32::MAX)) as usize]
    }

    /// Another order.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let other = self.below(u32::try_from(end + 1).unwrap_or(u32::MAX)) as usize;
            items.swap(end, other);
        }
    }

    /// An id: a UUID, or when `opaque` something Aurora might change to one day.
    pub(super) fn id(&mut self, opaque: bool) -> String {
        if opaque {
            return format!("{:016x}.{:x}~", self.next(), self.below(4096));
        }
        let (high, low) = (self.next(), self.next());
        let random = ((u128::from(high) << 64) | u128::from(low)).to_be_bytes();
        uuid::Builder::from_random_bytes(random).into_uuid().to_string()
    }
}

/// A secret nobody can guess, 24 characters as in Aurora's own samples.
pub(super) fn secret() -> String {
    let mut text = Uuid::new_v4().simple().to_string();
    text.truncate(24);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_throw_the_same_numbers() {
        let throw = |words: &[&str]| Dice::of(words).id(false);
        assert_eq!(throw(&["1", "tenant"]), throw(&["1", "tenant"]));
        assert_ne!(throw(&["1", "tenant"]), throw(&["1t", "enant"]));
    }

    #[test]
    fn a_first_id_never_changes_between_versions() {
        assert_eq!(Dice::of(&["1", "tenant-demo"]).id(false), "4a52e8b1-ecd7-40e9-a5f4-351dfa1b830d");
        assert_eq!(Dice(0).next(), 0xE220_A839_7B1D_CDAF);
    }

    #[test]
    fn throws_stay_inside_their_bounds() {
        let mut dice = Dice::of(&["bounds"]);
        for _ in 0..1000 {
            assert!((3..=7).contains(&dice.whole(3, 7)));
            assert!((0.5..1.5).contains(&dice.between(0.5, 1.5)));
        }
    }
}
