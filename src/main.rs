//! Limbic: without a command it opens the studio, with one it works in the terminal.

use std::process::ExitCode;

/// Training allocates and frees megabytes at every operation; the system's allocator returns them to the kernel each
/// time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    limbic::cli::main()
}
