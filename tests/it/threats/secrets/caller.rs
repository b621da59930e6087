//! Somebody who asks a gateway for everything, rightly and wrongly, and keeps all that it says.

use serde_json::{Value, json};

use super::{
    ADDRESS, API_KEY, BASIC_PASSWORD, OWNER, SESSION_TOKEN, TENANT, WEBHOOK_SECRET, WRONG_KEY, percent,
};

/// Asks a gateway everything, and keeps all that it says.
pub(super) struct Caller {
    pub(super) http: reqwest::Client,
    pub(super) base: String,
    pub(super) admin: String,
    pub(super) said: Vec<(String, Vec<u8>)>,
}

impl Caller {
    pub(super) async fn keep(&mut self, what: &str, request: reqwest::RequestBuilder) {
        let answer = request.send().await.unwrap();
        let mut said = format!("{:?}\n", answer.headers()).into_bytes();
        said.extend(answer.bytes().await.unwrap());
        self.said.push((what.to_owned(), said));
    }

    pub(super) async fn ask(&mut self, bearer: &str, query: &str, variables: Value) {
        let body = json!({ "query": query, "variables": variables });
        let request = self.http.post(format!("{}/graphql", self.base)).bearer_auth(bearer).json(&body);
        self.keep(query, request.header("x-request-id", "a-request-of-the-test")).await;
    }

    /// One round of everything that meets Aurora.
    pub(super) async fn everything(&mut self, bearer: &str, round: usize) {
        for tenant in [TENANT, OWNER] {
            let variables =
                json!({ "t": tenant, "p": format!("project-0{round}"), "d": format!("design-0{round}") });
            for query in [
                "query($t: ID, $p: ID!) { project(tenantId: $t, projectId: $p) { name location { propertyAddress } } }",
                "query($t: ID, $d: ID!) { design(tenantId: $t, designId: $d) { name summary { moduleCount } } }",
                "query($t: ID) { projects(tenantId: $t) { nodes { name } } }",
            ] {
                self.ask(bearer, query, variables.clone()).await;
            }
            let create = "mutation($t: ID, $a: String) { createProject(input: { tenantId: $t, location: { propertyAddress: $a } }) { project { id } userErrors { message } } }";
            self.ask(bearer, create, json!({ "t": tenant, "a": ADDRESS })).await;
        }
        let connect = "mutation($s: String!) { connectTenant(input: { tenantId: \"tenant-a\", sessionToken: $s }) { userErrors { message } } }";
        self.ask(bearer, connect, json!({ "s": format!("{SESSION_TOKEN}-{round}") })).await;
        self.deliver(&format!("design_id=design-0&job_id=j{round}&status=succeeded")).await;
    }

    async fn deliver(&mut self, query: &str) {
        let token = percent(SESSION_TOKEN);
        let url = format!(
            "{}/webhooks/aurora/performance_simulation_job_completed?tenant_id={TENANT}&session_token={token}&{query}",
            self.base
        );
        let basic = self.http.get(&url).basic_auth("aurora", Some(BASIC_PASSWORD));
        self.keep("webhook, basic", basic).await;
        let token = self.http.get(&url).header("X-Heliograph-Webhook-Token", WEBHOOK_SECRET);
        self.keep("webhook, token", token).await;
        self.keep("webhook, wrong", self.http.get(&url).header("X-Heliograph-Webhook-Token", WRONG_KEY))
            .await;
    }

    /// What is wrong before anything is run, with a secret in every place where a careless caller could put one.
    pub(super) async fn mistakes(&mut self) {
        self.ask(WRONG_KEY, "{ viewer { name } }", json!({})).await;
        for document in [
            format!("{{ viewer {{ name(key: \"{WRONG_KEY}\") }} }}"),
            format!("{{ viewer {{ name }} \"{WRONG_KEY}\" "),
            format!("query({WRONG_KEY}: ID) {{ viewer }}"),
        ] {
            let body = json!({ "query": document, "key": WRONG_KEY, "extensions": { "key": WRONG_KEY } });
            let request = self.http.post(format!("{}/graphql", self.base)).bearer_auth(API_KEY).json(&body);
            let answer = request.send().await.unwrap();
            // A parser may show the caller their own words; nobody else gets to see them.
            assert!(answer.status().is_client_error() || answer.status() == 200);
        }
        let in_url =
            format!("{}/graphql?query={{viewer{{name}}}}&access_token={API_KEY}&key={WRONG_KEY}", self.base);
        self.keep("a key in the URL", self.http.get(&in_url)).await;
        self.keep("a key in a path", self.http.get(format!("{}/{WRONG_KEY}", self.base))).await;
        self.keep(
            "a key as a host",
            self.http.get(format!("{}/graphql", self.base)).header("host", "h").header("referer", in_url),
        )
        .await;
    }

    pub(super) async fn pages(&mut self) {
        for path in ["/", "/graphiql", "/graphiql/config.json", "/schema.graphql"] {
            self.keep(path, self.http.get(format!("{}{path}", self.base))).await;
        }
        for path in ["/metrics", "/readyz", "/healthz"] {
            self.keep(path, self.http.get(format!("{}{path}", self.admin))).await;
        }
    }
}
