//! One tenant's things in another's answers: through any field of the schema, and through the cache.

use std::collections::BTreeMap;

use apollo_compiler::{
    Schema,
    ast::FieldDefinition,
    schema::{ExtendedType, ObjectType},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::world::{ADMIN_KEY, KEY, OTHER, OTHER_KEY, Subscriber, TENANT, World};

const EXTERNAL: &str = "crm-id-of-the-first-tenant";
const NAME: &str = "Marker Roofing of the first tenant";

/// How deep a made-up selection goes below its root field.
const DEEP: usize = 4;

/// Everything that can be selected of a type, a few levels deep.
fn select(schema: &Schema, of: &str, deep: usize) -> Option<String> {
    let fields = match &schema.types[of] {
        ExtendedType::Scalar(_) | ExtendedType::Enum(_) => return Some(String::new()),
        _ if deep == 0 => return None,
        ExtendedType::Object(it) => select_fields(schema, it, deep),
        _ => {
            let members = schema.implementers_map();
            let mut objects: Vec<_> = members.get(of).into_iter().flat_map(|it| it.objects.iter()).collect();
            objects.sort();
            let parts = objects
                .iter()
                .filter_map(|object| Some(format!("... on {object} {}", select(schema, object, deep)?)));
            parts.collect::<Vec<_>>().join(" ")
        }
    };
    Some(format!("{{ __typename {fields} }}"))
}

fn select_fields(schema: &Schema, of: &ObjectType, deep: usize) -> String {
    // A year's hours are nobody's mark, and more than a request may ask for.
    let plain = of
        .fields
        .iter()
        .filter(|(name, field)| *name != "hourly" && field.arguments.iter().all(|it| !it.is_required()));
    let selected = plain.filter_map(|(name, field)| {
        // The same name with another nullability in two types cannot be merged, so each has its own.
        let alias = format!("{}_{name}", of.name);
        Some(format!("{alias}: {name} {}", select(schema, field.ty.inner_named_type(), deep - 1)?))
    });
    selected.collect::<Vec<_>>().join(" ")
}

/// What the first tenant has, by the argument that would name it.
struct Things {
    by_argument: BTreeMap<&'static str, Vec<Value>>,
    /// What must be in no answer to anybody else.
    marks: Vec<String>,
}

impl Things {
    async fn of(world: &World) -> Self {
        let made = world
            .ask(
                KEY,
                "mutation($name: String, $crm: String) { createProject(input: { name: $name, externalProviderId: $crm,
                    location: { propertyAddress: \"434 Brannan St, San Francisco, CA 94107\" } }) { project { id projectId designs { id designId } } } }",
                json!({ "name": NAME, "crm": EXTERNAL }),
            )
            .await
            .sound();
        let project = &made["createProject"]["project"];
        let (project_id, design) = (project["projectId"].as_str().unwrap(), &project["designs"][0]);
        let design_id = design["designId"].as_str().unwrap();
        world.complete(design_id, "j1").await;
        world.announced_become(1).await;
        let known = world
            .query(&format!(
                r#"{{ viewer {{ tenants {{ id }} }} design(designId: "{design_id}") {{ summary {{ id }} }} events {{ nodes {{ id cursor }} }} projects {{ pageInfo {{ endCursor }} }} }}"#
            ))
            .await
            .sound();
        let event = &known["events"]["nodes"][0];
        let nodes = [
            &project["id"],
            &design["id"],
            &known["design"]["summary"]["id"],
            &event["id"],
            &known["viewer"]["tenants"][0]["id"],
        ];
        let nodes: Vec<Value> = nodes.into_iter().cloned().collect();
        let marks = [project_id, design_id, EXTERNAL, NAME, event["id"].as_str().unwrap(), "434 Brannan"];
        Self {
            marks: marks.map(str::to_owned).into(),
            by_argument: BTreeMap::from([
                ("tenantId", vec![json!(TENANT), Value::Null]),
                ("projectId", vec![json!(project_id)]),
                ("designId", vec![json!(design_id)]),
                ("externalProviderId", vec![json!(EXTERNAL)]),
                ("ids", vec![json!(nodes)]),
                ("id", nodes),
                (
                    "after",
                    vec![
                        Value::Null,
                        event["cursor"].clone(),
                        known["projects"]["pageInfo"]["endCursor"].clone(),
                    ],
                ),
                ("types", vec![Value::Null]),
                ("first", vec![Value::Null]),
                (
                    "input",
                    vec![
                        json!({ "tenantId": TENANT, "location": { "propertyAddress": "1 Main St" }, "idempotencyKey": "k" }),
                        json!({ "tenantId": TENANT, "sessionToken": "a-session-token" }),
                    ],
                ),
            ]),
        }
    }

    /// Every way to ask a field for what the first tenant has.
    fn asks(&self, field: &FieldDefinition) -> Vec<BTreeMap<String, Value>> {
        let mut all = vec![BTreeMap::new()];
        for argument in &field.arguments {
            let values = self.by_argument.get(argument.name.as_str()).unwrap_or_else(|| {
                panic!(
                    "{}({}) is new: say here what of another tenant's it could name",
                    field.name, argument.name
                )
            });
            all = all
                .into_iter()
                .flat_map(|others| {
                    values.iter().map(move |value| {
                        let mut asked: BTreeMap<String, Value> = others.clone();
                        asked.insert(argument.name.to_string(), value.clone());
                        asked
                    })
                })
                .collect();
        }
        all
    }
}

fn document(schema: &Schema, kind: &str, field: &FieldDefinition) -> String {
    let declared: Vec<_> = field.arguments.iter().map(|it| format!("${}: {}", it.name, it.ty)).collect();
    let given: Vec<_> = field.arguments.iter().map(|it| format!("{0}: ${0}", it.name)).collect();
    let list =
        |list: &[String]| if list.is_empty() { String::new() } else { format!("({})", list.join(", ")) };
    let selected = select(schema, field.ty.inner_named_type(), DEEP).unwrap();
    format!("{kind}{} {{ it: {}{} {selected} }}", list(&declared), field.name, list(&given))
}

/// What the other tenant is told, over both transports. To a subscription something happens in both tenants.
async fn answers(world: &World, kind: &str, document: &str, variables: &Value) -> String {
    let mut socket = Subscriber::connect(&world.url("/graphql"), OTHER_KEY).await;
    socket.begin_operation(json!({ "query": document, "variables": variables })).await;
    if kind != "subscription" {
        let answer = world.ask(OTHER_KEY, document, variables.clone()).await;
        return socket.until_ended().await + &answer.body.to_string();
    }
    let told = socket.until_now().await;
    let announced = own_events(world).await;
    world.deliver("project_changed", &format!("tenant_id={TENANT}&project_id=p&source=434+Brannan")).await;
    world.deliver("project_changed", &format!("tenant_id={OTHER}&project_id=p{announced}&source=app")).await;
    world.eventually("the own event", || async { own_events(world).await > announced }).await;
    told + &socket.until_now().await
}

async fn own_events(world: &World) -> usize {
    let answer = world.ask(OTHER_KEY, "{ events(first: 100) { nodes { id } } }", json!({})).await;
    answer["events"]["nodes"].as_array().unwrap().len()
}

#[tokio::test]
async fn no_field_of_the_schema_tells_one_tenant_of_another() {
    // The documents are larger than people write them.
    let roomy = [
        ("HELIOGRAPH_LIMITS__DOCUMENT_TOKENS", "100000"),
        ("HELIOGRAPH_LIMITS__DOCUMENT_BYTES", "128KiB"),
        ("HELIOGRAPH_LIMITS__ALIASES", "1000"),
        ("HELIOGRAPH_LIMITS__COST", "1000000"),
    ];
    let world = World::with(|_| {}, &roomy).await;
    let things = Things::of(&world).await;
    let schema = Schema::parse_and_validate(heliograph::graphql::sdl(), "schema").unwrap().into_inner();
    let calls = world.aurora.calls().len();
    let (mut asked, mut own, mut leaked) = (0, 0, Vec::new());
    for (kind, root) in [("query", "Query"), ("mutation", "Mutation"), ("subscription", "Subscription")] {
        let ExtendedType::Object(root) = &schema.types[root] else { panic!("{root} is an object") };
        for field in root.fields.values() {
            let document = document(&schema, kind, field);
            for variables in things.asks(field) {
                let variables = json!(variables);
                let answers = answers(&world, kind, &document, &variables).await;
                asked += 2;
                let told = things.marks.iter().filter(|mark| answers.contains(*mark)).count();
                if told > 0
                    || answers.contains("GRAPHQL_VALIDATION_FAILED")
                    || answers.contains("TOO_EXPENSIVE")
                {
                    leaked.push(format!("{}{variables}: {answers}", field.name));
                }
                // Whose it is gets it, so the question was a good one.
                if kind == "query" {
                    let answer = world.ask(KEY, &document, variables).await.body.to_string();
                    own += usize::from(things.marks.iter().any(|mark| answer.contains(mark)));
                }
            }
        }
    }
    assert!(leaked.is_empty(), "{} leaked: {leaked:#?}", leaked.len());
    assert!(asked >= 55 && own >= 12, "{asked} asked, {own} of the tenant's own questions found something");
    let foreign = world.aurora.calls();
    let foreign = foreign[calls..].iter().filter(|call| call.path.contains(TENANT) && call.method == "POST");
    assert_eq!(foreign.count(), 0, "nothing was made");
}

#[tokio::test]
async fn what_one_tenant_has_in_memory_is_never_anothers() {
    let plenty = ("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000");
    let world = World::with(|aurora| aurora.requests_per_minute = 0, &[plenty]).await;
    // The same ids in both, with other things behind them.
    for (tenant, project) in [(TENANT, "p-first"), (OTHER, "p-second")] {
        world.aurora.plant(tenant, project, "shared-design").unwrap();
    }
    world.aurora.change_design(OTHER, "shared-design").unwrap();
    let query = r#"{ design(designId: "shared-design") { project { projectId } tenantId summary { systemSizeStc moduleCount energyProduction { annual } } } }"#;
    let [first, second] = [KEY, OTHER_KEY].map(|key| world.ask(key, query, json!({})));
    let (first, second) = (first.await.sound()["design"].clone(), second.await.sound()["design"].clone());
    assert_eq!(
        (&first["project"]["projectId"], &second["project"]["projectId"]),
        (&json!("p-first"), &json!("p-second"))
    );

    let mut wrong = 0;
    for round in 0..50 {
        // Now and then everything is forgotten, so that both are read and joined at the same time.
        if round % 10 == 0 {
            world.advance(std::time::Duration::from_secs(2 * 3600));
        }
        let asked = (0..16).map(|number| async move {
            let key = [KEY, OTHER_KEY, ADMIN_KEY][number % 3];
            (key, number)
        });
        let answers = join_all(asked.map(|asked| async {
            let (key, _) = asked.await;
            match key {
                ADMIN_KEY => {
                    let named = query.replace("(designId", &format!("(tenantId: \"{OTHER}\", designId"));
                    (key, world.ask(key, &named, json!({})).await)
                }
                key => (key, world.ask(key, query, json!({})).await),
            }
        }))
        .await;
        for (key, answer) in answers {
            let expected = if key == KEY { &first } else { &second };
            wrong += usize::from(&answer["design"] != expected);
        }
    }
    assert_eq!(wrong, 0, "of 800 answers");
}
