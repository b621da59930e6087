//! What a look through Aurora's list says about a creation whose outcome is open. Decides; asks nobody.
//!
//! Invariant: "it did not happen" is said only where nothing in the list could be it, all of the list that could hold
//! it was seen, and Aurora has had the time to carry it out and to show it. In doubt it stays open: a second project
//! is worse than a question.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    clock::{earlier, later},
    domain::{Project, ProjectId, trace::Likeness},
    store::Open,
};

/// How much earlier than our own time the project may say that it was made: our clock and Aurora's differ, and Aurora
/// tells whole seconds.
pub(super) const EARLIER: Duration = Duration::from_secs(60);

/// How much later: the request waits for its turn and travels, and Aurora finishes in its own time what it has begun.
pub(super) const LATER: Duration = Duration::from_secs(5 * 60);

/// How long after its answer was lost a creation that is not in the list may still come: Aurora may be at work on it,
/// and a list may lag behind. Clients of Aurora's wait half of that for an answer.
pub(super) const SETTLING: Duration = Duration::from_secs(60);

/// Looks in vain, this one included, before a creation counts as never done.
const LOOKS: u32 = 2;

/// Projects that the list does not show clearly enough and that are read one by one, for each creation and look. More
/// than a few in these minutes means that somebody is importing, and then nothing can be told.
pub(super) const MOST_READ: usize = 5;

/// What a look saw of the list.
pub(super) struct Sight<'a> {
    /// The projects that may have been made in the time in question, without those that are known to be another's.
    pub(super) projects: &'a [Project],
    /// Whether there cannot be further ones.
    pub(super) complete: bool,
    /// When the look began.
    pub(super) at: Timestamp,
}

/// How it stands with an open creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It gave this project.
    Found(ProjectId),
    /// It did not happen.
    Absent,
    /// Nothing yet: to be looked for again.
    NotYet,
    /// Something may be it, and nothing that can be read tells.
    Unclear,
}

/// Whether a project may have been made by a creation of that start.
pub(super) fn in_time(project: &Project, since: Timestamp) -> bool {
    // A project that does not say when it was made may be any.
    project.created_at.is_none_or(|at| earlier(since, EARLIER) <= at && at <= later(since, LATER))
}

/// What the sight says of a creation; `twins` are the open ones of the same input, itself included, and `judge` says
/// how alike a project is.
pub(super) fn verdict(
    open: &Open,
    sight: &Sight<'_>,
    twins: usize,
    judge: impl Fn(&Project) -> Likeness,
) -> Verdict {
    let (mut same, mut close) = (Vec::new(), 0);
    for project in sight.projects.iter().filter(|it| in_time(it, open.since)) {
        match judge(project) {
            Likeness::Same if project.created_at.is_some() => same.push(project),
            Likeness::Same | Likeness::Close => close += 1,
            Likeness::Other => {}
        }
    }
    // Of equal requests each may have any of the equal projects: the oldest request takes the oldest.
    same.sort_by_key(|it| it.created_at);
    match same.as_slice() {
        [] if close > 0 => Verdict::Unclear,
        [] if !sight.complete => Verdict::NotYet,
        [] if sight.at >= later(open.lost_at, SETTLING) && open.looks + 1 >= LOOKS => Verdict::Absent,
        [] => Verdict::NotYet,
        [first, rest @ ..] if rest.len() < twins => Verdict::Found(first.id.clone()),
        _ => Verdict::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Fingerprint, TenantId, project::Customer};

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn open(looks: u32) -> Open {
        let mark = Fingerprint([0; 32]);
        Open { key: mark, input: mark, since: START, lost_at: START, trace: None, looks }
    }

    fn project(id: &str, at: Option<u64>) -> Project {
        Project {
            tenant: TenantId::parse("t").unwrap(),
            id: ProjectId::parse(id).unwrap(),
            external_provider_id: None,
            name: Some(id.to_owned()),
            customer: Customer::default(),
            mailing_address: None,
            project_type: None,
            status: None,
            location: None,
            tags: Vec::new(),
            created_at: at.map(|it| later(START, Duration::from_secs(it))),
        }
    }

    /// Projects called "s…" are the same, those called "c…" are close.
    fn judged(looks: u32, after: u64, projects: &[Project], complete: bool, twins: usize) -> Verdict {
        let sight = Sight { projects, complete, at: later(START, Duration::from_secs(after)) };
        verdict(&open(looks), &sight, twins, |it| match it.id.as_str().chars().next() {
            Some('s') => Likeness::Same,
            Some('c') => Likeness::Close,
            _ => Likeness::Other,
        })
    }

    fn found(id: &str) -> Verdict {
        Verdict::Found(ProjectId::parse(id).unwrap())
    }

    #[test]
    fn one_that_is_the_same_is_it() {
        let list = [project("c", Some(1)), project("s", Some(1)), project("o", Some(1))];
        assert_eq!(judged(0, 1, &list, false, 1), found("s"));
    }

    #[test]
    fn it_did_not_happen_only_after_a_while_and_more_than_one_look_at_all_of_the_list() {
        let list = [project("o", Some(1))];
        assert_eq!(judged(0, 1, &list, true, 1), Verdict::NotYet);
        assert_eq!(judged(5, 59, &list, true, 1), Verdict::NotYet);
        assert_eq!(judged(0, 600, &list, true, 1), Verdict::NotYet);
        assert_eq!(judged(1, 600, &list, false, 1), Verdict::NotYet);
        assert_eq!(judged(1, 60, &list, true, 1), Verdict::Absent);
    }

    #[test]
    fn what_may_be_it_keeps_it_open_for_ever() {
        assert_eq!(judged(9, 600, &[project("c", Some(1))], true, 1), Verdict::Unclear);
        assert_eq!(judged(9, 600, &[project("s", None)], true, 1), Verdict::Unclear, "made who knows when");
    }

    #[test]
    fn of_several_none_is_taken_unless_as_many_were_asked_for() {
        let list = [project("s2", Some(2)), project("s1", Some(1))];
        assert_eq!(judged(9, 600, &list, true, 1), Verdict::Unclear);
        assert_eq!(judged(9, 600, &list, true, 2), found("s1"));
    }

    #[test]
    fn what_was_made_at_another_time_is_another() {
        let list = [project("s1", Some(301)), project("c", Some(400))];
        assert_eq!(judged(1, 600, &list, true, 1), Verdict::Absent);
        let list = [project("s1", Some(300))];
        assert_eq!(judged(1, 600, &list, true, 1), found("s1"));
    }
}
