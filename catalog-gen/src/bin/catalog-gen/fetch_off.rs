//! `catalog-gen fetch` without the feature `fetch`: names the feature.

use crate::{Outcome, Verdict};

/// Not in this build: it takes the feature `fetch`.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<std::ffi::OsString>,
}

pub(crate) fn run(args: &Args) -> Verdict {
    // Accepted and ignored: the answer does not depend on them.
    let _ = &args.words;
    eprintln!(
        "error: this catalog-gen was built without the feature `fetch`; build it with \
         `cargo build -p bedrock-catalog-gen --features fetch`"
    );
    Ok(Outcome::WrongUsage)
}
