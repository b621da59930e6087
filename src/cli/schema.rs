//! `heliograph schema`: the schema as text, for `schema.graphql` and for clients' code generators.

use crate::graphql;

/// Prints it.
#[expect(clippy::print_stdout, reason = "printing is what the command is for")]
pub(super) fn run() {
    print!("{}", graphql::sdl());
}
