//! Answers that were damaged: no panic, no 5xx, and everything else is answered all the same.

use heliograph::sandbox::{Fault, FaultRule};
use serde_json::json;

use super::*;

/// A small source of chance that repeats itself: the seed is part of the test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

fn ways(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, it)| ways(it, &format!("{at}/{n}"), found))
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, it)| ways(it, &format!("{at}/{name}"), found))
        }
        _ => {}
    }
}

#[tokio::test]
async fn three_hundred_damaged_answers_cost_nothing_but_what_was_damaged() {
    let plenty = [("HELIOGRAPH_AURORA__REQUESTS_PER_MINUTE", "10000")];
    let world = World::with(|aurora| aurora.requests_per_minute = 0, &plenty).await;
    let (_, design) = world.design().await;
    let published: Value =
        serde_json::from_str(include_str!("../../fixtures/aurora/summary.published.json")).unwrap();
    let strange = [
        json!(null),
        json!(true),
        json!(-1e300),
        json!("\u{0}"),
        json!([]),
        json!({}),
        json!([[{"id": [1]}]]),
    ];
    let mut all = Vec::new();
    ways(&published, "", &mut all);
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for number in 0..300 {
        let mut body = published.clone();
        for _ in 0..=dice.below(3) {
            let way = &all[dice.below(all.len())];
            if let Some(place) = body.pointer_mut(way) {
                *place = strange[dice.below(strange.len())].clone();
            }
        }
        world
            .aurora
            .fail(FaultRule::new("GET", SUMMARY, Fault::Body { body: body.clone() }).times(1))
            .unwrap();
        let query = format!(
            r#"{{ design(designId: "{design}") {{ name }}
                  designSummary(designId: "d-{number}") {{ systemSizeStc moduleCount arrays {{ azimuth }} energyProduction {{ annual }} }} }}"#
        );
        let answer = world.query(&query).await;
        assert_eq!(answer.status, 200, "{body}");
        assert!(answer["design"]["name"].is_string(), "{body}: {:?}", answer.errors());
        let wrong = answer.errors();
        assert!(wrong.iter().all(|it| it.contains("at designSummary")), "{body}: {wrong:?}");
        assert!(!wrong.iter().any(|it| it.starts_with("INTERNAL")), "{body}: {wrong:?}");
        world.aurora.clear_faults();
    }
}
