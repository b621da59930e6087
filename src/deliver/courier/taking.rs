//! Reading on in the journal, as far as the desk has room.

use super::{
    super::desk::{Replay, ReplayKey},
    Courier,
};
use crate::{
    domain::{Event, MessageType, Seq, viewer::Tenants},
    journal,
};

/// Events read from the journal in one go.
const PAGE: usize = 256;

impl Courier {
    /// A page of what is to be sent once more, and one of what is new: neither waits for the other. Says whether there may
    /// be more.
    pub(super) async fn take_in(&mut self) -> Result<bool, journal::Error> {
        let again = self.take_in_again().await?;
        Ok(self.take_in_new().await? || again)
    }

    async fn take_in_new(&mut self) -> Result<bool, journal::Error> {
        let head = self.heads.borrow_and_update().events;
        let takes = self.desk.takes_more();
        let from = if takes { self.desk.scanned } else { self.desk.ahead.through.max(self.desk.scanned) };
        if from >= head {
            return Ok(false);
        }
        let stretch = self.means.journal.stretch(&self.tenants, from, PAGE).await?;
        let whole = stretch.events.len() < PAGE;
        for event in stretch.events {
            if !takes {
                self.desk.ahead.through = event.seq;
                if self.wants(&event) {
                    self.desk.count_ahead(&event);
                }
            } else if !self.wants(&event) || self.desk.admit(&event) {
                self.desk.scanned_to(event.seq);
            } else {
                // Full: the rest is counted at the next turn.
                self.tell_gap(stretch.gone);
                return Ok(true);
            }
        }
        if whole && takes {
            self.desk.scanned_to(head);
        } else if whole {
            self.desk.ahead.through = self.desk.ahead.through.max(head);
        }
        self.tell_gap(stretch.gone);
        Ok(!whole)
    }

    /// What is gone is told when its place is passed, which is once.
    fn tell_gap(&mut self, gone: Option<Seq>) {
        if gone.is_some_and(|gone| gone <= self.desk.scanned) {
            tracing::error!(
                target.name = self.name,
                "events are gone from the journal that were not yet sent"
            );
            self.desk.found_gap(self.means.clock.now());
        }
    }

    async fn take_in_again(&mut self) -> Result<bool, journal::Error> {
        match self.desk.replays.first_key_value().map(|(key, it)| (key.clone(), *it)) {
            Some((key, replay)) if self.desk.takes_more_again() => self.replay(&key, replay).await,
            _ => Ok(false),
        }
    }

    /// Says whether any of it was taken in.
    async fn replay(&mut self, key: &ReplayKey, replay: Replay) -> Result<bool, journal::Error> {
        let (tenant, through) = key;
        let only = Tenants::Only(vec![tenant.clone()]);
        let stretch = self.means.journal.stretch(&only, replay.after, PAGE).await?;
        let whole = stretch.events.len() < PAGE;
        for (at, event) in stretch.events.iter().take_while(|it| it.seq <= *through).enumerate() {
            if self.wants(event) && !self.desk.admit_again(event, replay.since) {
                // No room, or its lane is being served: when that has ended, this goes on.
                return Ok(at > 0);
            }
            self.desk.replayed_to(key, event.seq);
        }
        if whole || stretch.events.last().is_some_and(|it| it.seq >= *through) {
            self.desk.replayed_to(key, *through);
        }
        Ok(true)
    }

    fn wants(&self, event: &Event) -> bool {
        self.tenants.include(&event.tenant) && self.types.contains(&MessageType::of(&event.delivery))
    }
}
