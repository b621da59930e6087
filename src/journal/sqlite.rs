//! The journal in a database file.
//!
//! Every question is one function of a connection in the files beside this one; here they are given their
//! transaction. The ring and the heads move on the writer's thread, in the order of the commits.

pub(super) mod again;
mod announce;
mod append;
mod compare;
mod damaged;
mod forget;
mod read;
mod row;
mod stretch;
mod tally;
mod tenants;
#[cfg(test)]
mod tests;
mod unreadable;
mod whose;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::{sync::watch, time::timeout};
use unreadable::Unreadable;

use super::{
    Announced, Appended, Aside, Compared, Error, Filter, Heads, Health, Journal, Outcome, Pruned, Sighting,
    Slice, Stretch, Waiting, ring::Ring,
};
use crate::{
    clock::{self, Clock},
    domain::{Delivery, Event, ProjectId, Seq, TenantId, event::Switch, viewer::Tenants},
    sqlite::{self, Db},
};

/// The journal in a database file.
#[derive(Debug)]
pub struct SqliteJournal {
    db: Db,
    clock: Clock,
    live: Arc<Live>,
}

/// What is known without asking the file.
#[derive(Debug)]
struct Live {
    ring: Mutex<Ring>,
    heads: watch::Sender<Heads>,
    unreadable: Arc<Unreadable>,
    /// Repeats since the start. They change nothing in the file, and are worth no write of their own.
    repeats: Mutex<tally::Repeats>,
}

/// Tenants and events whose repeats are counted apart. The names of events are whatever Aurora sends.
const REPEATS_COUNTED: usize = 10_000;

/// How long a reading waits until what cannot be read is out of the way. A disk that hangs takes it out when it is back; the
/// relay, which reads, must go on meanwhile.
const TAKING_OUT: Duration = Duration::from_secs(1);

impl Live {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn repeats(&self) -> MutexGuard<'_, tally::Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn repeated(&self, of: (TenantId, String), at: Timestamp) {
        let mut repeats = self.repeats();
        if repeats.len() < REPEATS_COUNTED || repeats.contains_key(&of) {
            let (count, last) = repeats.entry(of).or_insert((0, at));
            (*count, *last) = (*count + 1, at.max(*last));
        }
    }

    fn appended(&self, appended: Appended) {
        if let Appended::New(seq) | Appended::Aside(seq) = appended {
            self.heads.send_modify(|heads| heads.deliveries = heads.deliveries.max(seq));
        }
    }

    fn announced(&self, announced: &Announced) {
        if let Announced::Event(event) = announced {
            self.ring().push(Arc::clone(event));
            self.heads.send_modify(|heads| heads.events = event.seq);
        }
    }
}

impl SqliteJournal {
    /// The journal that the file holds. `clock` tells when a delivery was settled; retention counts from then.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn open(db: Db, clock: Clock) -> Result<Self, Error> {
        let heads = db.read(read::heads).await?;
        let damaged = db.read(|connection| damaged::taken_out(connection, unreadable::COUNTED)).await?;
        if !damaged.is_empty() {
            tracing::warn!(damaged = damaged.len(), "deliveries cannot be read (docs/disk-trouble.md)");
        }
        let live = Live {
            ring: Mutex::new(Ring::new(heads.events)),
            heads: watch::Sender::new(heads),
            unreadable: Arc::new(Unreadable::new(damaged)),
            repeats: Mutex::default(),
        };
        Ok(Self { db, clock, live: Arc::new(live) })
    }

    /// What could be read. The rest is told, and taken out of the way of what is behind it.
    async fn readable(&self, found: read::Found) -> Vec<Waiting> {
        let suspects = self.live.unreadable.suspect(&found.unreadable);
        if !suspects.is_empty() {
            let now = self.clock.now();
            let work =
                move |connection: &_| damaged::take_out(connection, suspects.seqs(), now).map(|()| suspects);
            match timeout(TAKING_OUT, self.db.write_then(work, |met| met.met())).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::debug!(%error, "deliveries that cannot be read stay in the way until the next are read");
                }
                Err(_) => {
                    tracing::debug!("deliveries that cannot be read stay in the way until the disk is back")
                }
            }
        }
        found.waiting
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn append(&self, delivery: Delivery) -> Result<Appended, Error> {
        let (now, live) = (self.clock.now(), Arc::clone(&self.live));
        let repeated = delivery.tenant.clone().zip(Some(delivery.name.clone()));
        let at = delivery.received_at;
        let work = move |connection: &_| append::append(connection, delivery, now);
        let then = move |appended: &Appended| match (*appended, repeated) {
            (Appended::Repeat, Some(of)) => live.repeated(of, at),
            (appended, _) => live.appended(appended),
        };
        Ok(self.db.write_then(work, then).await?)
    }

    async fn whose(&self, delivery: &Delivery) -> Result<Option<TenantId>, Error> {
        let (design, project) = (delivery.design.clone(), delivery.project.clone());
        let work = move |connection: &_| whose::of(connection, design.as_ref(), project.as_ref());
        Ok(self.db.read(work).await?)
    }

    async fn claim(&self) -> Result<usize, Error> {
        let mut claimed = 0;
        loop {
            let found = self.readable(self.db.read(whose::claimable).await?).await;
            let more = found.len() == whose::BATCH;
            for Waiting { seq, .. } in found {
                let (now, live) = (self.clock.now(), Arc::clone(&self.live));
                let work = move |connection: &_| append::claim(connection, seq, now);
                let then = move |appended: &Option<Appended>| {
                    appended.iter().for_each(|appended| live.appended(*appended));
                };
                claimed += usize::from(self.db.write_then(work, then).await?.is_some());
            }
            if !more {
                return Ok(claimed);
            }
        }
    }

    async fn compare(&self, sighting: Sighting) -> Result<Compared, Error> {
        let (now, live) = (self.clock.now(), Arc::clone(&self.live));
        let work = move |connection: &_| compare::compare(connection, &sighting, now);
        let then = move |compared: &Compared| {
            if let Compared::Missed(seq) = compared {
                live.appended(Appended::New(*seq));
            }
        };
        Ok(self.db.write_then(work, then).await?)
    }

    async fn watch(&self, tenant: &TenantId) -> Result<Timestamp, Error> {
        let (tenant, now) = (tenant.clone(), self.clock.now());
        Ok(self.db.write(move |connection| tenants::watch(connection, &tenant, now)).await?)
    }

    async fn passed(&self, tenant: &TenantId) -> Result<(), Error> {
        let (tenant, now) = (tenant.clone(), self.clock.now());
        Ok(self.db.write(move |connection| tenants::passed(connection, &tenant, now)).await?)
    }

    async fn active_projects(
        &self,
        tenant: &TenantId,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<ProjectId>, Error> {
        let tenant = tenant.clone();
        let work = move |connection: &_| tenants::active_projects(connection, &tenant, since, limit);
        Ok(self.db.read(work).await?)
    }

    async fn tenants(&self, limit: usize) -> Result<Vec<TenantId>, Error> {
        Ok(self.db.read(move |connection| tally::tenants(connection, limit)).await?)
    }

    async fn switch(&self, tenant: &TenantId, switch: Switch, at: Timestamp) -> Result<(), Error> {
        let tenant = tenant.clone();
        Ok(self.db.write(move |connection| tenants::switch(connection, &tenant, switch, at)).await?)
    }

    async fn switched_off(&self) -> Result<Vec<TenantId>, Error> {
        Ok(self.db.read(tenants::switched_off).await?)
    }

    async fn health(&self, tenants: Vec<TenantId>) -> Result<Vec<Health>, Error> {
        let repeats = self.live.repeats().clone();
        let work = move |connection: &_| {
            tenants.iter().map(|tenant| tally::health(connection, tenant, &repeats)).collect()
        };
        Ok(self.db.read(work).await?)
    }

    async fn waiting(&self, after: Seq, limit: usize) -> Result<Vec<Waiting>, Error> {
        let found = self.db.read(move |connection| read::waiting(connection, after, limit)).await?;
        Ok(self.readable(found).await)
    }

    async fn waiting_of(&self, tenant: &TenantId, after: Seq, limit: usize) -> Result<Vec<Waiting>, Error> {
        let tenant = tenant.clone();
        let work = move |connection: &_| read::waiting_of(connection, &tenant, after, limit);
        Ok(self.readable(self.db.read(work).await?).await)
    }

    async fn waiting_apart(
        &self,
        tenant: &TenantId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Waiting>, Error> {
        let tenant = tenant.clone();
        let work = move |connection: &_| read::waiting_apart(connection, &tenant, after, limit);
        Ok(self.readable(self.db.read(work).await?).await)
    }

    fn unreadable(&self) -> usize {
        self.live.unreadable.count()
    }

    async fn announce(&self, seq: Seq, outcome: Outcome) -> Result<Announced, Error> {
        let (now, live) = (self.clock.now(), Arc::clone(&self.live));
        let work = move |connection: &_| match announce::announce(connection, seq, outcome, now) {
            // It was sound when it was read, and is not now: it would hold its lane up for ever.
            Err(error) if damaged::take_out_one(connection, seq, now)? => {
                Ok((Announced::Already, Some((seq, error))))
            }
            announced => announced.map(|announced| (announced, None)),
        };
        let then = move |(announced, damaged): &(Announced, Option<_>)| {
            live.announced(announced);
            live.unreadable.tell(damaged);
        };
        Ok(self.db.write_then(work, then).await?.0)
    }

    async fn events(
        &self,
        tenant: &TenantId,
        filter: &Filter,
        after: Option<Seq>,
        limit: usize,
    ) -> Result<Slice, Error> {
        let live = after.and_then(|after| self.live.ring().slice(tenant, filter, after, limit));
        if let Some(slice) = live {
            return Ok(slice);
        }
        let (tenant, filter) = (tenant.clone(), filter.clone());
        let found = self.db.read(move |connection| read::events(connection, &tenant, &filter, after, limit));
        let read = found.await?.map_err(|oldest| Error::Expired { oldest })?;
        self.live.unreadable.tell(&read.unreadable);
        Ok(read.slice)
    }

    async fn stretch(&self, of: &Tenants, after: Seq, limit: usize) -> Result<Stretch, Error> {
        let live = self.live.ring().stretch(of, after, limit);
        if let Some(stretch) = live {
            return Ok(stretch);
        }
        let of = of.clone();
        let work = move |connection: &_| stretch::stretch(connection, &of, after, limit);
        let (stretch, unreadable) = self.db.read(work).await?;
        self.live.unreadable.tell(&unreadable);
        Ok(stretch)
    }

    fn recent(&self, after: Seq) -> Option<Vec<Arc<Event>>> {
        self.live.ring().since(after)
    }

    fn heads(&self) -> watch::Receiver<Heads> {
        self.live.heads.subscribe()
    }

    async fn look(&self) -> Result<(), Error> {
        let last = self.db.read(read::heads).await?.deliveries;
        self.live.heads.send_if_modified(|heads| {
            let more = heads.deliveries < last;
            heads.deliveries = heads.deliveries.max(last);
            more
        });
        Ok(())
    }

    async fn aside(&self, limit: usize) -> Result<Aside, Error> {
        let (total, found) = self.db.read(move |connection| read::aside(connection, limit)).await?;
        Ok(Aside { total, newest: self.readable(found).await })
    }

    async fn prune(&self, now: Timestamp, retention: Duration) -> Result<Pruned, Error> {
        let before = clock::earlier(now, retention);
        let mut total = Pruned::default();
        loop {
            let live = Arc::clone(&self.live);
            let work = move |connection: &_| forget::prune(connection, before, now);
            let then = move |batch: &forget::Batch| {
                live.ring().forget(batch.through);
                live.unreadable.forget(&batch.gone);
            };
            let batch = self.db.write_then(work, then).await?;
            total.events += batch.pruned.events;
            total.deliveries += batch.pruned.deliveries;
            total.repeats += batch.pruned.repeats;
            total.completions += batch.pruned.completions;
            if batch.last {
                return Ok(total);
            }
        }
    }

    async fn erase(&self, tenant: &TenantId) -> Result<(), Error> {
        let (tenant, live) = (tenant.clone(), Arc::clone(&self.live));
        let unreadable = Arc::clone(&self.live.unreadable);
        let work = move |connection: &_| {
            forget::erase(connection, &tenant)?;
            forget::gone(connection, unreadable.told())
        };
        let then = move |gone: &Vec<Seq>| {
            live.unreadable.forget(gone);
            let mut ring = live.ring();
            let head = ring.head();
            ring.forget(head);
        };
        Ok(self.db.write_then(work, then).await.map(drop)?)
    }

    fn trouble(&self) -> Option<&'static str> {
        self.db.trouble()
    }
}

impl From<sqlite::Error> for Error {
    fn from(source: sqlite::Error) -> Self {
        Self::Unavailable(Arc::new(source))
    }
}
