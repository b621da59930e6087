//! The older text format of Prometheus, made from OpenMetrics.
//!
//! The samples are the same. What differs is how they are announced: a counter is announced by the name of its
//! sample, an info is a gauge, and there is no word for a unit or for the end.

use std::fmt::Write;

/// The same page in the older format.
pub(super) fn from_open_metrics(page: &str) -> String {
    let mut plain = String::with_capacity(page.len());
    let mut help = None;
    for line in page.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|it| it.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            // Writing to a string cannot fail.
            if let Some((_, text)) = help.take() {
                let _infallible = writeln!(plain, "# HELP {name}{suffix} {text}");
            }
            let _infallible = writeln!(plain, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_is_announced_by_the_name_of_its_samples() {
        let page = "# HELP a Some.\n# TYPE a counter\na_total{x=\"1\"} 2\n# HELP b Built.\n# TYPE b info\n\
                    b_info{v=\"1\"} 1\n# HELP c_seconds Time.\n# TYPE c_seconds histogram\n# UNIT c_seconds seconds\n\
                    c_seconds_sum 0.5\n# EOF\n";
        let plain = "# HELP a_total Some.\n# TYPE a_total counter\na_total{x=\"1\"} 2\n# HELP b_info Built.\n\
                     # TYPE b_info gauge\nb_info{v=\"1\"} 1\n# HELP c_seconds Time.\n\
                     # TYPE c_seconds histogram\nc_seconds_sum 0.5\n";
        assert_eq!(from_open_metrics(page), plain);
    }
}
