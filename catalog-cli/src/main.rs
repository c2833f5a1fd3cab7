//! `bedrock-catalog`: the catalog's questions from the command line. This file knows the exit codes and
//! who answers; the words are in `args`, the questions in `questions` and `live`, the answers' shapes in
//! `answers`, their look for people in `text`.

mod answers;
mod args;
mod live;
mod output;
mod questions;
mod text;

use std::process::ExitCode;

use bedrock_catalog::Catalog;
use clap::Parser;

use args::{Cli, Color, Command};
use output::{Failure, Output};

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::set_color(match cli.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    });
    let refreshes = matches!(cli.command, Command::Refresh { .. });
    if cfg!(not(feature = "aws")) && (cli.source.fetches() || refreshes) {
        eprintln!("error: asking AWS needs the feature `aws`, which this build does not have");
        return ExitCode::from(2);
    }
    let output = Output::new(cli.command.json());
    match run(&output, &cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(if failure.is_misuse() { 2 } else { 1 })
        }
    }
}

fn run(output: &Output, cli: &Cli) -> Result<(), Failure> {
    match &cli.command {
        Command::Status { .. } | Command::Refresh { .. } | Command::Cache { .. } => {
            live::run(output, cli)
        }
        command if cli.source.is_bundle() => {
            let today = live::now().date();
            Ok(questions::answer(
                output,
                Catalog::bundled(),
                command,
                today,
            )?)
        }
        command => {
            let snapshot = live::load(&cli.source)?;
            Ok(questions::answer(
                output,
                &snapshot,
                command,
                live::now().date(),
            )?)
        }
    }
}
