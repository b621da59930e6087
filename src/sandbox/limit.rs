//! Aurora's limit: so many requests per key in any 60 seconds.
//!
//! [`Windows`] slides, it does not tick: a burst at the end of one minute counts against the next.
//! Invariant: a refused request is not counted, so waiting as told is always enough.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use axum::http::StatusCode;

use super::answer::Refusal;
use super::clock::Moment;
use super::config::RetryAfterForm;

const WINDOW: Duration = Duration::from_secs(60);

/// What each key did lately.
#[derive(Debug, Default)]
pub(super) struct Windows {
    by_key: HashMap<String, VecDeque<Moment>>,
}

impl Windows {
    /// Counts one request, or says how long to wait. A limit of 0 is none.
    pub(super) fn take(&mut self, key: &str, limit: u32, now: Moment) -> Result<(), Duration> {
        if limit == 0 {
            return Ok(());
        }
        self.forget_idle(now);
        let window = self.by_key.entry(key.to_owned()).or_default();
        while window.front().is_some_and(|first| first.plus(WINDOW) <= now) {
            window.pop_front();
        }
        match window.front() {
            Some(first) if window.len() >= limit as usize => Err(now.until(first.plus(WINDOW))),
            _ => {
                window.push_back(now);
                Ok(())
            }
        }
    }

    fn forget_idle(&mut self, now: Moment) {
        self.by_key.retain(|_, it| it.back().is_some_and(|last| last.plus(WINDOW) > now));
    }
}

/// The 429, saying in the chosen place how long to wait.
pub(super) fn refusal(wait: Duration, form: RetryAfterForm, now: Moment) -> Refusal {
    // Rounded up: told "0 seconds", a client would come straight back.
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    let message = format!("Rate limit exceeded. Retry after {seconds} seconds.");
    let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, &message);
    match form {
        RetryAfterForm::Seconds => refusal.with_retry_after(seconds.to_string()),
        RetryAfterForm::HttpDate => {
            let whole = Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX));
            refusal.with_retry_after(now.plus(whole).http_date())
        }
        RetryAfterForm::BodyOnly => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let mut windows = Windows::default();
        let at = Moment::at_second;
        assert_eq!(windows.take("k", 2, at(0)), Ok(()));
        assert_eq!(windows.take("k", 2, at(50)), Ok(()));
        assert_eq!(windows.take("k", 2, at(55)), Err(Duration::from_secs(5)));
        assert_eq!(windows.take("k", 2, at(60)), Ok(()));
        assert_eq!(windows.take("k", 2, at(61)), Err(Duration::from_secs(49)));
    }

    #[test]
    fn each_key_has_its_own_window_and_idle_ones_are_forgotten() {
        let mut windows = Windows::default();
        assert_eq!(windows.take("a", 1, Moment::at_second(0)), Ok(()));
        assert_eq!(windows.take("b", 1, Moment::at_second(1)), Ok(()));
        assert_eq!(windows.take("b", 1, Moment::at_second(100)), Ok(()));
        assert_eq!(windows.by_key.len(), 1);
    }
}
