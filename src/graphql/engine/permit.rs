//! Who may have an operation run: by its kind, and by whether it asks for the schema.
//!
//! Not here: whose data a viewer sees, which each field asks by itself.

use super::{Code, Failure, Kind};
use crate::{
    domain::{Scope, Viewer},
    graphql::limit::Introspection,
};

pub(super) fn may(viewer: &Viewer, kind: Kind) -> Result<(), Failure> {
    let needed = if kind == Kind::Mutation { Scope::Write } else { Scope::Read };
    if viewer.may(needed) {
        return Ok(());
    }
    Err(Failure::new(
        Code::Forbidden,
        format!("this needs a credential with the scope \"{}\"", needed.name()),
    ))
}

pub(super) fn may_introspect(viewer: &Viewer, introspection: Introspection) -> Result<(), Failure> {
    match introspection {
        Introspection::Read => Ok(()),
        Introspection::Admin if viewer.may(Scope::Admin) => Ok(()),
        Introspection::Admin => Err(Failure::new(
            Code::Forbidden,
            "introspection needs a credential with the scope \"admin\" here; /schema.graphql has the schema",
        )),
        Introspection::Off => Err(introspection_is_off()),
    }
}

pub(super) fn introspection_is_off() -> Failure {
    Failure::new(Code::Forbidden, "introspection is switched off here")
}
