//! Nothing secret has a readable `Debug`, generated messages included.

use prost_types::FileDescriptorSet;
use prost_types::field_descriptor_proto::Type;

use prost::Message;

/// Fields that hold a secret, a token or something that can be turned into
/// one, whatever message they stand in.
const SECRET_FIELDS: &[&str] = &[
    "access_token",
    "chunk",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "encrypted_data_key",
    "encrypted_material",
    "redirect_to",
    "refresh_token",
    "request_uri",
    "secret_sha256",
    "state",
    "token",
];

/// Every message with such a field stands in the list of `build.rs`, so that
/// prost derives no `Debug` for it.
pub(crate) fn every_message_with_a_secret_is_redacted() -> Result<(), String> {
    let build = include_str!("../../build.rs");
    let files = FileDescriptorSet::decode(countersign::FILE_DESCRIPTOR_SET)
        .map_err(|error| error.to_string())?;
    let mut seen = 0;
    for file in files
        .file
        .iter()
        .filter(|file| file.package().starts_with("countersign."))
    {
        for message in &file.message_type {
            let secret = message.field.iter().find(|field| {
                SECRET_FIELDS.contains(&field.name())
                    && matches!(field.r#type(), Type::String | Type::Bytes)
            });
            let Some(field) = secret else { continue };
            seen += 1;
            let name = format!("\".{}.{}\"", file.package(), message.name());
            if !build.contains(&name) {
                return Err(format!(
                    "{name} has the field {} and a derived Debug",
                    field.name()
                ));
            }
        }
    }
    // The contracts have more than a dozen such messages: finding few would
    // mean that the search is broken.
    if seen < 12 {
        return Err(format!("only {seen} messages with secrets were found"));
    }
    Ok(())
}

/// What `Debug` prints of a message with secrets holds none of them.
pub(crate) fn debug_prints_no_secret() -> Result<(), String> {
    use countersign::token::v1::client_authentication::Credential;
    use countersign::token::v1::{ClientAuthentication, IssueTokenResponse, RotateTokenRequest};

    const MARK: &str = "c0ffee-marked-secret";
    let client = ClientAuthentication {
        client_id: "checkout".into(),
        credential: Some(Credential::ClientSecret(MARK.into())),
    };
    let printed = [
        format!("{client:?}"),
        format!("{:?}", client.credential),
        format!(
            "{:?}",
            RotateTokenRequest {
                client: Some(client),
                refresh_token: MARK.into(),
                ..Default::default()
            }
        ),
        format!(
            "{:?}",
            IssueTokenResponse {
                access_token: MARK.into(),
                refresh_token: MARK.into(),
                ..Default::default()
            }
        ),
    ];
    match printed.iter().find(|text| text.contains(MARK)) {
        Some(text) => Err(text.clone()),
        None => Ok(()),
    }
}
