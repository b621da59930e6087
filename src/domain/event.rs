//! What happened at Aurora, as we heard of it.
//!
//! A [`Delivery`] is one webhook as it came. An [`Event`] is what subscribers hear: a delivery whose tenant is
//! known, that is no repeat, and that has been given its place in the one order that cursors refer to.

use std::time::Duration;

use jiff::Timestamp;

use super::{DesignId, Fingerprint, JobId, ProjectId, TenantId, fingerprint::Fingerprinter};

/// A place in the order of deliveries, or in the order of events. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

/// The events that have a type of their own; Aurora's set is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// `performance_simulation_job_completed`: the sign that a design is complete.
    PerformanceSimulationJobCompleted,
    /// `project_created`
    ProjectCreated,
    /// `project_changed`
    ProjectChanged,
    /// `agreement_status_changed`
    AgreementStatusChanged,
    /// Any other name.
    Other,
}

impl EventKind {
    /// The kind of an event by Aurora's name for it.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            COMPLETED => Self::PerformanceSimulationJobCompleted,
            "project_created" => Self::ProjectCreated,
            "project_changed" => Self::ProjectChanged,
            "agreement_status_changed" => Self::AgreementStatusChanged,
            _ => Self::Other,
        }
    }
}

/// How a job ended. Only [`Succeeded`](Self::Succeeded) is success; the others are kept, never mistaken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// `succeeded`
    Succeeded,
    /// `failed`
    Failed,
    /// Any other word, or none.
    Other,
}

impl JobStatus {
    /// The status by Aurora's word for it.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            SUCCEEDED => Self::Succeeded,
            "failed" => Self::Failed,
            _ => Self::Other,
        }
    }
}

/// How the gateway came to know of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Source {
    /// Aurora's webhook told.
    #[default]
    Webhook,
    /// The webhook never came; looking at Aurora told.
    Reconciled,
}

/// What a tenant has done to the application in its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Enabled it.
    On,
    /// Disabled it.
    Off,
}

/// One webhook as it came, without its session token: that is a secret and is never kept with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Aurora's name for the event.
    pub name: String,
    /// Whose it is, if the delivery said so, Aurora has shown its ids to one tenant only, or a default is configured.
    pub tenant: Option<TenantId>,
    /// The design it concerns.
    pub design: Option<DesignId>,
    /// The project it concerns.
    pub project: Option<ProjectId>,
    /// The job that ended.
    pub job: Option<JobId>,
    /// The status in Aurora's own word.
    pub status: Option<String>,
    /// Every parameter but the session token, in the order in which it came, the named ones included.
    pub parameters: Vec<(String, String)>,
    /// When it reached us.
    pub received_at: Timestamp,
    /// How we came to know.
    pub source: Source,
}

/// Aurora's name for the sign that a design is complete.
pub const COMPLETED: &str = "performance_simulation_job_completed";

/// Aurora's word for a job that did its work.
pub const SUCCEEDED: &str = "succeeded";

/// Aurora's name for a tenant's switching the application on or off.
const APP_STATUS_CHANGED: &str = "app_status_changed";

/// As long as Aurora may still repeat a delivery: its retries end after about 24 hours; twice that is safe.
pub const REPEAT_WINDOW: Duration = Duration::from_secs(48 * 60 * 60);

/// Events that happen once to a thing: an equal delivery is never news, however late it comes.
const ONCE: [&str; 2] = ["project_created", "design_created"];

/// For events with neither job nor status (`project_changed`), a later equal delivery is soon a genuine one.
/// An hour covers the rungs of Aurora's ladder that follow a lost answer: 30 s, 5 min, 30 min.
const PLAIN_REPEAT_WINDOW: Duration = Duration::from_secs(60 * 60);

/// How a repeat of a delivery is told from news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// An equal delivery within the window is a repeat.
    Within(Fingerprint, Duration),
    /// Equal deliveries may both be news: only the re-read summary can tell. Where it could not be read, an equal
    /// delivery within the window is a repeat of one that was announced unread.
    ByRereading(Fingerprint, Duration),
}

impl Delivery {
    /// The kind of event.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        EventKind::of(&self.name)
    }

    /// How the job ended.
    #[must_use]
    pub fn job_status(&self) -> JobStatus {
        self.status.as_deref().map_or(JobStatus::Other, JobStatus::of)
    }

    /// A finished performance simulation: the news that subscribers of completed designs wait for.
    #[must_use]
    pub fn is_completion(&self) -> bool {
        self.kind() == EventKind::PerformanceSimulationJobCompleted
            && self.job_status() == JobStatus::Succeeded
    }

    /// What the tenant has done to the application, if the delivery tells of that. Which application types get this
    /// event and how its status is spelt is not certain, so letters may be of either case.
    #[must_use]
    pub fn switch(&self) -> Option<Switch> {
        let status = self.status.as_deref().filter(|_| self.name == APP_STATUS_CHANGED)?;
        match status.trim().to_ascii_lowercase().as_str() {
            "enabled" => Some(Switch::On),
            "disabled" => Some(Switch::Off),
            _ => None,
        }
    }

    /// The delivery that would undo this one. What switches on and off again tells the same twice, and means it.
    #[must_use]
    pub fn undone(&self) -> Option<Self> {
        let other = match self.switch()? {
            Switch::On => "disabled",
            Switch::Off => "enabled",
        };
        let mut undone = Self { status: Some(other.to_owned()), ..self.clone() };
        let status = undone.parameters.iter_mut().find(|(name, _)| name == "status");
        status.into_iter().for_each(|(_, value)| other.clone_into(value));
        Some(undone)
    }

    /// How to tell a repeat of this delivery. The same event, tenant, ids, job and status make a repeat; the
    /// session token, being new in each try, is no part of it.
    #[must_use]
    pub fn repeat(&self) -> Repeat {
        let told_by_content = self.job.is_none() && self.status.is_none();
        let mut telling: Vec<_> = self
            .parameters
            .iter()
            .filter(|(name, _)| name.ends_with("_id") || name == "status" || told_by_content)
            .filter(|(name, value)| name != "tenant_id" && !value.is_empty())
            .collect();
        telling.sort_unstable();
        telling.dedup();
        let mut parts =
            Fingerprinter::new("delivery").text(&self.name).maybe(self.tenant.as_ref().map(TenantId::as_str));
        for (name, value) in telling {
            parts = parts.text(name).text(value);
        }
        if self.is_completion() && self.job.is_none() {
            return Repeat::ByRereading(parts.finish(), REPEAT_WINDOW);
        }
        let soon_news = told_by_content && !ONCE.contains(&self.name.as_str());
        let window = if soon_news { PLAIN_REPEAT_WINDOW } else { REPEAT_WINDOW };
        Repeat::Within(parts.finish(), window)
    }
}

/// What subscribers hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place: what a cursor refers to.
    pub seq: Seq,
    /// Whose it is.
    pub tenant: TenantId,
    /// The project it concerns, also where the delivery named only the design.
    pub project: Option<ProjectId>,
    /// The delivery that told of it.
    pub delivery: Delivery,
    /// Whether the design's summary was read before it was announced.
    pub summary_read: bool,
    /// The place of the event that this one tells again, because an operator wanted it told again.
    pub replay_of: Option<Seq>,
}

impl Event {
    /// The kind of event.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        self.delivery.kind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(name: &str, parameters: &[(&str, &str)]) -> Delivery {
        let value = |wanted: &str| {
            parameters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned())
        };
        Delivery {
            name: name.to_owned(),
            tenant: value("tenant_id").and_then(|it| TenantId::parse(&it).ok()),
            design: value("design_id").and_then(|it| DesignId::parse(&it).ok()),
            project: value("project_id").and_then(|it| ProjectId::parse(&it).ok()),
            job: value("job_id").and_then(|it| JobId::parse(&it).ok()),
            status: value("status"),
            parameters: parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            received_at: Timestamp::UNIX_EPOCH,
            source: Source::Webhook,
        }
    }

    const DONE: &str = "performance_simulation_job_completed";

    #[test]
    fn order_of_parameters_and_unknown_extras_do_not_make_news() {
        let one = delivery(DONE, &[("design_id", "d"), ("job_id", "j"), ("status", "succeeded")]);
        let other =
            delivery(DONE, &[("status", "succeeded"), ("x", "1"), ("job_id", "j"), ("design_id", "d")]);
        assert_eq!(one.repeat(), other.repeat());
    }

    #[test]
    fn another_job_status_tenant_or_event_makes_news() {
        let base = [("design_id", "d"), ("job_id", "j"), ("status", "succeeded"), ("tenant_id", "t")];
        let one = delivery(DONE, &base).repeat();
        for (at, value) in [(1, "j2"), (2, "failed"), (3, "t2"), (0, "d2")] {
            let mut changed = base;
            changed[at].1 = value;
            assert_ne!(delivery(DONE, &changed).repeat(), one, "{value}");
        }
        assert_ne!(delivery("auto_designer_job_completed", &base).repeat(), one);
    }

    #[test]
    fn a_completion_without_a_job_is_told_by_reading_again() {
        let done = delivery(DONE, &[("design_id", "d"), ("status", "succeeded")]);
        assert!(matches!(done.repeat(), Repeat::ByRereading(_, REPEAT_WINDOW)));
        let failed = delivery(DONE, &[("design_id", "d"), ("status", "failed")]);
        assert!(matches!(failed.repeat(), Repeat::Within(_, REPEAT_WINDOW)));
    }

    #[test]
    fn a_change_of_other_attributes_is_news() {
        let one = delivery("project_changed", &[("project_id", "p"), ("attributes", "name")]);
        let other = delivery("project_changed", &[("project_id", "p"), ("attributes", "status")]);
        assert_ne!(one.repeat(), other.repeat());
        assert!(matches!(one.repeat(), Repeat::Within(_, PLAIN_REPEAT_WINDOW)));
    }

    #[test]
    fn what_happens_once_is_a_repeat_for_as_long_as_aurora_repeats() {
        for name in ONCE {
            let created = delivery(name, &[("project_id", "p"), ("source", "app")]);
            assert!(matches!(created.repeat(), Repeat::Within(_, REPEAT_WINDOW)), "{name}");
        }
    }

    #[test]
    fn only_the_one_word_is_success() {
        for text in ["Succeeded", "success", "", "succeeded ", "failed"] {
            assert_ne!(JobStatus::of(text), JobStatus::Succeeded, "{text:?}");
        }
    }

    #[test]
    fn an_application_is_switched_by_its_own_event_only() {
        let switch = |name, status| delivery(name, &[("tenant_id", "t"), ("status", status)]).switch();
        assert_eq!(switch(APP_STATUS_CHANGED, "disabled"), Some(Switch::Off));
        assert_eq!(switch(APP_STATUS_CHANGED, "Enabled"), Some(Switch::On));
        assert_eq!(switch(APP_STATUS_CHANGED, "suspended"), None);
        assert_eq!(switch("agreement_status_changed", "disabled"), None);
    }
}
