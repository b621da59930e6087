//! What is kept of a new project so that it can be recognised at Aurora when nobody knows whether it was made.
//!
//! A [`Trace`] is what Aurora will repeat, each part as a salted digest: enough to compare with, nothing to read.
//! Invariants: what Aurora changes by itself is never held against a project; a project is "another" only where
//! something says so that Aurora leaves alone. Not here: where one looks, and what follows from it.

use super::{
    Fingerprint, NewProject, Project, fingerprint::Fingerprinter, project::Coordinates, project::NewLocation,
    project::ProjectType,
};

/// The parts that Aurora repeats, as digests. Written as nine bytes each: which part, and its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace(Vec<(Part, [u8; DIGEST])>);

/// Bytes of a digest: beyond chance among the projects that are looked through.
const DIGEST: usize = 8;

/// How much a project is like what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// Everything that was asked for is there.
    Same,
    /// It may be it, changed by somebody or by Aurora.
    Close,
    /// It is another one.
    Other,
}

/// What Aurora repeats of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Part {
    External = 1,
    Name,
    Salutation,
    FirstName,
    LastName,
    Email,
    Phone,
    Mailing,
    Kind,
    Status,
    Tags,
    Address,
    /// The square of about a kilometre that the point lies in: Aurora moves a point to its address.
    Square,
}

/// How much it says that a part is equal, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// The caller's own name for the thing: decides alone.
    Decides,
    /// Aurora leaves it alone, and seldom two have the same.
    Tells,
    /// Many have the same, and it is changed in the course of work.
    Fits,
    /// Aurora corrects it: equal says much, different says nothing.
    Hints,
    /// Aurora keeps its neighbourhood: different says much too.
    Places,
}

impl Part {
    const ALL: [Self; 13] = [
        Self::External,
        Self::Name,
        Self::Salutation,
        Self::FirstName,
        Self::LastName,
        Self::Email,
        Self::Phone,
        Self::Mailing,
        Self::Kind,
        Self::Status,
        Self::Tags,
        Self::Address,
        Self::Square,
    ];

    fn weight(self) -> Weight {
        match self {
            Self::External => Weight::Decides,
            Self::Name | Self::FirstName | Self::LastName | Self::Email | Self::Phone | Self::Mailing => {
                Weight::Tells
            }
            Self::Salutation | Self::Kind | Self::Status | Self::Tags => Weight::Fits,
            Self::Address => Weight::Hints,
            Self::Square => Weight::Places,
        }
    }
}

impl Trace {
    /// The trace of an input. The salt keeps traces of equal inputs from being told as equal.
    #[must_use]
    pub fn of(new: &NewProject, salt: &Fingerprint) -> Self {
        let customer = &new.customer;
        let kind = new.project_type.map(|it| format!("{it:?}"));
        let square = match new.location {
            NewLocation::Address(_) => None,
            NewLocation::Coordinates(point) | NewLocation::Both(_, point) => Some(named(square(point), 0, 0)),
        };
        let texts = [
            (Part::External, new.external_provider_id.clone()),
            (Part::Name, new.name.clone()),
            (Part::Salutation, customer.salutation.clone()),
            (Part::FirstName, customer.first_name.clone()),
            (Part::LastName, customer.last_name.clone()),
            (Part::Email, customer.email.clone()),
            (Part::Phone, customer.phone.clone()),
            (Part::Mailing, new.mailing_address.clone()),
            (Part::Kind, kind),
            (Part::Status, new.status.clone()),
            (Part::Tags, tags(&new.tags)),
            (Part::Address, new.location.address().map(str::to_owned)),
            (Part::Square, square),
        ];
        let digests = texts.into_iter().filter_map(|(part, text)| Some((part, digest(part, &text?, salt))));
        Self(digests.collect())
    }

    /// How much the project is like what was asked for. A list may leave out what the `whole` project has.
    #[must_use]
    pub fn likeness(&self, project: &Project, whole: bool, salt: &Fingerprint) -> Likeness {
        let mut sums = Sums::default();
        let is_asked = |part| self.0.iter().any(|(asked, _)| *asked == part);
        // Aurora makes up no id of the CRM's and no person.
        if !is_asked(Part::External) && project.external_provider_id.is_some() {
            return Likeness::Other;
        }
        let people = [Part::FirstName, Part::LastName, Part::Email, Part::Phone];
        let strange = |part: &&Part| !is_asked(**part) && !shown(**part, project).is_empty();
        sums.amiss += u32::from(people.iter().any(|part| strange(&part)));
        for (part, digest) in &self.0 {
            let (weight, shown) = (part.weight(), shown(*part, project));
            // A place may not be known yet.
            if shown.is_empty() && (!whole || weight == Weight::Places) {
                sums.unseen += 1;
                sums.undecided |= weight == Weight::Decides;
                continue;
            }
            let equal = shown.iter().any(|text| self::digest(*part, text, salt) == *digest);
            match (weight, equal) {
                (Weight::Decides, true) => return Likeness::Same,
                (Weight::Decides, false) => return Likeness::Other,
                (Weight::Tells, true) => sums.telling += 1,
                (Weight::Tells, false) => sums.against += 1,
                (Weight::Fits, true) | (Weight::Hints, false) => {}
                (Weight::Fits, false) => sums.amiss += 1,
                (Weight::Hints | Weight::Places, true) => sums.there += 1,
                (Weight::Places, false) => sums.elsewhere += 1,
            }
        }
        sums.verdict()
    }

    /// The trace as it is kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(part, digest)| std::iter::once(*part as u8).chain(*digest)).collect()
    }

    /// A trace that was kept; nothing where it cannot be read.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let parts = bytes.chunks(1 + DIGEST).map(|chunk| {
            let (tag, digest) = chunk.split_first()?;
            let part = Part::ALL.into_iter().find(|it| *it as u8 == *tag)?;
            Some((part, digest.try_into().ok()?))
        });
        parts.collect::<Option<Vec<_>>>().filter(|parts| !parts.is_empty()).map(Self)
    }
}

/// What was found for and against.
#[derive(Default)]
struct Sums {
    telling: u32,
    against: u32,
    amiss: u32,
    there: u32,
    elsewhere: u32,
    /// What is not shown says nothing.
    unseen: u32,
    undecided: bool,
}

impl Sums {
    fn verdict(&self) -> Likeness {
        let for_it = self.telling + self.there;
        let against = self.against + self.elsewhere;
        if for_it == 0 && against > 0 && !self.undecided {
            return Likeness::Other;
        }
        // The place is right and the people are not: neighbours, or somebody wrote them anew.
        if for_it > 0 && against + self.amiss + self.unseen == 0 { Likeness::Same } else { Likeness::Close }
    }
}

/// What the project shows of a part; for a square, the ones around it too.
fn shown(part: Part, project: &Project) -> Vec<String> {
    let customer = &project.customer;
    let location = project.location.as_ref();
    let one = |text: &Option<String>| text.iter().cloned().collect();
    match part {
        Part::External => one(&project.external_provider_id),
        Part::Name => one(&project.name),
        Part::Salutation => one(&customer.salutation),
        Part::FirstName => one(&customer.first_name),
        Part::LastName => one(&customer.last_name),
        Part::Email => one(&customer.email),
        Part::Phone => one(&customer.phone),
        Part::Mailing => one(&project.mailing_address),
        Part::Kind => match project.project_type {
            Some(kind @ (ProjectType::Residential | ProjectType::Commercial)) => vec![format!("{kind:?}")],
            Some(ProjectType::Other) | None => Vec::new(),
        },
        Part::Status => one(&project.status),
        Part::Tags => one(&tags(&project.tags)),
        Part::Address => location.map(|it| one(&it.property_address)).unwrap_or_default(),
        Part::Square => {
            let point = location.and_then(|it| Coordinates::try_new(it.latitude?, it.longitude?).ok());
            let around = |at| (-1..=1).flat_map(move |n| (-1..=1).map(move |e| named(at, n, e)));
            point.map(|it| around(square(it)).collect()).unwrap_or_default()
        }
    }
}

/// Squares to a degree.
const SQUARES: f64 = 100.0;

fn square(point: Coordinates) -> (f64, f64) {
    ((point.latitude() * SQUARES).floor(), (point.longitude() * SQUARES).floor())
}

fn named((north, east): (f64, f64), steps_north: i32, steps_east: i32) -> String {
    // The adding of nought takes the sign from a negative nought.
    let (north, east) = (north + f64::from(steps_north) + 0.0, east + f64::from(steps_east) + 0.0);
    format!("{north}n{east}e")
}

fn tags(tags: &[String]) -> Option<String> {
    let mut plain: Vec<_> = tags.iter().map(|it| plain(it)).collect();
    plain.sort();
    plain.dedup();
    (!plain.is_empty()).then(|| plain.join("\n"))
}

/// A text as it is compared: neither capitals nor blanks nor marks tell two apart, for Aurora may set them anew.
fn plain(text: &str) -> String {
    super::project::composed(text)
        .chars()
        .flat_map(char::to_lowercase)
        .filter(|it| it.is_alphanumeric())
        .collect()
}

fn digest(part: Part, text: &str, salt: &Fingerprint) -> [u8; DIGEST] {
    // The caller's own id is compared as it is; squares and tags are made here.
    let text = match part {
        Part::External | Part::Square | Part::Tags => text.to_owned(),
        _ => plain(text),
    };
    let whole = Fingerprinter::new("trace").bytes(&salt.0).bytes(&[part as u8]).text(&text).finish();
    let mut short = [0; DIGEST];
    short.copy_from_slice(&whole.0[..DIGEST]);
    short
}

#[cfg(test)]
mod tests;
