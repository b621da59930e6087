//! One execution for many subscribers.
//!
//! Subscriptions that cannot be told apart by what they are answered ([`Shared`]) are a [`group`]: an event that they
//! wait for is executed and written once, and each of them gets the same [`Frame`](super::Frame). Invariants: two
//! subscriptions share only if document, operation, variables, tenant and what the credential may see and do are the
//! same; a subscriber gets every event behind its place, in their order, each once, however slowly it reads; what waits
//! in memory for one is bounded, and the rest waits in the journal. Not here: what an answer says, and how it is framed.

mod group;
mod inbox;
mod key;
mod subscription;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::stream::BoxStream;

use self::{
    group::{Group, Member},
    key::Key,
};
pub(super) use self::{key::Shared, subscription::Subscription};
use super::{answer::Reply, context::Told, place::Item};
use crate::relay::{Feed, Interest};

/// Executes a subscription for what happened.
pub(super) trait Tell: Send + Sync {
    /// One reply for each item, in their order, to the request of that id. Without one, to all who share it: what would have
    /// to name a request is refused then.
    fn tell(
        &self,
        shared: &Shared,
        items: Vec<Item>,
        request_id: Option<Arc<str>>,
    ) -> BoxStream<'static, Reply>;
}

/// All groups.
pub(super) struct Fanout {
    feed: Feed,
    teller: Box<dyn Tell>,
    backlog: usize,
    told: Arc<Told>,
    groups: Mutex<HashMap<Key, Arc<Group>>>,
}

impl Fanout {
    /// Nobody subscribes yet.
    pub(super) fn new(feed: Feed, backlog: usize, told: Arc<Told>, teller: Box<dyn Tell>) -> Arc<Self> {
        Arc::new(Self { feed, teller, backlog, told, groups: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Group>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes somebody a member of its group, which is founded where it is the first.
    fn join(self: &Arc<Self>, shared: Arc<Shared>, interest: Interest) -> Member {
        let key = Key { shared, tenant: interest.tenant.clone() };
        let mut groups = self.lock();
        let group = match groups.get(&key) {
            Some(group) => Arc::clone(group),
            None => {
                let group = Group::found(self, Arc::clone(&key.shared), interest);
                groups.insert(key.clone(), Arc::clone(&group));
                group
            }
        };
        // Still locked: a group that is found here cannot be dissolved before it has this member.
        Member::of(group, key)
    }

    /// Takes a member out of its group, which is dissolved where it was the last.
    fn leave(&self, member: &Member) {
        let mut groups = self.lock();
        if member.group.without(member.id) {
            groups.remove(&member.key);
        }
    }
}

#[cfg(test)]
mod tests;
