//! A gateway before a sandbox with one design, for benches.

use heliograph::{
    app::App,
    clock::Clock,
    config::Config,
    sandbox::{self, Sandbox},
};

pub(crate) const KEY: &str = "key-of-the-bench";
pub(crate) const SECRET: &str = "secret-of-the-bench";
pub(crate) const DESIGN: &str = "bench-design";

/// A gateway that has been built and does not run yet, and what must live as long as it does.
pub(crate) struct Gateway {
    pub(crate) app: App,
    pub(crate) sandbox: Sandbox,
    pub(crate) place: tempfile::TempDir,
}

impl Gateway {
    /// With further settings than those that every bench needs.
    pub(crate) async fn with(further: &[(&str, &str)]) -> Self {
        let config = sandbox::Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            requests_per_minute: 0,
            ..sandbox::Config::default()
        };
        let sandbox = Sandbox::start(config).await.unwrap();
        sandbox.handle().plant(sandbox::TENANT, "bench-project", DESIGN).unwrap();
        let place = tempfile::tempdir().unwrap();
        let settings = [
            ("SERVER__LISTEN", "127.0.0.1:0".to_owned()),
            ("SERVER__ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
            ("AURORA__BASE_URL", sandbox.base_url()),
            ("AURORA__TENANTS__0__ID", sandbox::TENANT.to_owned()),
            ("AURORA__TENANTS__0__KEY", sandbox::TENANT_KEY.to_owned()),
            ("WEBHOOKS__SECRET", SECRET.to_owned()),
            ("AUTH__API_KEYS__0__NAME", "bench".to_owned()),
            ("AUTH__API_KEYS__0__KEY", KEY.to_owned()),
            ("AUTH__API_KEYS__0__TENANTS", sandbox::TENANT.to_owned()),
            ("AUTH__API_KEYS__0__SCOPES", "read".to_owned()),
            // One client asks more here than any does elsewhere.
            ("LIMITS__REQUESTS_PER_MINUTE", "10000000".to_owned()),
            ("STORE__PATH", place.path().join("heliograph.db").display().to_string()),
        ];
        let further = further.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let settings = settings.into_iter().chain(further);
        let settings = settings.map(|(key, value)| (format!("HELIOGRAPH_{key}"), value));
        let app = App::build(&Config::load(None, settings).unwrap(), Clock::system()).await.unwrap();
        Self { app, sandbox, place }
    }
}
