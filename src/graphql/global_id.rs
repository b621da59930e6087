//! Relay's opaque ids: the kind of node, its tenant and Aurora's own id in one text.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::domain::{DesignId, DesignKey, ProjectId, ProjectKey, TenantId};

/// What a global id names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GlobalId {
    /// A tenant.
    Tenant(TenantId),
    /// A project.
    Project(ProjectKey),
    /// A design.
    Design(DesignKey),
    /// The summary of a design.
    Summary(DesignKey),
    /// An announced event, by the cursor behind it: the bare number would tell how much all tenants do.
    Event(TenantId, String),
}

/// The text is no id of this schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this schema")]
pub struct NotAnId;

impl GlobalId {
    /// The tenant that the node belongs to.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::Tenant(tenant) | Self::Event(tenant, _) => tenant,
            Self::Project(key) => &key.tenant,
            Self::Design(key) | Self::Summary(key) => &key.tenant,
        }
    }

    /// The id as clients see it.
    #[must_use]
    pub fn seal(&self) -> String {
        let (kind, own) = match self {
            Self::Tenant(_) => ('T', ""),
            Self::Project(key) => ('P', key.project.as_str()),
            Self::Design(key) => ('D', key.design.as_str()),
            Self::Summary(key) => ('S', key.design.as_str()),
            Self::Event(_, cursor) => ('E', cursor.as_str()),
        };
        // Ids hold no control characters, so one between them cannot be mistaken for a part of either.
        BASE64_URL_SAFE_NO_PAD.encode(format!("{kind}{}\n{own}", self.tenant()))
    }

    /// Reads an id that a client sent back.
    ///
    /// # Errors
    /// When it is none that [`seal`](Self::seal) wrote.
    pub fn open(text: &str) -> Result<Self, NotAnId> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAnId)?;
        let plain = String::from_utf8(bytes).map_err(|_| NotAnId)?;
        let (head, own) = plain.split_once('\n').ok_or(NotAnId)?;
        let kind = head.chars().next().ok_or(NotAnId)?;
        let tenant = TenantId::parse(&head[kind.len_utf8()..]).map_err(|_| NotAnId)?;
        let design = || DesignId::parse(own).map_err(|_| NotAnId);
        Ok(match kind {
            'T' if own.is_empty() => Self::Tenant(tenant),
            'P' => {
                let project = ProjectId::parse(own).map_err(|_| NotAnId)?;
                Self::Project(ProjectKey { tenant, project })
            }
            'D' => Self::Design(DesignKey { design: design()?, tenant }),
            'S' => Self::Summary(DesignKey { design: design()?, tenant }),
            'E' if !own.is_empty() => Self::Event(tenant, own.to_owned()),
            _ => return Err(NotAnId),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_comes_back_as_it_went(tenant in "[^\\p{Cc}/\\\\]{1,20}", own in "[^\\p{Cc}/\\\\]{1,20}", cursor in "[A-Za-z0-9_-]{1,40}") {
            let (Ok(tenant), Ok(project), Ok(design)) =
                (TenantId::parse(&tenant), ProjectId::parse(&own), DesignId::parse(&own)) else { return Ok(()) };
            let key = DesignKey { tenant: tenant.clone(), design };
            for id in [
                GlobalId::Tenant(tenant.clone()),
                GlobalId::Project(ProjectKey { tenant: tenant.clone(), project }),
                GlobalId::Design(key.clone()),
                GlobalId::Summary(key),
                GlobalId::Event(tenant, cursor),
            ] {
                prop_assert_eq!(GlobalId::open(&id.seal()), Ok(id));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,64}") {
            let _ = GlobalId::open(&text);
        }
    }
}
