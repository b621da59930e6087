//! Where the metrics find what other parts count.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
};

use super::rotation::Rotation;
use crate::{
    aurora::{Aurora, Ending, Endpoint, Group, Lane, Standing, WAITS, Withheld},
    catalog::{Catalog, Look},
    deliver::{Outbound, Outcome, Target},
    graphql,
    intake::Intake,
    journal::Journal,
    relay::{LAGS, Pace},
    telemetry::metrics::{Figure, Kind, Told, Word},
};

/// The parts that count.
pub(super) struct Counted<'a> {
    pub(super) aurora: &'a Aurora,
    pub(super) catalog: &'a Catalog,
    pub(super) intake: &'a Intake,
    pub(super) rotation: &'a Rotation,
    pub(super) outbound: &'a Outbound,
    pub(super) pace: &'a Arc<Pace>,
    pub(super) told: &'a Arc<graphql::Told>,
    pub(super) journal: &'a Arc<dyn Journal>,
}

/// Every metric that a part of the gateway keeps by itself.
pub(super) fn told(counted: &Counted<'_>) -> Vec<Told> {
    let mut all = calls(counted.aurora);
    all.extend(keys(counted.aurora));
    let catalog = counted.catalog.clone();
    all.push(counter("cache_lookups", "Looks into the cache by what they gave", move || {
        Look::ALL.iter().map(|look| (vec![word("result", look.name())], catalog.looks(*look))).collect()
    }));
    let grants_dropped = counted.intake.grants_dropped();
    all.push(counter("session_tokens_dropped", "Session tokens that nobody took in time", move || {
        vec![(Vec::new(), grants_dropped.load(Ordering::Relaxed))]
    }));
    let rotations = counted.rotation.counts();
    let help = "Secrets that changed while the gateway ran, by what came of it";
    all.push(counter("secret_rotations", help, move || {
        let outcomes = [("taken", rotations.taken()), ("refused", rotations.refused())];
        outcomes.map(|(outcome, count)| (vec![word("outcome", outcome)], count)).into()
    }));
    all.extend(events(counted.told));
    all.extend(announcements(counted.pace));
    all.extend(store(counted.journal));
    all.extend(outbound(counted.outbound));
    all
}

fn events(subscribers: &Arc<graphql::Told>) -> Vec<Told> {
    let (executed, answered) = (Arc::clone(subscribers), Arc::clone(subscribers));
    vec![
        counter("event_executions", "Events executed for all who subscribe alike", move || {
            vec![(Vec::new(), executed.executions.load(Ordering::Relaxed))]
        }),
        counter("event_answers", "Answers with events, handed to subscribers", move || {
            vec![(Vec::new(), answered.answers.load(Ordering::Relaxed))]
        }),
    ]
}

/// How far what is announced is behind what comes.
fn announcements(pace: &Arc<Pace>) -> Vec<Told> {
    let (announced, waiting) = (Arc::clone(pace), Arc::clone(pace));
    let lags = move || {
        let lags = announced.lags();
        vec![(Vec::new(), spread(&LAGS, &lags.counts, lags.sum))]
    };
    vec![
        Told {
            name: "event_lag_seconds",
            help: "Seconds from a delivery to the announcement of its event",
            kind: Kind::Histogram,
            read: Box::new(lags),
        },
        gauge("deliveries_waiting", "Deliveries in memory that wait to be announced", move || {
            vec![(Vec::new(), level(waiting.waiting()))]
        }),
    ]
}

fn store(journal: &Arc<dyn Journal>) -> Vec<Told> {
    let (writable, unreadable) = (Arc::clone(journal), Arc::clone(journal));
    vec![
        gauge("store_writable", "1 while the store takes writes", move || {
            vec![(Vec::new(), f64::from(u8::from(writable.writable())))]
        }),
        gauge("store_unreadable_rows", "Rows that cannot be read and are passed over", move || {
            vec![(Vec::new(), level(unreadable.unreadable()))]
        }),
    ]
}

fn calls(aurora: &Aurora) -> Vec<Told> {
    let of = |aurora: &Aurora| aurora.clone();
    vec![
        counter("upstream_calls", "Calls to Aurora by endpoint, lane and how they ended", {
            let aurora = of(aurora);
            move || {
                let mut all = Vec::new();
                for endpoint in Endpoint::ALL {
                    for lane in Lane::ALL {
                        all.extend(Ending::ALL.map(|ending| {
                            let labels = vec![
                                word("endpoint", endpoint.name()),
                                word("lane", lane.name()),
                                word("outcome", ending.name()),
                            ];
                            (labels, aurora.calls_ended(endpoint, lane, ending))
                        }));
                    }
                }
                all
            }
        }),
        counter("upstream_withheld", "Calls to Aurora that were not made, by lane and reason", {
            let aurora = of(aurora);
            move || {
                let one = |lane: Lane, why: Withheld| {
                    (
                        vec![word("lane", lane.name()), word("reason", why.name())],
                        aurora.calls_withheld(lane, why),
                    )
                };
                Lane::ALL.iter().flat_map(|lane| Withheld::ALL.map(|why| one(*lane, why))).collect()
            }
        }),
        counter("upstream_repeats", "Calls to Aurora that were made again after a failure", {
            let aurora = of(aurora);
            move || vec![(Vec::new(), aurora.calls_repeated())]
        }),
        Told {
            name: "upstream_queue_seconds",
            help: "Seconds that calls to Aurora waited for their turn, by lane",
            kind: Kind::Histogram,
            read: {
                let aurora = of(aurora);
                Box::new(move || {
                    let one = |lane: Lane| {
                        let waits = aurora.waits(lane);
                        (vec![word("lane", lane.name())], spread(&WAITS, &waits.counts, waits.sum))
                    };
                    Lane::ALL.map(one).into()
                })
            },
        },
        gauge("upstream_calls_waiting", "Calls that wait for their turn now", {
            let aurora = of(aurora);
            move || vec![(Vec::new(), level(aurora.calls_waiting()))]
        }),
        gauge("upstream_calls_under_way", "Calls to Aurora that are under way now", {
            let aurora = of(aurora);
            move || vec![(Vec::new(), level(aurora.calls_under_way()))]
        }),
    ]
}

fn keys(aurora: &Aurora) -> Vec<Told> {
    let of = |aurora: &Aurora| aurora.clone();
    vec![
        gauge(
            "upstream_budget_remaining",
            "Calls left in this minute: of the application's key, and of the tightest",
            {
                let aurora = of(aurora);
                move || {
                    let tightest = Some((vec![word("key", "tightest")], f64::from(aurora.tightest_budget())));
                    let application = aurora
                        .application_budget()
                        .map(|it| (vec![word("key", "application")], f64::from(it)));
                    tightest.into_iter().chain(application).collect()
                }
            },
        ),
        gauge("upstream_breakers", "Keys by how their breaker of a group of endpoints stands", {
            let aurora = of(aurora);
            move || {
                let one = |group: Group, standing: Standing| {
                    let labels = vec![word("group", group.name()), word("state", standing.name())];
                    (labels, level(aurora.breakers(group, standing)))
                };
                Group::ALL.iter().flat_map(|group| Standing::ALL.map(|it| one(*group, it))).collect()
            }
        }),
        gauge("upstream_keys", "Keys of Aurora's that are in use", {
            let aurora = of(aurora);
            move || vec![(Vec::new(), level(aurora.keys()))]
        }),
        gauge("upstream_key_age_seconds", "Age of the oldest key that was exchanged; 0 without one", {
            let aurora = of(aurora);
            move || vec![(Vec::new(), aurora.oldest_key().map_or(0.0, |age| age.as_secs_f64()))]
        }),
    ]
}

/// What is counted of the targets of outbound messages. They are those of the configuration.
fn outbound(outbound: &Outbound) -> Vec<Told> {
    let of = |outbound: &Outbound| outbound.clone();
    let target = |target: &Target| word("target", target.name.clone());
    vec![
        counter("outbound_tries", "Tries of outbound messages by target and outcome", {
            let outbound = of(outbound);
            move || {
                let one = |it: &Target, outcome: Outcome| {
                    (vec![target(it), word("outcome", outcome.text())], it.tally.total(outcome))
                };
                outbound
                    .targets()
                    .iter()
                    .flat_map(|it| Outcome::ALL.map(|outcome| one(it, outcome)))
                    .collect()
            }
        }),
        gauge("outbound_pending", "Events that wait for a target", {
            let outbound = of(outbound);
            move || {
                let pending = |it: &Target| usize::try_from(it.tally.pending()).unwrap_or(usize::MAX);
                outbound.targets().iter().map(|it| (vec![target(it)], level(pending(it)))).collect()
            }
        }),
        gauge("outbound_disabled", "Whether nothing is sent to a target any more", {
            let outbound = of(outbound);
            move || {
                let disabled = |it: &Target| level(it.tally.is_disabled().into());
                outbound.targets().iter().map(|it| (vec![target(it)], disabled(it))).collect()
            }
        }),
        gauge("outbound_stalled", "Whether a target gets nothing because its progress cannot be written", {
            let outbound = of(outbound);
            move || {
                let stalled = |it: &Target| level(it.tally.is_stalled().into());
                outbound.targets().iter().map(|it| (vec![target(it)], stalled(it))).collect()
            }
        }),
    ]
}

fn word(name: &'static str, value: impl Into<Cow<'static, str>>) -> Word {
    (name, value.into())
}

fn counter(
    name: &'static str,
    help: &'static str,
    read: impl Fn() -> Vec<(Vec<Word>, u64)> + Send + Sync + 'static,
) -> Told {
    let read = move || read().into_iter().map(|(labels, count)| (labels, Figure::Count(count))).collect();
    Told { name, help, kind: Kind::Counter, read: Box::new(read) }
}

fn gauge(
    name: &'static str,
    help: &'static str,
    read: impl Fn() -> Vec<(Vec<Word>, f64)> + Send + Sync + 'static,
) -> Told {
    let read = move || read().into_iter().map(|(labels, level)| (labels, Figure::Level(level))).collect();
    Told { name, help, kind: Kind::Gauge, read: Box::new(read) }
}

fn level(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn spread(limits: &[f64], counts: &[u64], sum: f64) -> Figure {
    let limits = limits.iter().copied().chain([f64::INFINITY]);
    Figure::Spread { sum, buckets: limits.zip(counts.iter().copied()).collect() }
}
