//! Asking for designs.

use super::{Aurora, Call, Error, Meter, wire};
use crate::domain::{Design, DesignKey, ProjectKey};

impl Aurora {
    /// One design.
    ///
    /// # Errors
    /// When Aurora knows no such design for the tenant, or does not answer readably.
    pub async fn design(&self, key: &DesignKey, meter: &Meter) -> Result<Design, Error> {
        let ids = [key.tenant.as_str(), key.design.as_str()];
        let call = Call::get("/tenants/{tenant}/designs/{design}", &ids);
        let answer = self.call(&key.tenant, &call, meter).await?;
        call.understood(wire::design(&answer.body, key))
    }

    /// The designs of a project, in Aurora's order.
    ///
    /// # Errors
    /// When Aurora knows no such project for the tenant, or does not answer readably.
    pub async fn designs(&self, key: &ProjectKey, meter: &Meter) -> Result<Vec<Design>, Error> {
        let ids = [key.tenant.as_str(), key.project.as_str()];
        let call = Call::get("/tenants/{tenant}/projects/{project}/designs", &ids);
        let answer = self.call(&key.tenant, &call, meter).await?;
        call.understood(wire::designs(&answer.body, key))
    }
}
