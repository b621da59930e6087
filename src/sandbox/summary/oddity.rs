//! The ways in which a summary has been seen, or may be, unlike the published example.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::dice::Dice;

/// Something odd about a design's summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oddity {
    /// `annual_offset` is `87`, not `"87%"`.
    OffsetNumber,
    /// `annual_offset` is `"87"`.
    OffsetBareText,
    /// `annual_offset` is null: there is no consumption profile.
    OffsetNull,
    /// `annual_offset` is missing.
    OffsetAbsent,
    /// `arrays` is a text with JSON in it, as in 2018.01.
    ArraysAsText,
    /// Every number is a text.
    NumbersAsText,
    /// A `configuration`, a `component_type` and an operating mode that nobody knows.
    UnknownValues,
    /// Members that are in no documentation.
    ExtraFields,
    /// Every list of objects in another order at each read.
    Shuffled,
    /// Members that may be null or empty are missing instead.
    AbsentBlocks,
    /// No arrays at all.
    NoArrays,
    /// `up_to_date` is false, whatever was simulated.
    Stale,
    /// `created_at` with a space and `UTC`, as everywhere else.
    SpacedDate,
}

impl Oddity {
    /// Texts last, since they hide what they are made from.
    fn rank(self) -> u8 {
        match self {
            Self::NumbersAsText => 1,
            Self::ArraysAsText => 2,
            _ => 0,
        }
    }
}

/// Makes a summary odd; `read` counts the reads of it, so that each can be another.
pub(in crate::sandbox) fn apply(summary: &mut Value, oddities: &[Oddity], read: u64) {
    let mut oddities = oddities.to_vec();
    oddities.sort_by_key(|it| it.rank());
    for oddity in oddities {
        apply_one(summary, oddity, read);
    }
}

fn apply_one(summary: &mut Value, oddity: Oddity, read: u64) {
    match oddity {
        Oddity::OffsetNumber => offset(summary, |text| Some(json!(text.parse::<i64>().ok()))),
        Oddity::OffsetBareText => offset(summary, |text| Some(json!(text))),
        Oddity::OffsetNull => offset(summary, |_| Some(Value::Null)),
        Oddity::OffsetAbsent => offset(summary, |_| None),
        Oddity::ArraysAsText => summary["arrays"] = json!(summary["arrays"].to_string()),
        Oddity::NumbersAsText => numbers_as_text(summary),
        Oddity::UnknownValues => unknown_values(summary),
        Oddity::ExtraFields => {
            summary["carbon_offset"] = json!({"tonnes": 4.2});
            each(&mut summary["arrays"], |it| it["tracker"] = json!({"axis": "dual"}));
            each(&mut summary["bill_of_materials"], |it| it["lead_time_days"] = json!(12));
        }
        Oddity::Shuffled => {
            let mut dice = Dice::of(&["order", &read.to_string()]);
            for list in ["bill_of_materials", "arrays", "string_inverters", "batteries"] {
                if let Some(items) = summary[list].as_array_mut() {
                    dice.shuffle(items);
                }
            }
        }
        Oddity::AbsentBlocks => absent_blocks(summary),
        Oddity::NoArrays => summary["arrays"] = json!([]),
        Oddity::Stale => {
            if let Some(flag) = summary.pointer_mut("/energy_production/up_to_date") {
                *flag = json!(false);
            }
        }
        Oddity::SpacedDate => {
            let spaced = summary["created_at"]
                .as_str()
                .and_then(|it| it.get(..19).map(|it| format!("{} UTC", it.replace('T', " "))));
            summary["created_at"] = json!(spaced);
        }
    }
}

/// Replaces `annual_offset` by what `change` makes of its digits; `None` takes it away.
fn offset(summary: &mut Value, change: impl Fn(&str) -> Option<Value>) {
    let Some(production) = summary.get_mut("energy_production").and_then(Value::as_object_mut) else {
        return;
    };
    let Some(old) = production.remove("annual_offset") else { return };
    let digits = old.as_str().unwrap_or_default().trim_end_matches('%').to_owned();
    if let Some(new) = change(&digits) {
        production.insert("annual_offset".to_owned(), new);
    }
}

fn numbers_as_text(value: &mut Value) {
    match value {
        Value::Number(number) => *value = json!(number.to_string()),
        Value::Array(items) => items.iter_mut().for_each(numbers_as_text),
        Value::Object(members) => members.values_mut().for_each(numbers_as_text),
        _ => {}
    }
}

fn unknown_values(summary: &mut Value) {
    each(&mut summary["arrays"], |it| it["configuration"] = json!("solar shingle loop"));
    if let Some(bill) = summary["bill_of_materials"].as_array_mut() {
        bill.push(json!({
            "id": "part-from-the-future",
            "component_type": "flux_condensers",
            "sku": null,
            "name": "Flux Condenser",
            "manufacturer_name": "Later",
            "quantity": 1,
        }));
    }
    summary["storage_selected_operating_mode"] = json!("moonlight arbitrage");
}

fn absent_blocks(summary: &mut Value) {
    if let Some(members) = summary.as_object_mut() {
        members.retain(|name, value| {
            let may_go = ["design_request_id", "external_provider_id", "storage_selected_operating_mode"];
            let lists = ["string_inverters", "storage_inverters", "batteries"];
            let name = name.as_str();
            let goes = lists.contains(&name) || (value.is_null() && may_go.contains(&name));
            !goes
        });
    }
    each(&mut summary["arrays"], |array| {
        if let Some(members) = array.as_object_mut() {
            members.retain(|name, value| name != "shading" && !value.is_null());
        }
    });
}

fn each(list: &mut Value, change: impl Fn(&mut Value)) {
    list.as_array_mut().into_iter().flatten().for_each(change);
}

#[cfg(test)]
mod tests {
    use super::super::super::design::layout::Site;
    use super::super::tests::design;
    use super::*;

    fn odd(oddities: &[Oddity]) -> Value {
        let site = Site { key: "x".to_owned(), latitude: 37.0 };
        let mut summary = super::super::json(&design(site), false);
        apply(&mut summary, oddities, 1);
        summary
    }

    #[test]
    fn an_offset_comes_in_every_form() {
        let form = |oddity| odd(&[oddity])["energy_production"].get("annual_offset").cloned();
        assert!(form(Oddity::OffsetNumber).unwrap().is_number());
        assert!(form(Oddity::OffsetBareText).unwrap().as_str().unwrap().parse::<i64>().is_ok());
        assert_eq!(form(Oddity::OffsetNull), Some(Value::Null));
        assert_eq!(form(Oddity::OffsetAbsent), None);
    }

    #[test]
    fn arrays_as_text_hold_the_numbers_as_text_too() {
        let summary = odd(&[Oddity::ArraysAsText, Oddity::NumbersAsText]);
        let arrays: Value = serde_json::from_str(summary["arrays"].as_str().unwrap()).unwrap();
        assert!(arrays[0]["size"].is_string());
        assert!(summary["system_size_stc"].is_string());
    }

    #[test]
    fn unknown_extra_absent_and_empty_can_be_had() {
        let summary = odd(&[Oddity::UnknownValues, Oddity::ExtraFields, Oddity::AbsentBlocks]);
        assert_eq!(summary["arrays"][0]["configuration"], "solar shingle loop");
        assert!(summary.get("carbon_offset").is_some());
        assert!(summary.get("batteries").is_none());
        assert!(summary["arrays"][0].get("shading").is_none());
        assert_eq!(odd(&[Oddity::NoArrays])["arrays"], json!([]));
        assert_eq!(odd(&[Oddity::Stale])["energy_production"]["up_to_date"], false);
        assert_eq!(odd(&[Oddity::SpacedDate])["created_at"], "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn shuffling_keeps_what_is_there() {
        let names = |it: &Value| {
            let mut names: Vec<String> = it["bill_of_materials"]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| line["name"].to_string())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(&odd(&[Oddity::Shuffled])), names(&odd(&[])));
    }
}
