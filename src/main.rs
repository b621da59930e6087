//! The binary: parse, run, print the error chain. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use heliograph::cli::{self, Cli};

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the last word of a command that failed")]
            {
                eprintln!("heliograph: {error:#}");
            }
            cli::exit_code(&error)
        }
    }
}
