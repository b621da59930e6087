//! `createProject`: from what a CRM types to what Aurora accepts.
//!
//! Invariant: what a person can mend comes back as `userErrors`; everything else is an error.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::{
    context::Reach,
    error::{self, Code, Failure},
    project::{Project, ProjectType},
};
use crate::{
    catalog::{self, CreateKey, Upstream},
    domain::{
        NewProject,
        project::{Coordinates, Customer, NewLocation, NewProjectType, NoSuchPoint},
    },
};

/// The mutations of this noun.
#[derive(Default)]
pub struct ProjectMutation;

#[Object]
impl ProjectMutation {
    /// Makes a project at Aurora. With an `idempotencyKey` (or, failing that, an `externalProviderId`) the same input
    /// gives the same project for ever, however often it is sent; other input under the same key is
    /// `IDEMPOTENCY_CONFLICT`. Where Aurora's answer was lost the project is looked for, and given if it is found; as
    /// long as it is not known whether it was made, the answer is `OUTCOME_UNKNOWN`, and the same call again is safe.
    /// Without either key, each call makes a project. Costs one call to Aurora, and one more for looking.
    async fn create_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateProjectInput,
    ) -> async_graphql::Result<CreateProjectPayload> {
        let asked = ctx.asked();
        let tenant = asked.tenant(input.tenant_id.as_ref())?;
        let idempotency_key = idempotency_key(input.idempotency_key.as_deref())?;
        let new = match input.check() {
            Ok(new) => new,
            Err(errors) => return Ok(CreateProjectPayload::refused(errors)),
        };
        // Of the checked input, so that blanks around the id do not make another key of it.
        let external_id = || new.external_provider_id.clone().map(CreateKey::ExternalId);
        let key = idempotency_key.or_else(external_id);
        let has_key = key.is_some();
        let catalog = &ctx.parts().catalog;
        match catalog.create_project(&tenant, new, key, &asked.usage).await {
            Ok(created) => Ok(CreateProjectPayload {
                project: Some(Arc::clone(&created.project.value)),
                replayed: created.replayed,
                user_errors: Vec::new(),
            }),
            Err(catalog::Error::Aurora(Upstream::Rejected { status: 422, messages })) => {
                let errors = messages.iter().map(|it| UserError::rejected(it.field.as_deref(), &it.message));
                Ok(CreateProjectPayload::refused(errors.collect()))
            }
            Err(error) => {
                let failure = error::public("project", &error);
                // Without a key, whoever sends it again may make a second project.
                let retryable = failure.retryable && (has_key || failure.code != Code::OutcomeUnknown);
                Err(failure.retryable(retryable).into())
            }
        }
    }
}

/// The longest key that is kept, in bytes.
const LONGEST_KEY: usize = 255;

/// The longest line that Aurora takes for a name, an e-mail address or a telephone number.
const LONGEST_LINE: usize = 255;

/// The longest of all other texts, in bytes: well beyond any address.
const LONGEST_TEXT: usize = 1000;

/// The most labels or preferred modules that one project is given.
const MOST_ITEMS: usize = 100;

fn idempotency_key(given: Option<&str>) -> Result<Option<CreateKey>, Failure> {
    let Some(key) = given else { return Ok(None) };
    if key.trim().is_empty() || key.len() > LONGEST_KEY {
        let message = format!("idempotencyKey must have between 1 and {LONGEST_KEY} bytes");
        return Err(Failure::new(Code::BadUserInput, message));
    }
    Ok(Some(CreateKey::Idempotency(key.to_owned())))
}

/// What a project is made from. Empty text counts as absent.
#[derive(InputObject)]
pub struct CreateProjectInput {
    /// Aurora's id of the tenant. May be left out where the credential reaches only one.
    tenant_id: Option<ID>,
    /// Any text that stands for this one project, such as the CRM's id of the opportunity: 255 bytes at the most. The
    /// same key with the same input gives the same project for ever. It is the same input however its numbers,
    /// accents and lists are written; other capitals, or blanks within a text, make it another.
    idempotency_key: Option<String>,
    /// Where the property is.
    location: ProjectLocationInput,
    /// The CRM's own id; Aurora repeats it on the project, its designs and their summaries.
    external_provider_id: Option<String>,
    /// The project's name.
    name: Option<String>,
    /// The homeowner.
    customer: Option<CustomerInput>,
    /// Where the homeowner gets mail.
    mailing_address: Option<String>,
    /// The kind of property. Aurora takes `RESIDENTIAL` where it is left out.
    project_type: Option<ProjectType>,
    /// A status from the tenant's own list.
    status: Option<String>,
    /// Labels. At Aurora they can also limit what a restricted key sees.
    tags: Option<Vec<String>>,
    /// Aurora's id of the user who shall own the project.
    owner_id: Option<ID>,
    /// Aurora's id of the team.
    team_id: Option<ID>,
    /// Aurora's id of the external sales organisation. It cannot be changed later.
    partner_id: Option<ID>,
    /// Aurora's ids of the solar modules to prefer when designing.
    preferred_solar_module_ids: Option<Vec<ID>>,
}

/// Where a property is: an address, coordinates, or both; at least one of them. An address alone is geocoded. Coordinates
/// alone are moved to the address they fall on. Both together are kept as they are.
#[derive(InputObject)]
pub struct ProjectLocationInput {
    /// The address in one line.
    property_address: Option<String>,
    /// A point inside the property line.
    coordinates: Option<CoordinatesInput>,
}

/// A point on the globe (WGS 84).
#[derive(InputObject, Clone, Copy)]
pub struct CoordinatesInput {
    /// Degrees north of the equator, from -90 to 90.
    latitude: f64,
    /// Degrees east of Greenwich, from -180 to 180.
    longitude: f64,
}

/// The homeowner. Each text has 255 bytes at the most.
#[derive(InputObject, Default)]
pub struct CustomerInput {
    /// How to address them, such as `Ms.`
    salutation: Option<String>,
    /// Given name.
    first_name: Option<String>,
    /// Family name.
    last_name: Option<String>,
    /// E-mail address.
    email: Option<String>,
    /// Telephone number.
    phone: Option<String>,
}

/// The answer to `createProject`.
pub struct CreateProjectPayload {
    project: Option<Arc<crate::domain::Project>>,
    replayed: bool,
    user_errors: Vec<UserError>,
}

impl CreateProjectPayload {
    fn refused(user_errors: Vec<UserError>) -> Self {
        Self { project: None, replayed: false, user_errors }
    }
}

/// The answer to `createProject`: a project, or what a person has to mend.
#[Object]
impl CreateProjectPayload {
    /// The project as Aurora has it now, its address and coordinates included; null where `userErrors` say why.
    async fn project(&self) -> Option<Project> {
        self.project.clone().map(Project)
    }

    /// True when the project was there already: an earlier or concurrent call with the same key had made it, or it was
    /// found at Aurora after the answer to its making had been lost.
    async fn replayed(&self) -> bool {
        self.replayed
    }

    /// What a person has to mend before trying again; empty on success.
    async fn user_errors(&self) -> &[UserError] {
        &self.user_errors
    }
}

/// Something that a person can mend.
#[derive(SimpleObject)]
pub struct UserError {
    /// What it is, for programs: `LOCATION_REQUIRED`, `INVALID_COORDINATES`, `TOO_LONG`, `TOO_MANY`,
    /// `INVALID_PROJECT_TYPE`, `TENANT_NOT_ACCEPTED`, `AFTER_OR_ONLY`, `TOO_MANY_REDELIVERIES`, or `REJECTED_BY_AURORA` with
    /// Aurora's own words in `message`.
    code: String,
    /// What it is, for people.
    message: String,
    /// The way to the input that it is about, such as `["input", "customer", "email"]`, where that is known.
    field: Option<Vec<String>>,
}

impl UserError {
    /// An error of the given code at a place of the input.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>, place: &[&str]) -> Self {
        let field = (!place.is_empty())
            .then(|| std::iter::once("input").chain(place.iter().copied()).map(str::to_owned).collect());
        Self { code: code.to_owned(), message: message.into(), field }
    }

    fn rejected(field: Option<&str>, message: &str) -> Self {
        Self::new("REJECTED_BY_AURORA", message, field.map_or(&[], place_of))
    }
}

/// Where our input has what Aurora calls by this name.
fn place_of(aurora: &str) -> &'static [&'static str] {
    match aurora.rsplit('.').next().unwrap_or(aurora) {
        "location" => &["location"],
        "property_address" | "address" => &["location", "propertyAddress"],
        "latitude" => &["location", "coordinates", "latitude"],
        "longitude" => &["location", "coordinates", "longitude"],
        "external_provider_id" => &["externalProviderId"],
        "name" => &["name"],
        "customer_salutation" => &["customer", "salutation"],
        "customer_first_name" => &["customer", "firstName"],
        "customer_last_name" => &["customer", "lastName"],
        "customer_email" => &["customer", "email"],
        "customer_phone" => &["customer", "phone"],
        "mailing_address" | "customer_address" => &["mailingAddress"],
        "project_type" => &["projectType"],
        "status" => &["status"],
        "tags" => &["tags"],
        "owner_id" => &["ownerId"],
        "team_id" => &["teamId"],
        "partner_id" => &["partnerId"],
        "preferred_solar_modules" => &["preferredSolarModuleIds"],
        _ => &[],
    }
}

/// Gathers everything that is wrong, so that a person mends it in one go.
#[derive(Default)]
struct Check(Vec<UserError>);

impl Check {
    /// The text without blanks around it; absent where nothing is left.
    fn text(&mut self, value: Option<String>, longest: usize, place: &[&str]) -> Option<String> {
        let text = value.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty())?;
        if text.len() > longest {
            self.0.push(UserError::new("TOO_LONG", format!("longer than {longest} bytes"), place));
        }
        Some(text)
    }

    fn list(&mut self, values: Option<Vec<String>>, place: &[&str]) -> Vec<String> {
        let values = values.unwrap_or_default();
        if values.len() > MOST_ITEMS {
            self.0.push(UserError::new("TOO_MANY", format!("more than {MOST_ITEMS}"), place));
            return Vec::new();
        }
        values.into_iter().filter_map(|it| self.text(Some(it), LONGEST_LINE, place)).collect()
    }

    fn location(&mut self, input: ProjectLocationInput) -> Option<NewLocation> {
        let address = self.text(input.property_address, LONGEST_TEXT, &["location", "propertyAddress"]);
        let point = match input.coordinates.map(|it| Coordinates::try_new(it.latitude, it.longitude)) {
            Some(Ok(point)) => Some(point),
            Some(Err(why)) => {
                let name = if why == NoSuchPoint::Latitude { "latitude" } else { "longitude" };
                let place = ["location", "coordinates", name];
                self.0.push(UserError::new("INVALID_COORDINATES", format!("{name} {why}"), &place));
                return None;
            }
            None => None,
        };
        match (address, point) {
            (Some(address), Some(point)) => Some(NewLocation::Both(address, point)),
            (Some(address), None) => Some(NewLocation::Address(address)),
            (None, Some(point)) => Some(NewLocation::Coordinates(point)),
            (None, None) => {
                let message = "give an address, coordinates, or both";
                self.0.push(UserError::new("LOCATION_REQUIRED", message, &["location"]));
                None
            }
        }
    }

    fn customer(&mut self, input: CustomerInput) -> Customer {
        let mut line = |value, name| self.text(value, LONGEST_LINE, &["customer", name]);
        Customer {
            salutation: line(input.salutation, "salutation"),
            first_name: line(input.first_name, "firstName"),
            last_name: line(input.last_name, "lastName"),
            email: line(input.email, "email"),
            phone: line(input.phone, "phone"),
        }
    }

    fn project_type(&mut self, input: Option<ProjectType>) -> Option<NewProjectType> {
        match input? {
            ProjectType::Residential => Some(NewProjectType::Residential),
            ProjectType::Commercial => Some(NewProjectType::Commercial),
            ProjectType::Other => {
                let message = "a project is made as RESIDENTIAL or COMMERCIAL";
                self.0.push(UserError::new("INVALID_PROJECT_TYPE", message, &["projectType"]));
                None
            }
        }
    }
}

impl CreateProjectInput {
    /// The input as the domain has it.
    fn check(self) -> Result<NewProject, Vec<UserError>> {
        let mut check = Check::default();
        let ids = |ids: Option<Vec<ID>>| ids.map(|ids| ids.into_iter().map(String::from).collect());
        let location = check.location(self.location);
        let customer = check.customer(self.customer.unwrap_or_default());
        let external_provider_id =
            check.text(self.external_provider_id, LONGEST_LINE, &["externalProviderId"]);
        let name = check.text(self.name, LONGEST_LINE, &["name"]);
        let mailing_address = check.text(self.mailing_address, LONGEST_TEXT, &["mailingAddress"]);
        let project_type = check.project_type(self.project_type);
        let status = check.text(self.status, LONGEST_LINE, &["status"]);
        let tags = check.list(self.tags, &["tags"]);
        let owner_id = check.text(self.owner_id.map(String::from), LONGEST_LINE, &["ownerId"]);
        let team_id = check.text(self.team_id.map(String::from), LONGEST_LINE, &["teamId"]);
        let partner_id = check.text(self.partner_id.map(String::from), LONGEST_LINE, &["partnerId"]);
        let preferred_solar_module_ids =
            check.list(ids(self.preferred_solar_module_ids), &["preferredSolarModuleIds"]);
        match location {
            Some(location) if check.0.is_empty() => Ok(NewProject {
                location,
                external_provider_id,
                name,
                customer,
                mailing_address,
                project_type,
                status,
                tags,
                owner_id,
                team_id,
                partner_id,
                preferred_solar_module_ids,
            }),
            _ => Err(check.0),
        }
    }
}
