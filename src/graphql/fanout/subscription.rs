//! One subscriber: what lies between its place and its group's, then what its group hands out.
//!
//! Invariant: its place only moves forward, so nothing comes twice; and it moves over nothing that was not handed on,
//! so nothing is left out.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt, Stream, StreamExt, future::BoxFuture, stream::BoxStream};

use super::{Fanout, Shared, group::Member};
use crate::{
    domain::Seq,
    graphql::{
        answer::Reply,
        place::{Awaited, Place},
    },
    relay::Seat,
};

/// Everything that a subscription is answered.
pub(in crate::graphql) struct Subscription {
    state: State,
    request_id: Arc<str>,
}

enum State {
    /// It has not said yet what it waits for; one that waits for no events answers by itself.
    Asked(Box<Asked>),
    /// Something is to be told to it alone.
    Behind(Following, BoxStream<'static, Reply>),
    /// Its group's answers are the next.
    Live(Following),
    Ended,
}

struct Asked {
    fanout: Arc<Fanout>,
    shared: Arc<Shared>,
    replies: BoxStream<'static, Reply>,
    place: Arc<Place>,
}

struct Following {
    member: Member,
    /// The last place that it has heard everything up to.
    at: Seq,
    _seat: Seat,
    /// Until the tenant switches the application off.
    off: Option<BoxFuture<'static, ()>>,
}

impl Following {
    /// Whether the tenant has switched the application off since this was asked last.
    fn is_switched_off(&mut self, context: &mut Context<'_>) -> bool {
        let off = self.off.as_mut().is_some_and(|it| it.poll_unpin(context).is_ready());
        if off {
            self.off = None;
        }
        off
    }
}

impl Subscription {
    /// One that is asked what it waits for.
    pub(in crate::graphql) fn new(
        fanout: &Arc<Fanout>,
        shared: Arc<Shared>,
        replies: BoxStream<'static, Reply>,
        place: Arc<Place>,
        request_id: &Arc<str>,
    ) -> Self {
        let fanout = Arc::clone(fanout);
        let state = State::Asked(Box::new(Asked { fanout, shared, replies, place }));
        Self { state, request_id: Arc::clone(request_id) }
    }
}

impl Asked {
    fn follow(&self, awaited: Awaited, request_id: &Arc<str>) -> State {
        let Awaited { interest, after, seat, off } = awaited;
        let member = self.fanout.join(Arc::clone(&self.shared), interest);
        let following = |member, at| Following { member, at, _seat: seat, off: Some(off) };
        match after {
            // Read after it became a member, so what is announced from here on finds its way into the inbox.
            None => {
                let at = member.head();
                State::Live(following(member, at))
            }
            // Also where its place is ahead of the group's: whether there is such a place, the journal tells.
            Some(at) => {
                let between = member.catch_up(at, request_id);
                State::Behind(following(member, at), between)
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Reply;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Reply>> {
        let request_id = Arc::clone(&self.request_id);
        loop {
            // First, so that no event follows what tells of the switch.
            if let State::Behind(following, _) | State::Live(following) = &mut self.state
                && following.is_switched_off(context)
            {
                let reason = following.member.switched_off(&request_id);
                if let State::Behind(following, _) | State::Live(following) =
                    std::mem::replace(&mut self.state, State::Ended)
                {
                    self.state = State::Behind(following, reason);
                }
            }
            match &mut self.state {
                State::Asked(asked) => match ready!(asked.replies.poll_next_unpin(context)) {
                    Some(reply) => return Poll::Ready(Some(reply)),
                    None => {
                        self.state =
                            asked.place.awaited().map_or(State::Ended, |it| asked.follow(it, &request_id))
                    }
                },
                State::Behind(following, replies) => match ready!(replies.poll_next_unpin(context)) {
                    Some(reply) => {
                        match reply.as_ref().ok().and_then(|it| it.seq()) {
                            Some(seq) => {
                                following.at = seq;
                                following.member.count();
                            }
                            // Not an event: the reason why there are no more.
                            None => self.state = State::Ended,
                        }
                        return Poll::Ready(Some(reply));
                    }
                    None => {
                        following.at = following.at.max(following.member.since);
                        let State::Behind(following, _) = std::mem::replace(&mut self.state, State::Ended)
                        else {
                            return Poll::Ready(None);
                        };
                        self.state = State::Live(following);
                    }
                },
                State::Live(following) => match ready!(following.member.inbox.poll(context)) {
                    Some(frame) => {
                        let Some(seq) = frame.seq().filter(|it| *it > following.at) else { continue };
                        following.at = seq;
                        following.member.count();
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    None => {
                        following.member.again();
                        let between = following.member.catch_up(following.at, &request_id);
                        let State::Live(following) = std::mem::replace(&mut self.state, State::Ended) else {
                            return Poll::Ready(None);
                        };
                        self.state = State::Behind(following, between);
                    }
                },
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}
