//! The bill of materials that goes with a layout.

use super::layout::Layout;
use super::parts::{COMBINER, DISCONNECT, MOUNT, Part, RAIL};

/// So many of one part.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) struct Line {
    pub(in crate::sandbox) component_type: &'static str,
    pub(in crate::sandbox) part: Part,
    pub(in crate::sandbox) quantity: u32,
}

/// Every part of a layout, counted.
pub(super) fn of(layout: &Layout) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |component_type, part: &Part, quantity: usize| {
        let quantity = u32::try_from(quantity).unwrap_or(u32::MAX);
        if quantity > 0 {
            lines.push(Line { component_type, part: *part, quantity });
        }
    };
    let modules = layout.modules() as usize;
    add("modules", &layout.module.part, modules);
    if let Some(micro) = layout.micro {
        add("microinverters", &micro.part, modules);
        add("combiner_boxes", &COMBINER, 1);
    }
    if let Some(optimizer) = layout.optimizer {
        add("dc_optimizers", optimizer, modules);
    }
    // All of a layout's string inverters are of one model, and so are its batteries.
    if let Some(inverter) = layout.string_inverters.first() {
        add("string_inverters", &inverter.part, layout.string_inverters.len());
    }
    if let Some(inverter) = layout.storage_inverters.first() {
        add("inverters", &inverter.part, layout.storage_inverters.len());
    }
    if let Some(battery) = layout.batteries.first() {
        add("batteries", &battery.part, layout.batteries.len());
    }
    // Two rails under each row of about four modules, and a mount for every half module.
    add("racking_components", &RAIL, modules.div_ceil(4) * 2);
    add("racking_components", &MOUNT, modules * 2);
    add("disconnects", &DISCONNECT, 1);
    lines
}

#[cfg(test)]
mod tests {
    use super::super::layout::{self, Layout, Wiring};

    #[test]
    fn a_bill_agrees_with_its_layout() {
        for site in layout::houses() {
            let layout = Layout::of(&site, 0);
            let count = |kind: &str| -> u32 {
                layout.bill.iter().filter(|it| it.component_type == kind).map(|it| it.quantity).sum()
            };
            assert_eq!(count("modules"), layout.modules());
            assert_eq!(count("string_inverters") as usize, layout.string_inverters.len());
            assert_eq!(count("batteries") as usize, layout.batteries.len());
            let per_module = count("microinverters") + count("dc_optimizers");
            match layout.wiring {
                Wiring::Strings => assert_eq!(per_module, 0),
                Wiring::Micro | Wiring::Optimizers => assert_eq!(per_module, layout.modules()),
            }
        }
    }
}
