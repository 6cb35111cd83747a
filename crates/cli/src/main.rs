//! The countersign command: what it does is in the library beside it, where others can feed its
//! parsers.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Why not the system's: `docs/adr/0007-allocator.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    countersign_cli::main()
}
