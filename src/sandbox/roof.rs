//! The roof summary: the same house, measured in the units its tenant chose.

use serde_json::{Value, json};

use super::answer::number;
use super::config::Units;
use super::design::layout::{Face, Layout};

const SQUARE_FEET_PER_M2: f64 = 10.763_910_4;
const FEET_PER_M: f64 = 3.280_839_9;

/// Aurora calls a roof flat up to this pitch.
const FLAT_DEG: f64 = 9.46;

/// The whole answer, `{"roofs": […]}`.
pub(super) fn json(layout: &Layout, units: Units) -> Value {
    let ruler = Ruler { layout, units };
    let faces: Vec<Value> =
        layout.faces.iter().enumerate().map(|(at, face)| ruler.face_json(at, face)).collect();
    let heights: f64 = layout.faces.iter().map(|it| it.mean_height_m).sum();
    let all = 0..layout.faces.len();
    let area_m2 = all.clone().map(|at| ruler.area_m2(at)).sum();
    let modules_area_m2 = all.map(|at| ruler.modules_area_m2(at)).sum();
    json!({
        "roofs": [{
            "units_of_measurement": ruler.unit_name(),
            "shape": ruler.shape(),
            "area": ruler.area(area_m2),
            "modules_area": ruler.area(modules_area_m2),
            "pitch": ruler.common_pitch(),
            "modules": layout.modules() > 0,
            "effective_mean_height": ruler.length(heights / layout.faces.len().max(1) as f64),
            "edges_length": ruler.edges(area_m2),
            "faces": faces,
        }]
    })
}

struct Ruler<'a> {
    layout: &'a Layout,
    units: Units,
}

impl Ruler<'_> {
    fn unit_name(&self) -> &'static str {
        match self.units {
            Units::Metric => "Metric",
            Units::Imperial => "Imperial",
        }
    }

    fn area(&self, m2: f64) -> Value {
        let factor = if self.units == Units::Imperial { SQUARE_FEET_PER_M2 } else { 1.0 };
        hundredth(m2 * factor)
    }

    fn length(&self, m: f64) -> Value {
        let factor = if self.units == Units::Imperial { FEET_PER_M } else { 1.0 };
        hundredth(m * factor)
    }

    fn modules_area_m2(&self, face: usize) -> f64 {
        let on_it = self.layout.arrays.iter().filter(|it| it.face == face && !it.ground_mounted);
        f64::from(on_it.map(|it| it.count).sum::<u32>()) * self.layout.module.area_m2
    }

    fn area_m2(&self, at: usize) -> f64 {
        let face = &self.layout.faces[at];
        // A face is larger than its modules, and none is smaller than a bare one would be.
        (self.modules_area_m2(at) / face.cover).max(face.bare_area_m2)
    }

    fn face_json(&self, at: usize, face: &Face) -> Value {
        json!({
            "units_of_measurement": self.unit_name(),
            "area": self.area(self.area_m2(at)),
            "modules_area": self.area(self.modules_area_m2(at)),
            "azimuth": number(face.azimuth_deg),
            "pitch": number(face.pitch_deg),
            "modules": self.modules_area_m2(at) > 0.0,
            "mean_height": self.length(face.mean_height_m),
        })
    }

    fn shape(&self) -> &'static str {
        let flat = self.layout.faces.iter().all(|it| it.pitch_deg <= FLAT_DEG);
        match self.layout.faces.len() {
            _ if flat => "flat",
            1 => "monopitch",
            2 => "gable",
            _ => "hip",
        }
    }

    /// Null unless all faces have the same.
    fn common_pitch(&self) -> Value {
        let mut pitches = self.layout.faces.iter().map(|it| it.pitch_deg);
        let first = pitches.next();
        if pitches.all(|it| Some(it) == first) { json!(first.map(number)) } else { Value::Null }
    }

    /// As if the roof were twice as long as it is wide; a gable has rakes, a hip has hips.
    fn edges(&self, area_m2: f64) -> Value {
        let width = (area_m2 / 2.0).sqrt();
        let length = |factor: f64| self.length(width * factor);
        if self.shape() == "gable" {
            return json!({"eave": length(4.0), "rake": length(2.2), "ridge": length(2.0)});
        }
        json!({"eave": length(6.0), "hip": length(2.9), "ridge": length(1.0), "valley": 0})
    }
}

fn hundredth(value: f64) -> Value {
    number((value * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::super::design::layout;
    use super::*;

    #[test]
    fn both_systems_of_units_measure_the_same_roof() {
        for site in layout::houses() {
            let layout = Layout::of(&site, 0);
            let (metric, imperial) = (json(&layout, Units::Metric), json(&layout, Units::Imperial));
            assert_eq!(imperial["roofs"][0]["faces"][0]["units_of_measurement"], "Imperial");
            let area = |it: &Value| it["roofs"][0]["area"].as_f64().unwrap();
            assert!((area(&imperial) / area(&metric) - SQUARE_FEET_PER_M2).abs() < 0.01);
            let covered = metric["roofs"][0]["modules_area"].as_f64().unwrap();
            assert!(covered < area(&metric));
        }
    }
}
