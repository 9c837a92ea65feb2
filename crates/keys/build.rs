//! Compiles the protocol of key management plug-ins.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (file, folder) = ("proto/kms_v2.proto", "proto");
    println!("cargo::rerun-if-changed={file}");
    // What carries a data key in the clear has no `Debug`.
    tonic_prost_build::configure()
        .skip_debug(["v2.EncryptRequest", "v2.DecryptResponse"])
        .compile_fds(protox::compile([file], [folder])?)?;
    Ok(())
}
