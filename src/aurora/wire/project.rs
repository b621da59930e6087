//! `{"project": {…}}` and `{"projects": […]}`: nested since 2024.05, flat before; and the body of a new one.

use serde::Serialize;

use super::{
    Unreadable,
    block::{Block, answer},
    design::with_ids,
    word,
};
use crate::domain::{
    NewProject, Project, ProjectId, ProjectKey, TenantId,
    project::{AddressComponents, Coordinates, Customer, Location, NewProjectType},
};

/// Reads the project that was asked for.
pub(in crate::aurora) fn project(
    body: &[u8],
    tenant: &TenantId,
    asked: Option<&ProjectKey>,
) -> Result<Project, Unreadable> {
    let block = answer(body)?.wrapped("project")?;
    let id = id(&block)
        .or_else(|| asked.map(|it| it.project.clone()))
        .ok_or(Unreadable("the project has no id"))?;
    Ok(read(&block, tenant, id))
}

/// Reads a page of projects, and says how many entries it had. One without an id cannot be referred to and is left
/// out.
pub(in crate::aurora) fn projects(
    body: &[u8],
    tenant: &TenantId,
) -> Result<(Vec<Project>, usize), Unreadable> {
    let entries = answer(body)?.wrapped_list("projects", |entry| Some(read(&entry, tenant, id(&entry)?)))?;
    let total = entries.len();
    Ok((with_ids("projects", entries), total))
}

fn id(block: &Block<'_>) -> Option<ProjectId> {
    block.id("id", ProjectId::parse)
}

fn read(block: &Block<'_>, tenant: &TenantId, id: ProjectId) -> Project {
    Project {
        tenant: tenant.clone(),
        id,
        external_provider_id: block.text("external_provider_id"),
        name: block.text("name"),
        customer: Customer {
            salutation: block.text("customer_salutation"),
            first_name: block.text("customer_first_name"),
            last_name: block.text("customer_last_name"),
            email: block.text("customer_email"),
            phone: block.text("customer_phone"),
        },
        mailing_address: block.text("mailing_address").or_else(|| block.text("customer_address")),
        project_type: block.text("project_type").as_deref().map(word::project_type),
        status: block.text("status"),
        location: location(block),
        tags: block.texts("tags"),
        created_at: block.time("created_at"),
    }
}

/// What the nested block says, and what it leaves out from the flat fields of older versions.
fn location(project: &Block<'_>) -> Option<Location> {
    let nested = project.block("location").unwrap_or_default();
    let degrees = |name| nested.number(name).or_else(|| project.number(name));
    let location = Location {
        property_address: nested.text("property_address").or_else(|| project.text("address")),
        components: nested.block("property_address_components").and_then(|it| components(&it)),
        latitude: degrees("latitude").filter(|it| Coordinates::try_new(*it, 0.0).is_ok()),
        longitude: degrees("longitude").filter(|it| Coordinates::try_new(0.0, *it).is_ok()),
    };
    (location != Location::default()).then_some(location)
}

fn components(block: &Block<'_>) -> Option<AddressComponents> {
    let components = AddressComponents {
        street_address: block.text("street_address"),
        city: block.text("city"),
        region: block.text("region"),
        postal_code: block.text("postal_code"),
        country: block.text("country"),
    };
    (components != AddressComponents::default()).then_some(components)
}

/// The body that makes a project. Aurora refuses nulls, so whatever is absent or empty is left out entirely.
pub(in crate::aurora) fn new_project(new: &NewProject) -> Result<Vec<u8>, Unreadable> {
    let filled = |text: &'_ Option<String>| text.clone().filter(|it| !it.trim().is_empty());
    let point = new.location.coordinates();
    let customer = &new.customer;
    let project = NewProjectBody {
        location: NewLocationBody {
            property_address: new.location.address().map(ToOwned::to_owned),
            latitude: point.map(Coordinates::latitude),
            longitude: point.map(Coordinates::longitude),
        },
        external_provider_id: filled(&new.external_provider_id),
        name: filled(&new.name),
        customer_salutation: filled(&customer.salutation),
        customer_first_name: filled(&customer.first_name),
        customer_last_name: filled(&customer.last_name),
        customer_email: filled(&customer.email),
        customer_phone: filled(&customer.phone),
        mailing_address: filled(&new.mailing_address),
        project_type: new.project_type.map(|it| match it {
            NewProjectType::Residential => "residential",
            NewProjectType::Commercial => "commercial",
        }),
        status: filled(&new.status),
        tags: new.tags.clone(),
        owner_id: filled(&new.owner_id),
        team_id: filled(&new.team_id),
        partner_id: filled(&new.partner_id),
        preferred_solar_modules: new.preferred_solar_module_ids.clone(),
    };
    serde_json::to_vec(&Wrapped { project }).map_err(|_| Unreadable("the new project cannot be written"))
}

#[derive(Serialize)]
struct Wrapped {
    project: NewProjectBody,
}

#[derive(Serialize)]
struct NewProjectBody {
    location: NewLocationBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_provider_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_salutation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mailing_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    preferred_solar_modules: Vec<String>,
}

#[derive(Serialize)]
struct NewLocationBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    property_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longitude: Option<f64>,
}
