//! Panics as log lines: where it was, and what it said.
//!
//! Without this, the runtime prints them as they are, over several lines, and with them whatever stood in the value that
//! broke. Invariant: one panic, one line, escaped and cut as any other. Not here: what becomes of whoever panicked.

use std::panic::PanicHookInfo;

/// Logs every panic of the process from now on, and prints none.
pub fn log_them() {
    std::panic::set_hook(Box::new(log));
}

fn log(panic: &PanicHookInfo<'_>) {
    let said = panic.payload_as_str().unwrap_or("something that is no text");
    let place = panic.location().map(ToString::to_string);
    tracing::error!(
        target: "heliograph::panic",
        place,
        thread = std::thread::current().name(),
        said,
        "Something panicked"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::log::{self, Format, LONGEST_VALUE, tests::Captured};

    #[test]
    fn a_panic_is_one_line_that_it_cannot_forge() {
        for format in [Format::Text, Format::Json] {
            let captured = Captured::default();
            let writer = captured.clone();
            let lines = log::subscriber(format, "info", move || writer.clone()).unwrap();
            let before = std::panic::take_hook();
            log_them();
            tracing::subscriber::with_default(lines, || {
                let long = "y".repeat(10_000);
                let broke =
                    std::panic::catch_unwind(|| panic!("one\r\nINFO forged \u{1b}[31m\u{2028}{long}"));
                assert!(broke.is_err());
            });
            std::panic::set_hook(before);

            let text = captured.text();
            assert_eq!(text.lines().count(), 1, "{text:?}");
            assert!(!text.trim_end().contains(char::is_control), "{text:?}");
            assert!(text.contains("panics.rs:") && text.contains("ERROR"), "{text}");
            assert!(text.len() < 3 * LONGEST_VALUE && text.contains('…'), "{} bytes", text.len());
        }
    }
}
