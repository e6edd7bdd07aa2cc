//! `kymo completions`: what a shell needs to complete our commands.
use clap_complete::Shell;

use crate::{cli, exit::Exit, failure::Failure, printer::Printer};

const EXAMPLES: &str = "\
Examples:
  kymo completions bash > ~/.local/share/bash-completion/completions/kymo
  kymo completions zsh > ~/.zfunc/_kymo
  kymo completions fish > ~/.config/fish/completions/kymo.fish";

/// Arguments of `completions`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut cli::grammar(), "kymo", &mut script);
        Printer::new().bytes(&script);
        Ok(Exit::Done)
    }
}
