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

use args::{Cli, Color, Question};
use output::{No, Output};

fn main() -> ExitCode {
    let cli = Cli::parse();
    output::set_color(match cli.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    });
    let refreshes = matches!(cli.question, Question::Refresh { .. });
    if cfg!(not(feature = "aws")) && (cli.source.asks_aws() || refreshes) {
        eprintln!("error: asking AWS needs the feature `aws`, which this build does not have");
        return ExitCode::from(2);
    }
    let output = Output::new(cli.question.json());
    match run(&output, &cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(no) => {
            output.no(&no);
            ExitCode::from(if no.is_misuse() { 2 } else { 1 })
        }
    }
}

fn run(output: &Output, cli: &Cli) -> Result<(), No> {
    match &cli.question {
        Question::Status { .. } | Question::Refresh { .. } | Question::Cache { .. } => {
            live::run(output, cli)
        }
        question if cli.source.is_bundle() => {
            let today = live::now().date();
            Ok(questions::answer(
                output,
                Catalog::bundled(),
                question,
                today,
            )?)
        }
        question => {
            let snapshot = live::load(&cli.source)?;
            Ok(questions::answer(
                output,
                &snapshot,
                question,
                live::now().date(),
            )?)
        }
    }
}
