//! What an operator sees of a target, and can do about it.

use super::*;
use crate::world::{KEY, OTHER};

async fn act(world: &World, mutation: &str) -> Value {
    let query = format!("mutation {{ {mutation} {{ target {{ state pending }} userErrors {{ code }} }} }}");
    let answer = world.ask(ADMIN_KEY, &query, json!({})).await.sound();
    answer[mutation.split('(').next().unwrap()].clone()
}

async fn metrics(world: &World) -> String {
    world.http.get(world.admin_url("/metrics")).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_target_that_takes_nothing_for_days_is_disabled_and_shown_and_enabled_by_hand() {
    let crm = Crm::start().await;
    let mut world = world(&crm, &[]).await;
    let ((_, one), (_, other)) = (world.design().await, world.design().await);
    crm.says(500);
    world.complete(&one, "1").await;
    hears(&world, &crm, 1).await;
    world.eventually("failing", || async { seen(&world).await["state"] == "FAILING" }).await;

    // Less than the five days that it has.
    world.advance(Duration::from_secs(4 * 86_400));
    hears(&world, &crm, 2).await;
    assert_eq!(seen(&world).await["state"], "FAILING");
    world.advance(Duration::from_secs(86_400 + 1));
    world.eventually("disabled", || async { seen(&world).await["state"] == "DISABLED" }).await;
    let tries = crm.said().len();
    world.complete(&other, "2").await;
    pending_become(&world, 2).await;
    let target = seen(&world).await;
    assert_eq!(target["name"], "crm");
    assert_eq!(target["host"], "127.0.0.1");
    assert_eq!(target["types"], json!(["design.completed"]));
    assert_eq!(target["disabledReason"], "FAILING");
    assert_eq!(target["lastFailureCode"], "HTTP_500");
    assert_eq!((&target["lastSuccessAt"], &target["gapAt"]), (&Value::Null, &Value::Null));
    assert!(target["oldestPendingSeconds"].as_i64().unwrap() > 5 * 86_400, "{target}");
    assert!(!target["failingSince"].is_null() && !target["disabledAt"].is_null());
    let page = metrics(&world).await;
    for line in [
        r#"heliograph_outbound_disabled{target="crm"} 1.0"#,
        r#"heliograph_outbound_pending{target="crm"} 2.0"#,
        &format!(r#"heliograph_outbound_tries_total{{target="crm",outcome="failed"}} {tries}"#),
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }

    // It stays so over a restart, whatever the time and the target's mood.
    crm.says(200);
    world.restart().await;
    world.advance(A_REST);
    pending_become(&world, 2).await;
    assert_eq!((seen(&world).await["state"].as_str(), crm.said().len()), (Some("DISABLED"), tries));

    let done = act(&world, r#"enableTarget(input: { target: "crm" })"#).await;
    assert_eq!(done["userErrors"], json!([]));
    takes(&world, &crm, 2).await;
    pending_become(&world, 0).await;
    let target = seen(&world).await;
    assert_eq!((&target["state"], &target["oldestPendingSeconds"]), (&json!("ACTIVE"), &Value::Null));
    assert!(!target["lastSuccessAt"].is_null());
    let page = metrics(&world).await;
    assert!(page.contains(r#"heliograph_outbound_disabled{target="crm"} 0.0"#), "{page}");
    assert!(
        page.contains(r#"heliograph_outbound_tries_total{target="crm",outcome="delivered"} 2"#),
        "{page}"
    );
}

#[tokio::test]
async fn a_target_that_says_gone_hears_no_more() {
    let crm = Crm::start().await;
    let world = world(&crm, &[]).await;
    let ((_, one), (_, other)) = (world.design().await, world.design().await);
    crm.says(410);
    world.complete(&one, "1").await;
    world.eventually("disabled", || async { seen(&world).await["disabledReason"] == "GONE" }).await;
    world.complete(&other, "2").await;
    world.advance(A_REST);
    pending_become(&world, 2).await;
    assert_eq!(crm.said().len(), 1);
}

#[tokio::test]
async fn a_target_can_be_disabled_by_hand_and_misses_nothing() {
    let crm = Crm::start().await;
    let world = world(&crm, &[]).await;
    let (_, design) = world.design().await;
    let done = act(&world, r#"disableTarget(input: { target: "crm" })"#).await;
    assert_eq!(done["target"]["state"], "DISABLED");
    assert_eq!(seen(&world).await["disabledReason"], "BY_HAND");
    for job in ["1", "2"] {
        world.complete(&design, job).await;
    }
    pending_become(&world, 2).await;
    assert_eq!(crm.said().len(), 0);
    act(&world, r#"enableTarget(input: { target: "crm" })"#).await;
    takes(&world, &crm, 2).await;
    assert_eq!(crm.taken(), ["1", "2"]);
}

#[tokio::test]
async fn events_are_sent_once_more_by_cursor_under_the_ids_that_they_had() {
    let crm = Crm::start().await;
    let mut world = world(&crm, &[]).await;
    let ((_, one), (_, other)) = (world.design().await, world.design().await);
    for (count, (design, job)) in [(&one, "1"), (&other, "2"), (&one, "3")].into_iter().enumerate() {
        world.complete(design, job).await;
        takes(&world, &crm, count + 1).await;
    }
    let before: Vec<_> = crm.said();
    let cursor = |at: usize| before[at].body["data"]["cursor"].as_str().unwrap().to_owned();
    let settled = world.ask(ADMIN_KEY, "{ outboundTargets { cursor } }", json!({})).await.sound();
    assert_eq!(settled["outboundTargets"][0]["cursor"], cursor(2));

    let done =
        act(&world, &format!(r#"redeliver(input: {{ target: "crm", after: "{}" }})"#, cursor(0))).await;
    assert_eq!(done["userErrors"], json!([]));
    takes(&world, &crm, 5).await;
    pending_become(&world, 0).await;
    let mut again = crm.taken()[3..].to_vec();
    again.sort();
    assert_eq!(again, ["2", "3"]);
    for message in &crm.said()[3..] {
        let first = before.iter().find(|it| it.job() == message.job()).unwrap();
        assert_eq!(first.header("webhook-id"), message.header("webhook-id"));
    }

    // One alone; and, disabled meanwhile, over a restart.
    act(&world, r#"disableTarget(input: { target: "crm" })"#).await;
    act(&world, &format!(r#"redeliver(input: {{ target: "crm", only: "{}" }})"#, cursor(1))).await;
    world.restart().await;
    act(&world, r#"enableTarget(input: { target: "crm" })"#).await;
    takes(&world, &crm, 6).await;
    // A marker behind it: whatever else were on its way would be before it.
    world.complete(&other, "marker").await;
    takes(&world, &crm, 7).await;
    assert_eq!(crm.taken()[5..], ["2", "marker"]);
}

#[tokio::test]
async fn of_a_design_that_waits_only_what_was_asked_for_is_sent_once_more_and_in_order() {
    let crm = Crm::start().await;
    let mut world = world(&crm, &[]).await;
    let (_, design) = world.design().await;
    for job in 1..=5 {
        world.complete(&design, &job.to_string()).await;
        takes(&world, &crm, job).await;
    }
    let cursors: Vec<_> = crm.said().iter().map(|it| it.body["data"]["cursor"].clone()).collect();
    // The next one fails for most of a day, while the target takes others.
    crm.answers(|body| {
        let fails = body["data"]["jobId"] == "fails";
        if fails { StatusCode::BAD_REQUEST } else { StatusCode::OK }.into_response()
    });
    world.complete(&design, "fails").await;
    hears(&world, &crm, 6).await;
    world.advance(Duration::from_secs(23 * 60 * 60));
    hears(&world, &crm, 7).await;
    pending_become(&world, 1).await;

    // It goes before the one that fails, and need not rest for it.
    let again = async |at: usize| {
        act(&world, &format!(r#"redeliver(input: {{ target: "crm", only: {} }})"#, cursors[at])).await
    };
    again(1).await;
    takes(&world, &crm, 6).await;
    // The one behind it is tried at once, and rests again.
    hears(&world, &crm, 9).await;

    // Two that are not next to each other, of a target that is disabled; and over a restart.
    act(&world, r#"disableTarget(input: { target: "crm" })"#).await;
    again(3).await;
    again(0).await;
    world.restart().await;
    act(&world, r#"enableTarget(input: { target: "crm" })"#).await;
    takes(&world, &crm, 8).await;
    hears(&world, &crm, 12).await;
    crm.says(200);
    world.advance(A_REST);
    takes(&world, &crm, 9).await;
    pending_become(&world, 0).await;
    assert_eq!(crm.taken()[5..], ["2", "1", "4", "fails"]);
}

#[tokio::test]
async fn what_is_new_does_not_wait_while_what_is_sent_again_waits_for_a_try_that_hangs() {
    let crm = Crm::start().await;
    // Longer than anybody waits here.
    let world = world(&crm, &[("HELIOGRAPH_OUTBOUND__TIMEOUT", "60s")]).await;
    let ((_, one), (_, other)) = (world.design().await, world.design().await);
    world.complete(&one, "1").await;
    takes(&world, &crm, 1).await;
    let first = crm.said()[0].body["data"]["cursor"].clone();
    crm.hold();
    world.complete(&one, "2").await;
    world.eventually("it hangs", || async { crm.arrived() == 2 }).await;
    let done = act(&world, &format!(r#"redeliver(input: {{ target: "crm", only: {first} }})"#)).await;
    assert_eq!(done["userErrors"], json!([]));

    world.complete(&other, "new").await;
    world.eventually("the new one comes", || async { crm.arrived() == 3 }).await;
    crm.release();
    takes(&world, &crm, 4).await;
    pending_become(&world, 0).await;
    let taken = crm.taken();
    assert!(taken[1..3].contains(&"2".to_owned()) && taken[1..3].contains(&"new".to_owned()), "{taken:?}");
    assert_eq!(taken[3], "1");
}

#[tokio::test]
async fn more_requests_than_are_kept_are_refused_and_take_nothing_with_them() {
    const MOST: usize = 64;
    let crm = Crm::start().await;
    let world = world(&crm, &[]).await;
    let (_, design) = world.design().await;
    for job in 0..=MOST + 1 {
        world.complete(&design, &job.to_string()).await;
    }
    takes(&world, &crm, MOST + 2).await;
    let cursors: Vec<_> = crm.said().iter().map(|it| it.body["data"]["cursor"].clone()).collect();
    act(&world, r#"disableTarget(input: { target: "crm" })"#).await;
    let again = async |at: usize| {
        act(&world, &format!(r#"redeliver(input: {{ target: "crm", only: {} }})"#, cursors[at])).await
    };
    // Newest first, and without the one before the last.
    for at in (2..=MOST).rev().chain([0]) {
        assert_eq!(again(at).await["userErrors"], json!([]), "{at}");
    }
    let refused = again(MOST + 1).await;
    assert_eq!(
        (&refused["target"], &refused["userErrors"][0]["code"]),
        (&Value::Null, &json!("TOO_MANY_REDELIVERIES"))
    );
    // What is asked for already may be asked for again.
    assert_eq!(again(0).await["userErrors"], json!([]));
    act(&world, r#"enableTarget(input: { target: "crm" })"#).await;
    takes(&world, &crm, 2 * MOST + 2).await;
    pending_become(&world, 0).await;
    let in_order: Vec<_> = std::iter::once(0).chain(2..=MOST).map(|it| it.to_string()).collect();
    assert_eq!(crm.taken()[MOST + 2..], in_order);
}

#[tokio::test]
async fn an_operator_of_some_tenants_knows_their_targets_only() {
    let (mine, theirs, all) = (Crm::start().await, Crm::start().await, Crm::start().await);
    let mut settings = theirs.settings(0, "theirs", OTHER);
    settings.extend(mine.settings(1, "mine", TENANT));
    settings.extend(all.settings(2, "all", "*"));
    let key = "key-of-an-operator-of-one-tenant";
    for (field, value) in
        [("NAME", "bound"), ("KEY", key), ("TENANTS", TENANT), ("SCOPES", "read,write,admin")]
    {
        settings.push((format!("HELIOGRAPH_AUTH__API_KEYS__5__{field}"), value.to_owned()));
    }
    let settings: Vec<_> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let world = World::with(|_| {}, &settings).await;
    let names = async |key: &str| {
        let answer = world.ask(key, "{ outboundTargets { name } }", json!({})).await.sound();
        answer["outboundTargets"].clone()
    };
    assert_eq!(names(key).await, json!([{ "name": "mine" }]));
    assert_eq!(names(ADMIN_KEY).await.as_array().unwrap().len(), 3);
    for target in ["theirs", "all", "none"] {
        let mutation = format!(
            r#"mutation {{ disableTarget(input: {{ target: "{target}" }}) {{ target {{ name }} }} }}"#
        );
        let refused = world.ask(key, &mutation, json!({})).await.errors();
        assert!(refused.len() == 1 && refused[0].starts_with("NOT_FOUND"), "{target}: {refused:?}");
    }
}

#[tokio::test]
async fn what_an_operator_asks_is_checked_and_for_operators_only() {
    let crm = Crm::start().await;
    let world = world(&crm, &[]).await;
    let (_, design) = world.design().await;
    world.complete(&design, "1").await;
    takes(&world, &crm, 1).await;
    let cursor = crm.said()[0].body["data"]["cursor"].as_str().unwrap().to_owned();
    let errors = async |key: &str, query: &str| world.ask(key, query, json!({})).await.errors();

    for query in [
        "{ outboundTargets { name } }",
        r#"mutation { enableTarget(input: { target: "crm" }) { target { name } } }"#,
        r#"mutation { disableTarget(input: { target: "crm" }) { target { name } } }"#,
        &format!(
            r#"mutation {{ redeliver(input: {{ target: "crm", after: "{cursor}" }}) {{ target {{ name }} }} }}"#
        ),
    ] {
        let refused = errors(KEY, query).await;
        assert!(refused.len() == 1 && refused[0].starts_with("FORBIDDEN"), "{query}: {refused:?}");
    }
    let redeliver =
        |input: &str| format!("mutation {{ redeliver(input: {{ {input} }}) {{ userErrors {{ code }} }} }}");
    for (input, code) in [
        (r#"target: "none", after: "x""#.to_owned(), "NOT_FOUND"),
        (r#"target: "crm", after: "x""#.to_owned(), "BAD_USER_INPUT"),
        (format!(r#"target: "crm", tenantId: "{OTHER}", after: "{cursor}""#), "NOT_FOUND"),
    ] {
        let refused = errors(ADMIN_KEY, &redeliver(&input)).await;
        assert!(refused.len() == 1 && refused[0].starts_with(code), "{input}: {refused:?}");
    }
    let neither = act(&world, r#"redeliver(input: { target: "crm" })"#).await;
    assert_eq!(neither["userErrors"][0]["code"], "AFTER_OR_ONLY");
    let page = metrics(&world).await;
    assert!(!page.contains(PATH_KEY), "the URL is in the metrics");
}
