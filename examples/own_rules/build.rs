//! Compiles the service's own `.proto`, without `protoc`.

use std::path::PathBuf;
use std::{env, error, fs};

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    // PROTO_DIR holds the file that declares the option.
    let mut compiler = protox::Compiler::new(["proto", countersign::PROTO_DIR])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("library/v1/library.proto")?;

    // For the guard. Encoded by protox, not by prost: prost's types drop options, and
    // with them the rules.
    let out = PathBuf::from(env::var("OUT_DIR")?).join("library.binpb");
    fs::write(out, compiler.encode_file_descriptor_set())?;

    // For the stubs. The contracts of Countersign are a crate already.
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .extern_path(".countersign", "::countersign")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
