//! Aurora's words, changed at random: nothing panics, and nothing is lost but what was damaged.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::*, PUBLISHED, asked, read};

/// Every way to a value inside a JSON document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, it)| pointers(it, &format!("{at}/{n}"), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, it)| pointers(it, &format!("{at}/{name}"), found));
        }
        _ => {}
    }
}

fn strange() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[{"id": [1]}], "x", null])),
        Just(json!("[{\"size\": \"x\"}]")),
    ]
}

proptest! {
    #[test]
    fn a_changed_leaf_never_panics_and_never_costs_the_rest(pick in any::<prop::sample::Index>(), put in strange()) {
        let mut body: Value = serde_json::from_str(PUBLISHED).unwrap();
        let mut ways = Vec::new();
        pointers(&body["design"], "/design", &mut ways);
        let way = pick.get(&ways);
        *body.pointer_mut(way).unwrap() = put;
        let read = summary(body.to_string().as_bytes(), &asked());
        // Under another id it would be another design's.
        if way != "/design" && way != "/design/design_id" {
            let read = read.unwrap();
            let others = [read.size_stc.is_some(), read.size_ac.is_some(), !read.batteries.is_empty()];
            prop_assert!(others.into_iter().filter(|known| !known).count() <= 1);
        }
    }

    #[test]
    fn a_number_in_quotes_is_the_same_number(number in prop_oneof![
        (0_u32..2_000_000).prop_map(f64::from),
        0.0..1e9_f64,
    ]) {
        let body = |written: Value| json!({"design": {
            "system_size_stc": written,
            "arrays": [{"azimuth": written, "face": written, "module": {"count": written}}],
            "bill_of_materials": [{"quantity": written}],
            "energy_production": {"annual": written, "annual_offset": written, "monthly": vec![written.clone(); 12]},
        }});
        prop_assert_eq!(read(&body(json!(number))), read(&body(json!(number.to_string()))));
    }

    #[test]
    fn damaged_bytes_never_panic(byte in any::<u8>(), at in any::<prop::sample::Index>()) {
        let mut body = PUBLISHED.as_bytes().to_vec();
        let place = at.index(body.len());
        body[place] = byte;
        let _ = summary(&body, &asked());
        let _ = (rejections(&body, &["87"]), wait(&body), token(&body).is_ok(), webhooks(&body));
    }

    #[test]
    fn an_answer_that_ends_early_is_refused(cut in any::<prop::sample::Index>()) {
        let body = PUBLISHED.trim_end();
        prop_assert!(summary(&body.as_bytes()[..cut.index(body.len())], &asked()).is_err());
    }
}

#[test]
fn however_deep_a_member_is_nested_the_others_are_read() {
    for member in ["unknown", "arrays", "bill_of_materials", "energy_production", "batteries"] {
        for levels in [64, 1_000, 1_000_000] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let nested = format!("{}1{}", open.repeat(levels), close.repeat(levels));
                let body = format!(r#"{{"design":{{"system_size_stc":1,"{member}":{nested}}}}}"#);
                let read = summary(body.as_bytes(), &asked()).unwrap();
                assert!(read.size_stc.is_some(), "{member}, {levels} levels of {open}");
            }
        }
    }
}
