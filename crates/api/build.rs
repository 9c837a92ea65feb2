//! Compiles the contract: messages, servers and clients, and the descriptor set that reflection serves.

use std::path::PathBuf;

use prost::Message as _;

/// Messages whose generated `Debug` would show behaviour, credentials or a person's words; `src/v1.rs` writes others.
const REDACTED: &[&str] = &[
    "keyward.v1.BreakGlass",
    "keyward.v1.CoarseLocation",
    "keyward.v1.Decision",
    "keyward.v1.FinishRegistrationRequest",
    "keyward.v1.KeystrokeSample",
    "keyward.v1.PasskeyAssertion",
    "keyward.v1.PointerSample",
    "keyward.v1.RecordAccess",
];

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts through the environment")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from("../../proto");
    let folder = root.join("keyward/v1");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    // The same bytes on every file system.
    files.sort();
    // Comments stay in: they become the documentation of the Rust items and of `grpcurl describe`.
    let descriptors = protox::compile(&files, [&root])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .codec_path("crate::codec::ProtobufCodec")
        .skip_debug(REDACTED)
        .compile_fds(descriptors)?;
    Ok(())
}
