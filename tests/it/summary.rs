//! Summaries, as a client sees them: typed, in known units, read once.

use std::time::Duration;

use futures_util::future::join_all;
use heliograph::sandbox::{Fault, FaultRule, Oddity};
use serde_json::{Value, json};

use crate::world::{TENANT, World};

const ALL: &str =
    "systemSizeStc systemSizePtc systemSizeAc moduleCount projectId designRequestId externalProviderId
    createdAt storageOperatingMode fetchedAt stale
    billOfMaterials { componentId componentType componentTypeText sku name manufacturerName quantity }
    arrays { size azimuth pitch configuration configurationText face groundMounted stringInverterIndex
        module { componentId name ratingStc count orientation orientationText }
        dcOptimizer { componentId name count } microinverter { componentId name count ratedPower }
        shading { solarAccess { annual monthly } totalSolarResourceFraction } }
    stringInverters { componentId name ratedPower } storageInverters { componentId name ratedPower }
    batteries { componentId name hasIntegratedInverter }
    energyProduction { upToDate annual annualOffset annualOffsetText monthly hourly }";

async fn summary(world: &World, design: &str, fields: &str) -> Value {
    let query = format!(r#"{{ designSummary(designId: "{design}") {{ {fields} }} }}"#);
    world.query(&query).await.sound()["designSummary"].clone()
}

async fn finished(world: &World) -> String {
    let (_, design) = world.design().await;
    world.aurora.finish_design(TENANT, &design).unwrap();
    design
}

fn reads(world: &World, design: &str) -> usize {
    world.aurora.calls_to("GET", &format!("/tenants/{TENANT}/designs/{design}/summary"))
}

#[tokio::test]
async fn a_summary_adds_up() {
    let world = World::start().await;
    let design = finished(&world).await;
    let it = summary(&world, &design, ALL).await;
    let number = |value: &Value| value.as_f64().unwrap();
    let arrays = it["arrays"].as_array().unwrap();
    let sizes: f64 = arrays.iter().map(|array| number(&array["size"])).sum();
    assert!((sizes - number(&it["systemSizeStc"])).abs() < 0.01, "{sizes} and {}", it["systemSizeStc"]);
    let modules: i64 = arrays.iter().map(|array| array["module"]["count"].as_i64().unwrap()).sum();
    assert_eq!(it["moduleCount"], modules);
    let billed: f64 = it["billOfMaterials"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["componentType"] == "MODULE")
        .map(|line| number(&line["quantity"]))
        .sum();
    assert_eq!(billed, f64::from(i32::try_from(modules).unwrap()));
    let energy = &it["energyProduction"];
    let months = energy["monthly"].as_array().unwrap();
    let year: f64 = months.iter().map(number).sum();
    assert_eq!(months.len(), 12);
    assert!((year - number(&energy["annual"])).abs() < 0.01);
    assert_eq!(energy["annualOffsetText"], format!("{}%", energy["annualOffset"].as_f64().unwrap()));
    assert_eq!((&it["stale"], &energy["upToDate"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn every_quantity_comes_in_the_unit_that_was_asked_for() {
    let world = World::start().await;
    let design = finished(&world).await;
    let it = summary(&world, &design, "
        w: systemSizeStc kw: systemSizeStc(unit: KILOWATT) mw: systemSizeStc(unit: MEGAWATT)
        arrays { w: size kw: size(unit: KILOWATT) shading {
            percent: totalSolarResourceFraction fraction: totalSolarResourceFraction(unit: FRACTION)
            solarAccess { monthly fractions: monthly(unit: FRACTION) } } }
        energyProduction { kwh: annual wh: annual(unit: WATT_HOUR) mwh: annual(unit: MEGAWATT_HOUR)
            monthly whs: monthly(unit: WATT_HOUR) percent: annualOffset fraction: annualOffset(unit: FRACTION) }").await;
    let near = |a: &Value, b: &Value, factor: f64| {
        let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap() * factor);
        assert!((a - b).abs() <= 1e-9 * a.abs(), "{a} and {b}");
    };
    near(&it["w"], &it["kw"], 1e3);
    near(&it["w"], &it["mw"], 1e6);
    near(&it["arrays"][0]["w"], &it["arrays"][0]["kw"], 1e3);
    let shading = &it["arrays"][0]["shading"];
    near(&shading["percent"], &shading["fraction"], 100.0);
    near(&shading["solarAccess"]["monthly"][3], &shading["solarAccess"]["fractions"][3], 100.0);
    let energy = &it["energyProduction"];
    near(&energy["wh"], &energy["kwh"], 1e3);
    near(&energy["kwh"], &energy["mwh"], 1e3);
    near(&energy["whs"][6], &energy["monthly"][6], 1e3);
    near(&energy["percent"], &energy["fraction"], 100.0);
}

#[tokio::test]
async fn before_the_simulation_there_is_no_energy() {
    let world = World::start().await;
    let (_, design) = world.design().await;
    let it = summary(&world, &design, ALL).await;
    assert!(it["energyProduction"].is_null() && it["systemSizeStc"].is_number());
}

#[tokio::test]
async fn whatever_is_odd_about_auroras_answer_the_figures_are_the_same() {
    let world = World::start().await;
    let design = finished(&world).await;
    let usual =
        summary(&world, &design, "systemSizeStc moduleCount energyProduction { annual annualOffset }").await;
    for oddity in [
        Oddity::OffsetNumber,
        Oddity::OffsetBareText,
        Oddity::ArraysAsText,
        Oddity::NumbersAsText,
        Oddity::ExtraFields,
        Oddity::Shuffled,
        Oddity::SpacedDate,
        Oddity::UnknownValues,
    ] {
        world.aurora.set_oddities(TENANT, &design, &[oddity]).unwrap();
        world.advance(Duration::from_secs(3601));
        let it =
            summary(&world, &design, "systemSizeStc moduleCount energyProduction { annual annualOffset }")
                .await;
        assert_eq!(it, usual, "{oddity:?}");
        assert!(summary(&world, &design, "createdAt").await["createdAt"].is_string(), "{oddity:?}");
    }
}

#[tokio::test]
async fn what_aurora_does_not_give_is_null_and_never_nought() {
    let world = World::start().await;
    let design = finished(&world).await;
    for (oddities, gone) in [
        (&[Oddity::OffsetNull][..], "/energyProduction/annualOffset"),
        (&[Oddity::OffsetAbsent], "/energyProduction/annualOffset"),
        (&[Oddity::AbsentBlocks], "/energyProduction/hourly"),
    ] {
        world.aurora.set_oddities(TENANT, &design, oddities).unwrap();
        world.advance(Duration::from_secs(3601));
        let it = summary(&world, &design, ALL).await;
        assert!(it.pointer(gone).is_none_or(Value::is_null), "{oddities:?}: {it:#}");
    }
    world.aurora.set_oddities(TENANT, &design, &[Oddity::NoArrays]).unwrap();
    world.advance(Duration::from_secs(3601));
    let it = summary(&world, &design, ALL).await;
    assert_eq!(it["arrays"], json!([]));
    assert!(it["moduleCount"].is_number(), "counted over the bill of materials");
}

#[tokio::test]
async fn words_that_nobody_knows_are_other_with_the_word_beside() {
    let world = World::start().await;
    let design = finished(&world).await;
    world.aurora.set_oddities(TENANT, &design, &[Oddity::UnknownValues]).unwrap();
    let it = summary(&world, &design, ALL).await;
    let array = it["arrays"].as_array().unwrap().iter().find(|it| it["configuration"] == "OTHER").unwrap();
    assert!(!array["configurationText"].as_str().unwrap().is_empty());
    let line =
        it["billOfMaterials"].as_array().unwrap().iter().find(|it| it["componentType"] == "OTHER").unwrap();
    assert!(!line["componentTypeText"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_thousand_askers_at_once_cost_one_read() {
    let world = World::start().await;
    let design = finished(&world).await;
    world.query("{ projects { nodes { name } } }").await.sound();
    let slow = FaultRule::new("GET", "/tenants/*/designs/*/summary", Fault::Delay { ms: 300 });
    world.aurora.fail(slow).unwrap();
    let query = format!(r#"{{ designSummary(designId: "{design}") {{ moduleCount }} }}"#);
    let answers = join_all((0..1000).map(|_| world.query(&query))).await;
    assert!(answers.iter().all(|it| it["designSummary"]["moduleCount"].is_number()));
    assert_eq!(reads(&world, &design), 1);
    assert_eq!(answers.iter().map(crate::world::Answer::calls).sum::<u64>(), 1);
}

#[tokio::test]
async fn a_summary_is_read_again_when_it_is_no_longer_fresh() {
    let world = World::start().await;
    let design = finished(&world).await;
    for (passed, reads_then) in [(0, 1), (3599, 1), (2, 2)] {
        world.advance(Duration::from_secs(passed));
        summary(&world, &design, "moduleCount").await;
        assert_eq!(reads(&world, &design), reads_then);
    }
}
