//! The program. All it does is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    keyward_portal::cli::main()
}
