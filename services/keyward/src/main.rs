//! The program. All it does is in the library beside it.

use std::process::ExitCode;

// Many small values are made and dropped on several threads for every call; glibc's allocator shows in profiles.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keyward::cli::main()
}
