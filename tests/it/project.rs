//! Projects, as a client sees them.

use futures_util::future::join_all;
use heliograph::sandbox::{ErrorShape, Fault, FaultRule, Patch, ProjectShape};
use serde_json::{Value, json};

use crate::world::{BOTH_KEY, KEY, OTHER, TENANT, World};

const CREATE: &str = "mutation($input: CreateProjectInput!) { createProject(input: $input) {
    replayed
    userErrors { code message field }
    project {
        projectId tenantId externalProviderId name mailingAddress projectType status tags createdAt auroraUrl
        customer { salutation firstName lastName email phone }
        location { propertyAddress latitude longitude components { streetAddress city region postalCode country } }
    }
} }";

const CREATES: (&str, &str) = ("POST", "/tenants/*/projects");

async fn create(world: &World, input: Value) -> crate::world::Answer {
    world.ask(KEY, CREATE, json!({ "input": input })).await
}

fn creates(world: &World) -> usize {
    world.aurora.calls_to(CREATES.0, CREATES.1)
}

#[tokio::test]
async fn a_project_is_made_by_address_by_coordinates_and_by_both() {
    let world = World::start().await;
    let address = "434 Brannan St, San Francisco, CA, 94107";
    let point = json!({ "latitude": 37.7796, "longitude": -122.3953 });

    let by_address = create(&world, json!({ "location": { "propertyAddress": address } })).await.sound();
    let place = &by_address["createProject"]["project"]["location"];
    assert!(place["latitude"].is_f64() && place["components"]["city"] == "San Francisco", "{place}");

    let by_point = create(&world, json!({ "location": { "coordinates": point } })).await.sound();
    let place = &by_point["createProject"]["project"]["location"];
    assert!(place["propertyAddress"].is_string());
    assert_ne!(place["latitude"], point["latitude"], "the answer is Aurora's, who moved the point");

    let both = json!({ "location": { "propertyAddress": address, "coordinates": point } });
    let by_both = create(&world, both).await.sound();
    let place = &by_both["createProject"]["project"]["location"];
    assert_eq!((&place["latitude"], &place["longitude"]), (&point["latitude"], &point["longitude"]));
}

#[tokio::test]
async fn every_member_reaches_aurora_and_comes_back() {
    let world = World::start().await;
    let input = json!({
        "location": { "propertyAddress": "434 Brannan St, San Francisco, CA, 94107" },
        "externalProviderId": "opp-7", "name": "Maple Street", "mailingAddress": "PO Box 1",
        "projectType": "COMMERCIAL", "status": "Lead", "tags": ["north", "2026"],
        "customer": { "salutation": "Ms.", "firstName": "Ada", "lastName": "Example", "email": "ada@example.com", "phone": "555" },
        "ownerId": "u1", "teamId": "t1", "partnerId": "p1", "preferredSolarModuleIds": ["m1"],
    });
    for shape in [ProjectShape::Nested, ProjectShape::Flat] {
        world.aurora.configure(Patch { project_shape: Some(shape), ..Patch::default() });
        let mut input = input.clone();
        input["externalProviderId"] = json!(format!("opp-{shape:?}"));
        let made = create(&world, input.clone()).await.sound();
        let project = &made["createProject"]["project"];
        for member in
            ["externalProviderId", "name", "mailingAddress", "projectType", "status", "tags", "customer"]
        {
            assert_eq!(project[member], input[member], "{member} in {shape:?}");
        }
        assert_eq!(project["tenantId"], TENANT);
        assert!(project["createdAt"].as_str().unwrap().ends_with('Z'));
        let id = project["projectId"].as_str().unwrap();
        assert_eq!(project["auroraUrl"], format!("https://v2-sandbox.aurorasolar.com/projects/{id}"));
    }
}

#[tokio::test]
async fn empty_and_null_members_are_left_out_of_what_aurora_gets() {
    let world = World::start().await;
    let input = json!({
        "location": { "propertyAddress": "434 Brannan St, San Francisco, CA, 94107", "coordinates": null },
        "name": null, "mailingAddress": "", "tags": [], "ownerId": null,
        "customer": { "firstName": "", "lastName": null, "email": "  " },
    });
    let made = create(&world, input).await.sound();
    assert_eq!(made["createProject"]["userErrors"], json!([]), "Aurora refuses null");
    assert!(made["createProject"]["project"]["projectId"].is_string());
}

#[tokio::test]
async fn what_a_person_can_mend_comes_back_as_user_errors_and_costs_nothing() {
    let world = World::start().await;
    let cases = [
        (json!({ "location": {} }), "LOCATION_REQUIRED", json!(["input", "location"])),
        (
            json!({ "location": { "propertyAddress": "  " } }),
            "LOCATION_REQUIRED",
            json!(["input", "location"]),
        ),
        (
            json!({ "location": { "coordinates": { "latitude": 91.0, "longitude": 0.0 } } }),
            "INVALID_COORDINATES",
            json!(["input", "location", "coordinates", "latitude"]),
        ),
        (
            json!({ "location": { "propertyAddress": "x" }, "customer": { "email": "e".repeat(256) } }),
            "TOO_LONG",
            json!(["input", "customer", "email"]),
        ),
        (
            json!({ "location": { "propertyAddress": "x" }, "projectType": "OTHER" }),
            "INVALID_PROJECT_TYPE",
            json!(["input", "projectType"]),
        ),
    ];
    for (input, code, field) in cases {
        let answer = create(&world, input).await.sound();
        let payload = &answer["createProject"];
        assert!(payload["project"].is_null());
        assert_eq!(
            (&payload["userErrors"][0]["code"], &payload["userErrors"][0]["field"]),
            (&json!(code), &field)
        );
    }
    assert_eq!(world.aurora.calls().len(), 0);
}

#[tokio::test]
async fn auroras_refusal_becomes_user_errors_in_both_of_its_shapes() {
    let world = World::start().await;
    for shape in [ErrorShape::Errors, ErrorShape::ByField] {
        world.aurora.configure(Patch { error_shape: Some(shape), ..Patch::default() });
        let answer = create(&world, json!({ "location": { "propertyAddress": "1 Nowhere" } })).await.sound();
        let payload = &answer["createProject"];
        assert!(payload["project"].is_null());
        assert_eq!(payload["userErrors"][0]["code"], "REJECTED_BY_AURORA", "{shape:?}: {payload}");
        assert!(!payload["userErrors"][0]["message"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn one_key_makes_one_project_for_ever() {
    let mut world = World::start().await;
    let input = json!({ "idempotencyKey": "k1", "location": { "propertyAddress": "434 Brannan St" } });

    let many = join_all((0..50).map(|_| create(&world, input.clone()))).await;
    let ids: Vec<_> = many.iter().map(|it| it["createProject"]["project"]["projectId"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.is_string()), "{ids:?}");
    let made = many.iter().filter(|it| it["createProject"]["replayed"] == false).count();
    assert_eq!((made, creates(&world)), (1, 1));

    world.restart().await;
    let again = create(&world, input.clone()).await.sound();
    assert_eq!(again["createProject"]["replayed"], true);
    assert_eq!(again["createProject"]["project"]["projectId"], ids[0]);

    let mut other = input.clone();
    other["name"] = json!("another");
    assert_eq!(create(&world, other).await.errors(), ["IDEMPOTENCY_CONFLICT at createProject"]);
    assert_eq!(creates(&world), 1);
}

#[tokio::test]
async fn failing_a_key_the_crms_own_id_is_the_key() {
    let world = World::start().await;
    let input = json!({ "externalProviderId": "opp-1", "location": { "propertyAddress": "434 Brannan St" } });
    create(&world, input.clone()).await.sound();
    assert_eq!(create(&world, input).await.sound()["createProject"]["replayed"], true);
    assert_eq!(creates(&world), 1);
    let found = world
        .query(r#"{ projectByExternalProviderId(externalProviderId: "opp-1") { externalProviderId } }"#)
        .await;
    assert_eq!(found.sound()["projectByExternalProviderId"]["externalProviderId"], "opp-1");
    let none =
        world.query(r#"{ projectByExternalProviderId(externalProviderId: "opp-2") { name } }"#).await.sound();
    assert!(none["projectByExternalProviderId"].is_null());
}

#[tokio::test]
async fn blanks_around_the_crms_id_make_no_second_project() {
    let world = World::start().await;
    for id in ["opp-1", "opp-1 ", "  opp-1"] {
        create(&world, json!({ "externalProviderId": id, "location": { "propertyAddress": "1 Main St" } }))
            .await
            .sound();
    }
    assert_eq!(creates(&world), 1);
    let found =
        world.query(r#"{ projectByExternalProviderId(externalProviderId: " opp-1 ") { projectId } }"#).await;
    assert!(found.sound()["projectByExternalProviderId"]["projectId"].is_string());
}

#[tokio::test]
async fn designs_that_cannot_be_read_leave_the_list_standing() {
    let world = World::start().await;
    world.project().await;
    world.aurora.fail(FaultRule::new("GET", "/tenants/*/projects/*/designs", Fault::status(503))).unwrap();
    let answer = world.query("{ projects { nodes { projectId designs { designId } } } }").await;
    assert_eq!(answer.errors(), ["UPSTREAM_UNAVAILABLE at projects.nodes.0.designs"]);
    assert!(answer["projects"]["nodes"][0]["projectId"].is_string());
}

#[tokio::test]
async fn a_key_of_one_tenant_is_free_in_another() {
    let world = World::start().await;
    for tenant in [TENANT, OTHER] {
        let input = json!({ "tenantId": tenant, "idempotencyKey": "k", "location": { "propertyAddress": "1 Main St" } });
        let made = world.ask(BOTH_KEY, CREATE, json!({ "input": input })).await.sound();
        assert_eq!(made["createProject"]["replayed"], false);
        assert_eq!(made["createProject"]["project"]["tenantId"], tenant);
    }
    assert_eq!(creates(&world), 2);
}

#[tokio::test]
async fn a_refused_create_leaves_its_key_free() {
    let world = World::start().await;
    let bad = json!({ "idempotencyKey": "k", "location": { "propertyAddress": "1 Nowhere" } });
    let good = json!({ "idempotencyKey": "k", "location": { "propertyAddress": "1 Main St" } });
    assert!(create(&world, bad).await.sound()["createProject"]["project"].is_null());
    assert_eq!(create(&world, good).await.sound()["createProject"]["replayed"], false);
}

#[tokio::test]
async fn a_create_selected_twice_under_one_response_key_runs_once() {
    let world = World::start().await;
    let twice = r#"mutation {
        createProject(input: { location: { propertyAddress: "1 Main St" } }) { project { projectId } }
        ...More
    } fragment More on Mutation {
        createProject(input: { location: { propertyAddress: "1 Main St" } }) { replayed project { tenantId } }
    }"#;
    let made = world.query(twice).await.sound();
    assert!(made["createProject"]["project"]["projectId"].is_string());
    assert_eq!(made["createProject"]["project"]["tenantId"], TENANT);
    assert_eq!(creates(&world), 1);

    let conditional = r#"mutation($also: Boolean!) {
        createProject(input: { location: { propertyAddress: "1 Main St" } }) { project { projectId } }
        createProject(input: { location: { propertyAddress: "1 Main St" } }) @include(if: $also) { replayed }
    }"#;
    let made = world.ask(KEY, conditional, json!({ "also": true })).await.sound();
    assert_eq!(made["createProject"]["replayed"], false);
    world.ask(KEY, conditional, json!({ "also": false })).await.sound();
    assert_eq!(creates(&world), 3);
}

#[tokio::test]
async fn a_list_is_turned_page_by_page_newest_first() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for number in 0..7 {
        let body = json!({ "location": { "property_address": format!("{number} Main St") } });
        ids.insert(0, world.aurora.create_project(TENANT, &body).unwrap());
    }
    let page = "query($after: String) { projects(first: 3, after: $after) {
        nodes { projectId } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = world.ask(KEY, page, json!({ "after": after })).await.sound();
        let (nodes, info) = (&answer["projects"]["nodes"], &answer["projects"]["pageInfo"]);
        seen.extend(nodes.as_array().unwrap().iter().map(|it| it["projectId"].as_str().unwrap().to_owned()));
        assert_eq!(info["hasPreviousPage"], !after.is_null());
        assert_eq!(
            info["endCursor"],
            answer["projects"]["edges"].as_array().unwrap().last().unwrap()["cursor"]
        );
        after = info["endCursor"].clone();
        if info["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen, ids);
    assert_eq!(world.aurora.calls_to("GET", "/tenants/*/projects"), 1, "one page of Aurora's serves all");
    for (first, errors) in [("-1", 1), ("101", 1), ("0", 0)] {
        let answer = world.query(&format!("{{ projects(first: {first}) {{ nodes {{ name }} }} }}")).await;
        assert_eq!(answer.errors().len(), errors, "{first}");
    }
    let wild = world.query(r#"{ projects(after: "wild") { nodes { name } } }"#).await;
    assert_eq!(wild.errors(), ["BAD_USER_INPUT at projects"]);
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_does_not_end_the_list() {
    let world = World::start().await;
    let page = |projects: Vec<Value>| {
        let body = json!({ "projects": projects });
        FaultRule::new("GET", "/tenants/*/projects", Fault::Body { body }).times(1)
    };
    let entry = |n: u32| if n == 50 { json!({}) } else { json!({ "id": format!("p-{n}") }) };
    world.aurora.fail(page((0..100).map(entry).collect())).unwrap();
    world.aurora.fail(page(vec![json!({ "id": "p-100" })])).unwrap();
    let listed =
        world.query("{ projects(first: 100) { nodes { projectId } pageInfo { hasNextPage } } }").await;
    assert_eq!(listed["projects"]["nodes"].as_array().unwrap().len(), 99);
    assert_eq!(listed["projects"]["pageInfo"]["hasNextPage"], true);
}

#[tokio::test]
async fn a_page_goes_on_behind_its_project_when_new_ones_came() {
    let world = World::start().await;
    let make = |number: u32| {
        let body = json!({ "location": { "property_address": format!("{number} Main St") } });
        world.aurora.create_project(TENANT, &body).unwrap()
    };
    let (first, second) = (make(1), make(2));
    let page =
        world.query("{ projects(first: 1) { nodes { projectId } pageInfo { endCursor } } }").await.sound();
    assert_eq!(page["projects"]["nodes"][0]["projectId"], *second);
    make(3);
    world.advance(std::time::Duration::from_secs(11));
    let query = "query($after: String) { projects(first: 1, after: $after) { nodes { projectId } } }";
    let next =
        world.ask(KEY, query, json!({ "after": page["projects"]["pageInfo"]["endCursor"] })).await.sound();
    assert_eq!(next["projects"]["nodes"][0]["projectId"], *first);
}

#[tokio::test]
async fn a_create_under_way_at_a_stop_is_settled_before_the_store_closes() {
    let mut world = World::start().await;
    let create = r#"mutation { createProject(input: { idempotencyKey: "the-key-of-one-create",
        location: { propertyAddress: "434 Brannan St, San Francisco, CA 94107" } })
        { replayed project { projectId } userErrors { message } } }"#;
    let slow = FaultRule::new("POST", "/tenants/*/projects", Fault::Delay { ms: 600 }).times(1);
    world.aurora.fail(slow).unwrap();
    {
        // The caller hangs up when Aurora has the request.
        let path = format!("/tenants/{TENANT}/projects");
        let arrived =
            world.eventually("the create is sent", || async { world.aurora.calls_to("POST", &path) == 1 });
        tokio::select! {
            _ = world.query(create) => panic!("it answered too soon"),
            () = arrived => {}
        }
    }
    world.restart().await;
    let again = world.query(create).await.sound();
    assert_eq!(again["createProject"]["replayed"], true);
    assert_eq!(world.aurora.projects(TENANT).len(), 1);
}
