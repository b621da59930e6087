//! Subscribers who are answered alike: what they wait for is executed once, and goes into the inbox of each.
//!
//! A group sleeps without a task until there is something to tell; a task then reads it from the journal, and ends when
//! there is no more. Invariants: whoever becomes a member at a place gets every answer behind that place into its inbox,
//! or is told that one is missing; a group's place only moves forward. Not here: what lies before a member's place.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
};

use futures_util::{
    FutureExt, StreamExt,
    stream::{self, BoxStream},
};

use super::{
    Fanout,
    inbox::Inbox,
    key::{Key, Shared},
};
use crate::{
    domain::{Event, Seq},
    graphql::{
        answer::{Frame, Reply},
        place::{Item, Stopped},
    },
    relay::{Interest, Listener, Registration},
};

pub(super) struct Group {
    fanout: Arc<Fanout>,
    shared: Arc<Shared>,
    interest: Interest,
    state: Mutex<State>,
    /// Its ear; taken away where the last member leaves.
    registration: Mutex<Option<Registration>>,
}

#[derive(Default)]
struct State {
    /// Everything up to here is in the inboxes.
    at: Seq,
    /// Everything up to here is to be told.
    through: Seq,
    /// Whether a task is at it.
    busy: bool,
    members: BTreeMap<u64, Arc<Inbox>>,
    next: u64,
}

/// Somebody's part in a group, until it is dropped.
pub(super) struct Member {
    pub(super) group: Arc<Group>,
    pub(super) key: Key,
    pub(super) id: u64,
    pub(super) inbox: Arc<Inbox>,
    /// What comes behind this goes into the inbox.
    pub(super) since: Seq,
}

impl Group {
    /// A group without members.
    pub(super) fn found(fanout: &Arc<Fanout>, shared: Arc<Shared>, interest: Interest) -> Arc<Self> {
        let group = Arc::new(Self {
            fanout: Arc::clone(fanout),
            shared,
            interest: interest.clone(),
            state: Mutex::default(),
            registration: Mutex::default(),
        });
        let listener: Arc<dyn Listener> = Arc::clone(&group) as _;
        let registration = fanout.feed.listen(interest, &listener);
        group.moved(registration.since);
        *group.ear() = Some(registration);
        group
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ear(&self) -> MutexGuard<'_, Option<Registration>> {
        self.registration.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place behind which everything is still to come.
    fn place(&self, state: &State) -> Seq {
        // One that sleeps has nothing to tell of what has been told to everybody.
        if state.busy { state.at } else { state.at.max(self.fanout.feed.told()) }
    }

    /// Takes a member out. True where it was the last: nothing is heard any more then.
    pub(super) fn without(&self, id: u64) -> bool {
        let mut state = self.lock();
        state.members.remove(&id);
        let last = state.members.is_empty();
        // What speaks into the ear waits for the state, so the state is not held while the ear is taken away.
        drop(state);
        if last {
            let ear = self.ear().take();
            drop(ear);
        }
        last
    }

    /// What there is behind a place, for one member alone.
    pub(super) fn replay(
        self: &Arc<Self>,
        after: Seq,
        through: Seq,
        request_id: &Arc<str>,
    ) -> BoxStream<'static, Reply> {
        let (group, request_id) = (Arc::clone(self), Arc::clone(request_id));
        let pieces = stream::unfold(Some(after), move |place| {
            let (group, request_id) = (Arc::clone(&group), Some(Arc::clone(&request_id)));
            async move {
                let place = place?;
                let read = group.fanout.feed.read(&group.interest, place, through).await;
                Some(match read {
                    Ok(stretch) => {
                        let next = (stretch.reached < through).then_some(stretch.reached);
                        (group.tell(stretch.events.into_iter().map(Ok).collect(), request_id), next)
                    }
                    Err(error) => (group.tell(vec![Err(Stopped::Journal(error))], request_id), None),
                })
            }
        });
        pieces.flatten().boxed()
    }

    fn tell(&self, items: Vec<Item>, request_id: Option<Arc<str>>) -> BoxStream<'static, Reply> {
        if items.is_empty() {
            return stream::empty().boxed();
        }
        self.fanout.told.executions.fetch_add(items.len() as u64, Relaxed);
        self.fanout.teller.tell(&self.shared, items, request_id)
    }

    /// Tells until there is nothing more to tell. What breaks off is told to each member by itself, for it names the
    /// request of each.
    async fn run(self: Arc<Self>) {
        while AssertUnwindSafe(self.work()).catch_unwind().await.is_err() {
            let through = self.lock().through;
            self.lose(through);
        }
    }

    async fn work(&self) {
        while let Some((after, through)) = self.stretch() {
            match self.fanout.feed.read(&self.interest, after, through).await {
                Ok(stretch) => {
                    self.share(stretch.events).await;
                    self.moved(stretch.reached);
                }
                // Each member looks for itself then, and is told by itself what is wrong.
                Err(_told_to_each) => self.lose(through),
            }
        }
    }

    /// What is to be told next. Without anything, the group sleeps.
    fn stretch(&self) -> Option<(Seq, Seq)> {
        let mut state = self.lock();
        if state.at < state.through && !state.members.is_empty() {
            return Some((state.at, state.through));
        }
        state.at = state.at.max(state.through);
        state.busy = false;
        None
    }

    /// Executes events and hands out what comes of it.
    async fn share(&self, events: Vec<Arc<Event>>) {
        let Some(last) = events.last().map(|it| it.seq) else { return };
        let mut replies = self.tell(events.iter().cloned().map(Ok).collect(), None);
        for event in events {
            match replies.next().await {
                Some(Ok(frame)) if frame.seq() == Some(event.seq) => self.hand_out(&frame, event.seq),
                // Refused, or an error that names the request of each: each is told so by itself.
                _ => return self.lose(last),
            }
            // Whoever was woken has its turn now, and the next answer finds room.
            tokio::task::yield_now().await;
        }
    }

    fn hand_out(&self, frame: &Arc<Frame>, seq: Seq) {
        let mut state = self.lock();
        state.at = seq;
        state.members.values().for_each(|inbox| inbox.push(frame));
    }

    /// Sends every member to the journal for what comes behind the group's place.
    fn lose(&self, through: Seq) {
        let mut state = self.lock();
        state.at = state.at.max(through);
        state.members.values().for_each(|inbox| inbox.lose());
    }

    fn moved(&self, reached: Seq) {
        let mut state = self.lock();
        state.at = state.at.max(reached);
    }
}

impl Listener for Group {
    fn announced(self: Arc<Self>, from: Seq, through: Seq) {
        let mut state = self.lock();
        state.through = state.through.max(through);
        if state.busy {
            return;
        }
        state.busy = true;
        state.at = state.at.max(from);
        drop(state);
        tokio::spawn(self.run());
    }
}

impl Member {
    /// Makes somebody a member.
    pub(super) fn of(group: Arc<Group>, key: Key) -> Self {
        let inbox = Arc::new(Inbox::new(group.fanout.backlog));
        let mut state = group.lock();
        let id = state.next;
        state.next += 1;
        state.members.insert(id, Arc::clone(&inbox));
        let since = group.place(&state);
        drop(state);
        Self { group, key, id, inbox, since }
    }

    /// Begins anew after something was left out: what comes behind the new place goes into the inbox again.
    pub(super) fn again(&mut self) {
        let state = self.group.lock();
        self.inbox.reopen();
        self.since = self.group.place(&state);
    }

    /// What lies between a place and what goes into the inbox.
    pub(super) fn catch_up(&self, after: Seq, request_id: &Arc<str>) -> BoxStream<'static, Reply> {
        self.group.replay(after, self.since, request_id)
    }

    /// Says that the tenant has switched the application off.
    pub(super) fn switched_off(&self, request_id: &Arc<str>) -> BoxStream<'static, Reply> {
        self.group.tell(vec![Err(Stopped::SwitchedOff)], Some(Arc::clone(request_id)))
    }

    /// Counts an answer that was handed to its subscriber.
    pub(super) fn count(&self) {
        self.group.fanout.told.answers.fetch_add(1, Relaxed);
    }

    /// The last place that there is now.
    pub(super) fn head(&self) -> Seq {
        self.group.fanout.feed.head()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let fanout = Arc::clone(&self.group.fanout);
        fanout.leave(self);
    }
}
