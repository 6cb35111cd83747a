//! Compiles `proto/` without `protoc`: stubs for tonic, and the descriptor set
//! that reflection and the guard read.

use std::path::{Path, PathBuf};
use std::{env, error, fs};

/// Messages that carry a secret, a token, a proof, or authorization details, which
/// may name accounts and patients. They get a hand-written
/// `Debug` in `proto/redact.rs` instead of the derived one.
const REDACTED: &[&str] = &[
    ".countersign.token.v1.ClientAuthentication",
    ".countersign.token.v1.AuthorizationCode",
    ".countersign.token.v1.DeviceCode",
    ".countersign.token.v1.IssueTokenRequest",
    ".countersign.token.v1.IssueTokenResponse",
    ".countersign.token.v1.RotateTokenRequest",
    ".countersign.token.v1.RotateTokenResponse",
    ".countersign.token.v1.RevokeTokenRequest",
    ".countersign.introspection.v1.IntrospectTokenRequest",
    ".countersign.introspection.v1.IntrospectTokenResponse",
    ".countersign.authorization.v1.PushAuthorizationRequest",
    ".countersign.authorization.v1.PushAuthorizationResponse",
    ".countersign.authorization.v1.AuthorizeDeviceRequest",
    ".countersign.authorization.v1.AuthorizeDeviceResponse",
    ".countersign.authorization.v1.FindAuthorizationRequest",
    ".countersign.authorization.v1.FindAuthorizationResponse",
    ".countersign.authorization.v1.GetAuthorizationRequest",
    ".countersign.authorization.v1.Authorization",
    ".countersign.authorization.v1.ApproveAuthorizationRequest",
    ".countersign.authorization.v1.ApproveAuthorizationResponse",
    ".countersign.authorization.v1.DenyAuthorizationRequest",
    ".countersign.authorization.v1.DenyAuthorizationResponse",
    ".countersign.admin.v1.CreateClientResponse",
    ".countersign.admin.v1.RotateClientSecretResponse",
    ".countersign.admin.v1.BackupStoreResponse",
    ".countersign.admin.v1.CreateAccountRequest",
    ".countersign.admin.v1.SetAccountPasswordRequest",
    ".countersign.storage.v1.ClientRecord",
    ".countersign.storage.v1.AuthorizationRecord",
    ".countersign.storage.v1.DetailRecord",
    ".countersign.storage.v1.ReferenceTokenRecord",
    ".countersign.storage.v1.KeyRecord",
    ".countersign.storage.v1.AccountRecord",
    ".countersign.storage.v1.SessionRecord",
];

fn main() -> Result<(), Box<dyn error::Error>> {
    let root = Path::new("proto");
    println!("cargo:rerun-if-changed=proto");
    let files = proto_files(root)?;

    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&files)?;

    // Encoded by protox, not by prost: prost's types drop extension options,
    // and with them the rules of the methods.
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(
        out.join("countersign.binpb"),
        compiler.encode_file_descriptor_set(),
    )?;

    let mut config = prost_build::Config::new();
    config.skip_debug(REDACTED);
    config.bytes([".countersign.storage.v1"]);
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    Ok(())
}

fn proto_files(folder: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(proto_files(&path)?);
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
