//! `{"design": {…}}` and `{"designs": […]}`.

use super::{
    Unreadable,
    block::{Block, answer},
};
use crate::domain::{Design, DesignId, DesignKey, ProjectId, ProjectKey, TenantId};

/// Reads the design that was asked for.
pub(in crate::aurora) fn design(body: &[u8], asked: &DesignKey) -> Result<Design, Unreadable> {
    let block = answer(body)?.wrapped("design")?;
    let id = id(&block).unwrap_or_else(|| asked.design.clone());
    Ok(read(&block, &asked.tenant, id))
}

/// Reads the designs of the project that was asked for. An entry without an id cannot be referred to and is left
/// out.
pub(in crate::aurora) fn designs(body: &[u8], asked: &ProjectKey) -> Result<Vec<Design>, Unreadable> {
    let entries = answer(body)?.wrapped_list("designs", |entry| {
        let design = read(&entry, &asked.tenant, id(&entry)?);
        let project = design.project.or_else(|| Some(asked.project.clone()));
        Some(Design { project, ..design })
    })?;
    Ok(with_ids("designs", entries))
}

/// The entries that have an id; the number of the others is told in the log.
pub(super) fn with_ids<T>(what: &'static str, entries: Vec<Option<T>>) -> Vec<T> {
    let total = entries.len();
    let kept: Vec<T> = entries.into_iter().flatten().collect();
    if kept.len() < total {
        let left_out = total - kept.len();
        tracing::debug!(what, left_out, "left out {left_out} of Aurora's {what}, for want of an id");
    }
    kept
}

/// A design calls itself `id`, in its summary `design_id`.
fn id(block: &Block<'_>) -> Option<DesignId> {
    block.id("id", DesignId::parse).or_else(|| block.id("design_id", DesignId::parse))
}

fn read(block: &Block<'_>, tenant: &TenantId, id: DesignId) -> Design {
    Design {
        tenant: tenant.clone(),
        id,
        project: block.id("project_id", ProjectId::parse),
        name: block.text("name"),
        created_at: block.time("created_at"),
    }
}
