//! Words of Aurora's that stand for a kind of thing. Every set is open: an unknown word is `Other`.

use crate::domain::{
    project::ProjectType,
    summary::{ArrayConfiguration, ComponentType, ModuleOrientation},
};

pub(super) fn component_type(text: &str) -> ComponentType {
    match bare(text).as_str() {
        "module" | "modules" => ComponentType::Module,
        "inverter" | "inverters" => ComponentType::Inverter,
        "stringinverter" | "stringinverters" => ComponentType::StringInverter,
        "microinverter" | "microinverters" => ComponentType::Microinverter,
        "dcoptimizer" | "dcoptimizers" => ComponentType::DcOptimizer,
        "battery" | "batteries" => ComponentType::Battery,
        "combinerbox" | "combinerboxes" => ComponentType::CombinerBox,
        "disconnect" | "disconnects" => ComponentType::Disconnect,
        "racking" | "rackings" | "rackingcomponent" | "rackingcomponents" => ComponentType::Racking,
        _ => ComponentType::Other,
    }
}

pub(super) fn configuration(text: &str) -> ArrayConfiguration {
    match bare(text).as_str() {
        "stringinverter" | "stringinverters" => ArrayConfiguration::StringInverter,
        "microinverter" | "microinverters" => ArrayConfiguration::Microinverter,
        "dcoptimizer" | "dcoptimizers" => ArrayConfiguration::DcOptimizer,
        _ => ArrayConfiguration::Other,
    }
}

pub(super) fn orientation(text: &str) -> ModuleOrientation {
    match bare(text).as_str() {
        "landscape" => ModuleOrientation::Landscape,
        "portrait" => ModuleOrientation::Portrait,
        _ => ModuleOrientation::Other,
    }
}

pub(super) fn project_type(text: &str) -> ProjectType {
    match bare(text).as_str() {
        "residential" => ProjectType::Residential,
        "commercial" => ProjectType::Commercial,
        _ => ProjectType::Other,
    }
}

/// The word without its case and without what joins its parts.
fn bare(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter_and_strangers_are_other() {
        for text in ["string inverter", "String_Inverter", "STRING-INVERTERS", "stringInverter"] {
            assert_eq!(configuration(text), ArrayConfiguration::StringInverter, "{text}");
        }
        assert_eq!(configuration("Microinverters"), ArrayConfiguration::Microinverter);
        assert_eq!(configuration("DC Optimizer"), ArrayConfiguration::DcOptimizer);
        assert_eq!(configuration("hybrid"), ArrayConfiguration::Other);
        assert_eq!(component_type("dc_optimizer"), ComponentType::DcOptimizer);
        assert_eq!(component_type("racking_components"), ComponentType::Racking);
        assert_eq!(component_type("combiner_box"), ComponentType::CombinerBox);
        assert_eq!(component_type("flux capacitors"), ComponentType::Other);
        assert_eq!(orientation("Portrait"), ModuleOrientation::Portrait);
        assert_eq!(project_type("industrial"), ProjectType::Other);
    }
}
