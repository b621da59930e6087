//! The command line as a person meets it.

use clap::CommandFactory as _;

use super::*;

#[test]
fn every_command_has_help_with_an_example() {
    fn check(command: &clap::Command) {
        let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(example.starts_with("Example"), "{} has no example", command.get_name());
        assert!(command.get_about().is_some(), "{} has no description", command.get_name());
        command.get_subcommands().filter(|it| it.get_name() != "help").for_each(check);
    }
    Cli::command().debug_assert();
    check(&Cli::command());
}

#[test]
fn the_commands_are_those_of_the_contract() {
    let command = Cli::command();
    let names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
    assert_eq!(
        names,
        ["serve", "sandbox", "demo", "schema", "check-config", "healthcheck", "webhooks", "events", "store"]
    );
}

#[test]
fn a_refused_configuration_exits_with_2_and_any_other_failure_with_1() {
    let unknown = ("HELIOGRAPH_NO_SUCH_KEY".to_owned(), String::new());
    let refused = config::Config::load(None, [unknown]).unwrap_err();
    let wrapped = anyhow::Error::new(refused).context("while starting");
    assert_eq!(exit_code(&wrapped), ExitCode::from(2));
    assert_eq!(exit_code(&anyhow::anyhow!("the port is taken")), ExitCode::from(1));
}
