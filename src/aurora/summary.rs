//! Asking for the summary of a design.

use super::{Aurora, Call, Error, Meter, wire};
use crate::domain::{DesignKey, Summary};

impl Aurora {
    /// What a design is made of and what it would produce.
    ///
    /// # Errors
    /// When Aurora knows no such design for the tenant, or does not answer readably.
    pub async fn summary(&self, key: &DesignKey, meter: &Meter) -> Result<Summary, Error> {
        let ids = [key.tenant.as_str(), key.design.as_str()];
        let call = Call::get("/tenants/{tenant}/designs/{design}/summary", &ids);
        let answer = self.call(&key.tenant, &call, meter).await?;
        call.understood(wire::summary(&answer.body, &key.design))
    }
}
