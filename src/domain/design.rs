//! A design: one proposed system on a project.

use jiff::Timestamp;

use super::{DesignId, ProjectId, TenantId};

/// What Aurora says of a design apart from its figures, which are in [`Summary`](super::Summary).
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// Whose design.
    pub tenant: TenantId,
    /// Which one.
    pub id: DesignId,
    /// The project it belongs to, where Aurora says so.
    pub project: Option<ProjectId>,
    /// Its name in Aurora.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
}
