//! The limit: what the pure parts decide at any time, and what callers notice, in paused time.

mod lanes;
mod turns;
mod window;

use super::*;
use crate::aurora::Lane;

pub(super) fn bounds(limit: u32) -> Bounds {
    Bounds { per_minute: NonZeroU32::new(limit).unwrap(), at_once: 1_000, queued: 1_000, slow: Duration::MAX }
}

pub(super) fn quota(limit: u32) -> Quota {
    Quota::new(bounds(limit), Clock::system())
}

#[test]
fn one_key_has_one_quota() {
    let quotas = Quotas::new(NonZeroU32::MIN);
    let (one, same) = (quotas.of(&"a".into()), quotas.of(&"a".into()));
    assert!(Arc::ptr_eq(&one, &same));
    assert!(!Arc::ptr_eq(&one, &quotas.of(&"b".into())));
    assert_eq!(quotas.in_use().len(), 1);
    drop((one, same));
    assert!(quotas.in_use().is_empty());
}
