//! Aurora's endpoints as far as we call them: what they are called in metrics, and which of them fail together.
//!
//! Not here: their paths, which stand with the calls. [`Endpoint::of`] knows them again, so that no caller can
//! name a call wrongly.

use crate::aurora::call::Verb;

macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $group:ident, $verb:pat, $template:literal;)*) => {
        /// What is asked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Endpoint {
            $($(#[$doc])* $name,)*
            /// One that this list does not know.
            Other,
        }

        impl Endpoint {
            /// Every endpoint, in the order of [`Endpoint::index`].
            pub const ALL: [Self; [$($text),*].len() + 1] = [$(Self::$name,)* Self::Other];

            /// What it is called in metrics and logs.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* Self::Other => "other" }
            }

            /// Those that it fails together with.
            #[must_use]
            pub fn group(self) -> Group {
                match self { $(Self::$name => Group::$group,)* Self::Other => Group::Other }
            }

            /// The endpoint of a call.
            pub(in crate::aurora) fn of(verb: Verb, template: &str) -> Self {
                match (verb, template) { $(($verb, $template) => Self::$name,)* _ => Self::Other }
            }
        }
    };
}

endpoints! {
    /// One project.
    Project = "project", Projects, Verb::Get, "/tenants/{tenant}/projects/{project}";
    /// A page of the projects.
    Projects = "projects", Projects, Verb::Get, "/tenants/{tenant}/projects";
    /// Making a project.
    CreateProject = "create_project", Creates, Verb::Post, "/tenants/{tenant}/projects";
    /// The designs of a project.
    Designs = "designs", Designs, Verb::Get, "/tenants/{tenant}/projects/{project}/designs";
    /// One design.
    Design = "design", Designs, Verb::Get, "/tenants/{tenant}/designs/{design}";
    /// What a design would produce.
    Summary = "summary", Summaries, Verb::Get, "/tenants/{tenant}/designs/{design}/summary";
    /// Exchanging a key.
    CreateToken = "create_token", Keys, Verb::Post,
        "/partner_applications/{application}/tenants/{tenant}/create_token";
    /// The application's webhooks.
    Webhooks = "webhooks", Webhooks, Verb::Get | Verb::Post, "/partner_applications/{application}/webhooks";
    /// One of them.
    Webhook = "webhook", Webhooks, Verb::Get | Verb::Put | Verb::Delete,
        "/partner_applications/{application}/webhooks/{webhook}";
}

/// Endpoints that are taken to fail together: a summary costs Aurora far more than a project does, and a write can
/// fail where reads do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Reading projects.
    Projects,
    /// Making things.
    Creates,
    /// Reading designs.
    Designs,
    /// Reading summaries.
    Summaries,
    /// Exchanging keys.
    Keys,
    /// The application's webhooks.
    Webhooks,
    /// Everything else.
    Other,
}

impl Group {
    /// Every group, in the order of [`Group::index`].
    pub const ALL: [Self; 7] = [
        Self::Projects,
        Self::Creates,
        Self::Designs,
        Self::Summaries,
        Self::Keys,
        Self::Webhooks,
        Self::Other,
    ];

    /// Its place in [`Group::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// What it is called in metrics and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Projects => "projects",
            Self::Creates => "creates",
            Self::Designs => "designs",
            Self::Summaries => "summaries",
            Self::Keys => "keys",
            Self::Webhooks => "webhooks",
            Self::Other => "other",
        }
    }
}

impl Endpoint {
    /// Its place in [`Endpoint::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finds_its_own_place() {
        assert!(Endpoint::ALL.iter().enumerate().all(|(index, it)| it.index() == index));
        assert!(Group::ALL.iter().enumerate().all(|(index, it)| it.index() == index));
    }

    #[test]
    fn every_path_that_the_client_calls_is_known() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aurora");
        let mut paths = 0;
        let entries = |folder: &std::path::Path| std::fs::read_dir(folder).unwrap();
        for entry in entries(&folder).chain(entries(&folder.join("credentials"))) {
            let path = entry.unwrap().path();
            let no_calls =
                ["call", "tests"].iter().any(|it| path.file_stem().is_some_and(|stem| stem == *it));
            if path.is_dir() || no_calls {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let is_template = |it: &&str| it.starts_with('/') && it.contains('{') && !it.contains(' ');
            for template in text.split('"').filter(is_template) {
                let verbs = [Verb::Get, Verb::Post, Verb::Put, Verb::Delete];
                let known = verbs.into_iter().any(|verb| Endpoint::of(verb, template) != Endpoint::Other);
                assert!(known, "{template} of {} has no row", path.display());
                paths += 1;
            }
        }
        assert!(paths >= 8, "the walk found {paths}");
    }
}
