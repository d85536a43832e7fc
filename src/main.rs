//! Limbic: without a command it opens the studio, with one it works in the terminal.

use std::process::ExitCode;

fn main() -> ExitCode {
    limbic::cli::main()
}
