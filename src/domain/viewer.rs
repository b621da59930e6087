//! Who asks, and what they may see and do.

use std::sync::Arc;

use super::TenantId;

/// What a credential may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Queries and subscriptions.
    Read,
    /// Mutations.
    Write,
    /// The operator's fields.
    Admin,
}

impl Scope {
    /// Every scope, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The scope's name in configuration and in tokens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// The tenants that a credential, or a target of deliveries, reaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Tenants {
    /// Every tenant: an operator's own back end.
    All,
    /// These and no others. Never empty.
    Only(Vec<TenantId>),
}

impl Tenants {
    /// Whether this tenant is among them.
    #[must_use]
    pub fn include(&self, tenant: &TenantId) -> bool {
        match self {
            Self::All => true,
            Self::Only(these) => these.contains(tenant),
        }
    }

    /// The one tenant that they are, if it is one.
    #[must_use]
    pub fn sole(&self) -> Option<&TenantId> {
        match self {
            Self::Only(these) if these.len() == 1 => these.first(),
            _ => None,
        }
    }
}

/// The bearer of a credential. Cheap to clone; equal names are the same credential.
#[derive(Debug, Clone)]
pub struct Viewer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    tenants: Tenants,
    scopes: Vec<Scope>,
}

impl Viewer {
    /// A viewer of the given name, tenants and scopes.
    #[must_use]
    pub fn new(name: impl Into<String>, tenants: Tenants, scopes: Vec<Scope>) -> Self {
        Self(Arc::new(Inner { name: name.into(), tenants, scopes }))
    }

    /// The name of the credential, as the operator gave it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The tenants it reaches.
    #[must_use]
    pub fn tenants(&self) -> &Tenants {
        &self.0.tenants
    }

    /// What it may do.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.0.scopes
    }

    /// Whether it may do that.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.0.scopes.contains(&scope)
    }

    /// Whether it may know that this tenant exists.
    #[must_use]
    pub fn sees(&self, tenant: &TenantId) -> bool {
        self.0.tenants.include(tenant)
    }

    /// The one tenant it is bound to, so that naming it can be left out.
    #[must_use]
    pub fn sole_tenant(&self) -> Option<&TenantId> {
        self.0.tenants.sole()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_sees_its_own_tenants_only() {
        let (a, b) = (TenantId::parse("a").unwrap(), TenantId::parse("b").unwrap());
        let one = Viewer::new("crm", Tenants::Only(vec![a.clone()]), vec![Scope::Read]);
        assert!(one.sees(&a) && !one.sees(&b));
        assert_eq!(one.sole_tenant(), Some(&a));
        assert!(one.may(Scope::Read) && !one.may(Scope::Write));

        let all = Viewer::new("ops", Tenants::All, Scope::ALL.to_vec());
        assert!(all.sees(&a) && all.sees(&b));
        assert_eq!(all.sole_tenant(), None);
    }
}
