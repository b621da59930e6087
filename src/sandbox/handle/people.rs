//! What people do in Aurora's app, and what follows from it.

use serde_json::{Map, Value, json};

use super::super::answer::Refusal;
use super::super::summary::Oddity;
use super::super::world::{SUCCEEDED, Source};
use super::{Error, Handle};

impl Handle {
    /// A person creates a project: the body is that of the API, without its wrapper. Its id.
    ///
    /// # Errors
    /// For an unknown tenant, or a body the API would refuse.
    pub fn create_project(&self, tenant: &str, body: &Value) -> Result<String, Error> {
        let body = body.as_object().cloned().unwrap_or_default();
        let made = self.shared.with(|world, now| {
            world.welcome(tenant);
            world.create_project(tenant, &body, Source::App, None, now)
        })?;
        Ok(made["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Puts a project and a finished design there under ids a test chose.
    ///
    /// # Errors
    /// For an unknown tenant.
    pub fn plant(&self, tenant: &str, project: &str, design: &str) -> Result<(), Error> {
        self.shared.with(|world, now| {
            world.welcome(tenant);
            let auto_design = std::mem::take(&mut world.config.auto_design);
            let body = planted(project);
            let made = world.create_project(tenant, &body, Source::App, Some(project), now);
            world.config.auto_design = auto_design;
            made?;
            world.create_design(tenant, project, &Map::new(), Source::App, Some(design), now)?;
            world.simulate(tenant, design, SUCCEEDED, now)?;
            Ok(())
        })
    }

    /// The performance simulation of a design runs and succeeds. Its job's id.
    ///
    /// # Errors
    /// For an unknown tenant or design.
    pub fn finish_design(&self, tenant: &str, design: &str) -> Result<String, Error> {
        self.finish_design_as(tenant, design, SUCCEEDED)
    }

    /// The simulation ends with a status of any name; only `succeeded` gives figures. Its job's id.
    ///
    /// # Errors
    /// For an unknown tenant or design.
    pub fn finish_design_as(&self, tenant: &str, design: &str, status: &str) -> Result<String, Error> {
        Ok(self.shared.with(|world, now| world.simulate(tenant, design, status, now))?)
    }

    /// The layout changes and is simulated anew: other figures, another job. Its id.
    ///
    /// # Errors
    /// For an unknown tenant or design.
    pub fn change_design(&self, tenant: &str, design: &str) -> Result<String, Error> {
        Ok(self.shared.with(|world, now| {
            world.edit_design(tenant, design)?;
            world.simulate(tenant, design, SUCCEEDED, now)
        })?)
    }

    /// The layout changes and is not simulated: the production shown is out of date.
    ///
    /// # Errors
    /// For an unknown tenant or design.
    pub fn edit_design(&self, tenant: &str, design: &str) -> Result<(), Error> {
        Ok(self.shared.with(|world, _| world.edit_design(tenant, design))?)
    }

    /// What is odd about this design's summary from now on.
    ///
    /// # Errors
    /// For an unknown tenant or design.
    pub fn set_oddities(&self, tenant: &str, design: &str, oddities: &[Oddity]) -> Result<(), Error> {
        Ok(self.shared.with(|world, _| world.set_oddities(tenant, design, oddities.to_vec()))?)
    }

    /// A sale reaches a milestone such as `sold`, or with `None` is taken back.
    ///
    /// # Errors
    /// For an unknown tenant or design.
    pub fn set_milestone(&self, tenant: &str, design: &str, name: Option<&str>) -> Result<(), Error> {
        Ok(self.shared.with(|world, now| world.set_milestone(tenant, design, name, now))?)
    }

    /// The tenant whose design this is.
    ///
    /// # Errors
    /// When it is nobody's.
    pub fn tenant_of_design(&self, design: &str) -> Result<String, Error> {
        Ok(self.shared.with(|world, _| world.tenant_of_design(design))?)
    }

    /// Something happens: any event with any parameters, such as `agreement_status_changed` with
    /// `STATUS`. How many calls of webhooks follow.
    ///
    /// # Errors
    /// For an unknown tenant.
    pub fn deliver(&self, tenant: &str, event: &str, params: &[(&str, &str)]) -> Result<usize, Error> {
        let params: Vec<(&str, String)> =
            params.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Ok(self.shared.with(|world, now| {
            world.welcome(tenant);
            world.account(tenant)?;
            Ok::<_, Refusal>(world.announce(tenant, event, &params, now))
        })?)
    }

    /// A person opens the application inside Aurora: a session token, good for one exchange.
    ///
    /// # Errors
    /// For an unknown tenant.
    pub fn issue_session_token(&self, tenant: &str) -> Result<String, Error> {
        Ok(self.shared.with(|world, now| {
            world.welcome(tenant);
            world.account(tenant)?;
            let lifetime = world.config.session_token_lifetime;
            Ok::<_, Refusal>(world.keys.issue_session(tenant, now, lifetime))
        })?)
    }
}

fn planted(project: &str) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("name".to_owned(), json!(project));
    body.insert("external_provider_id".to_owned(), json!(project));
    body.insert(
        "location".to_owned(),
        json!({ "property_address": "434 Brannan St, San Francisco, CA, 94107" }),
    );
    body
}
