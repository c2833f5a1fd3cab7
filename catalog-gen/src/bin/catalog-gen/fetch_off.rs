//! `catalog-gen fetch`, in a build without AWS: it says which feature it takes.

use crate::{Outcome, Verdict};

/// Not in this build: it takes the feature `fetch`.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<std::ffi::OsString>,
}

pub(crate) fn run(args: &Args) -> Verdict {
    // Whatever follows the verb, the answer is the same.
    let _ = &args.words;
    eprintln!(
        "error: this catalog-gen was built without the feature `fetch`; build it with \
         `cargo build -p bedrock-catalog-gen --features fetch`"
    );
    Ok(Outcome::WrongUsage)
}
