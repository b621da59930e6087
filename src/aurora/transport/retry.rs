//! When a call is made a second time.
//!
//! One case so far: a kept-alive connection that Aurora closed while nobody looked. The request meets a dead
//! connection, nothing of an answer arrives, and on a new connection it works. Only reads are repeated.

use super::{Call, Failure};
use crate::aurora::call::Verb;

/// The first try and one more: a second dead connection in a row is no leftover but an outage.
const MOST_TRIES: u32 = 2;

/// Whether another try is allowed after this one failed.
pub(super) fn is_worth_another(call: &Call<'_>, failure: &Failure, tries: u32) -> bool {
    let died_before_any_answer = matches!(failure, Failure::Lost { answering: false, .. });
    call.verb == Verb::Get && died_before_any_answer && tries < MOST_TRIES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::NotConnected;
    use std::sync::Arc;

    #[test]
    fn only_a_read_that_met_a_dead_connection_is_repeated_and_only_once() {
        let lost = |answering| Failure::Lost { cause: Arc::new(NotConnected::KeyExpired), answering };
        let get = Call::get("/tenants/{tenant}/projects", &["t"]);
        let post = Call::new(Verb::Post, "/tenants/{tenant}/projects", &["t"]);
        assert!(is_worth_another(&get, &lost(false), 1));
        assert!(!is_worth_another(&get, &lost(false), 2));
        assert!(!is_worth_another(&get, &lost(true), 1));
        assert!(!is_worth_another(&post, &lost(false), 1));
        assert!(!is_worth_another(&get, &Failure::Timeout, 1));
    }
}
