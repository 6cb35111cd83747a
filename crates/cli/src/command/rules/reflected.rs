//! What a server says of itself by gRPC reflection: v1, and v1alpha where it has
//! only that.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::FileDescriptorProto;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use tonic_reflection::pb::{v1, v1alpha};

use crate::exit::{Failure, is_unimplemented};

/// More than any server has; whoever goes on is not describing itself.
const FILES_MAX: usize = 10_000;

/// What is asked.
#[derive(Clone)]
enum Question {
    Services,
    Symbol(String),
    File(String),
}

/// What is answered.
enum Answer {
    Services(Vec<String>),
    /// Encoded files, as they are: options that are not known here stay.
    Files(Vec<Vec<u8>>),
    /// Not there, it says.
    Nothing(String),
}

enum Stub {
    V1(v1::server_reflection_client::ServerReflectionClient<Channel>),
    V1Alpha(v1alpha::server_reflection_client::ServerReflectionClient<Channel>),
}

/// The encoded `FileDescriptorSet` of everything that the server offers.
///
/// # Errors
/// It has no reflection, or describes less than it lists.
pub(super) async fn descriptors(channel: Channel) -> Result<Vec<u8>, Failure> {
    let mut stub = Stub::V1(v1::server_reflection_client::ServerReflectionClient::new(
        channel.clone(),
    ));
    let first = match stub.ask(Question::Services).await {
        Err(status) if is_unimplemented(&status) => {
            let older = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
            stub = Stub::V1Alpha(older);
            stub.ask(Question::Services).await
        }
        other => other,
    };
    let services = match first {
        Ok(Answer::Services(services)) => services,
        Ok(Answer::Files(_) | Answer::Nothing(_)) => return Err(senseless()),
        Err(status) => return Err(unanswered(&status)),
    };
    let mut files = BTreeMap::new();
    for service in services {
        put(
            &mut files,
            stub.files(Question::Symbol(service.clone()), &service)
                .await?,
        )?;
    }
    // What they import, until nothing is missing.
    loop {
        let missing: BTreeSet<String> = files
            .values()
            .flat_map(|(imports, _): &(Vec<String>, Vec<u8>)| imports)
            .filter(|import| !files.contains_key(*import))
            .cloned()
            .collect();
        if missing.is_empty() {
            return Ok(set(files.into_values().map(|(_, encoded)| encoded)));
        }
        for import in missing {
            let found = stub.files(Question::File(import.clone()), &import).await?;
            put(&mut files, found)?;
            if !files.contains_key(&import) {
                return Err(senseless());
            }
        }
    }
}

/// Reads name and imports; keeps the bytes.
fn put(
    files: &mut BTreeMap<String, (Vec<String>, Vec<u8>)>,
    found: Vec<Vec<u8>>,
) -> Result<(), Failure> {
    for encoded in found {
        let file = FileDescriptorProto::decode(encoded.as_slice()).map_err(|_| senseless())?;
        files.insert(file.name().to_owned(), (file.dependency, encoded));
        if files.len() > FILES_MAX {
            return Err(Failure::unreachable(format!(
                "it describes more than {FILES_MAX} files"
            )));
        }
    }
    Ok(())
}

/// By hand: prost's own types would drop the options that hold the rules.
fn set(files: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut set = Vec::new();
    for file in files {
        encode_key(1, WireType::LengthDelimited, &mut set);
        encode_varint(file.len() as u64, &mut set);
        set.extend_from_slice(&file);
    }
    set
}

fn senseless() -> Failure {
    Failure::unreachable("it answers something that was not asked")
}

fn unanswered(status: &Status) -> Failure {
    if is_unimplemented(status) {
        return Failure::unreachable("the server offers no reflection")
            .next("name its descriptor set with --descriptors");
    }
    Failure::answered(status)
}

impl Stub {
    /// The files that are about `name`.
    async fn files(&mut self, question: Question, name: &str) -> Result<Vec<Vec<u8>>, Failure> {
        match self.ask(question).await {
            Ok(Answer::Files(files)) => Ok(files),
            Ok(Answer::Nothing(says)) => Err(Failure::unreachable(format!(
                "it does not describe {name}: {says}"
            ))
            .next("name a whole descriptor set with --descriptors")),
            Ok(Answer::Services(_)) => Err(senseless()),
            Err(status) => Err(unanswered(&status)),
        }
    }

    async fn ask(&mut self, question: Question) -> Result<Answer, Status> {
        match self {
            Self::V1(stub) => {
                let asked = tokio_stream::once(of_v1(question));
                let answers = stub.server_reflection_info(asked).await?.into_inner();
                Ok(sole(answers)
                    .await?
                    .message_response
                    .map_or_else(silence, told_v1))
            }
            Self::V1Alpha(stub) => {
                let asked = tokio_stream::once(of_v1alpha(question));
                let answers = stub.server_reflection_info(asked).await?.into_inner();
                Ok(sole(answers)
                    .await?
                    .message_response
                    .map_or_else(silence, told_v1alpha))
            }
        }
    }
}

/// One question, one answer; an end without any says nothing.
async fn sole<T: Default>(mut answers: Streaming<T>) -> Result<T, Status> {
    Ok(answers.message().await?.unwrap_or_default())
}

fn silence() -> Answer {
    Answer::Nothing("no answer".to_owned())
}

/// The two versions have the same messages under two names.
macro_rules! version {
    ($version:ident, $of:ident, $told:ident) => {
        fn $of(question: Question) -> $version::ServerReflectionRequest {
            use $version::server_reflection_request::MessageRequest;
            $version::ServerReflectionRequest {
                host: String::new(),
                message_request: Some(match question {
                    Question::Services => MessageRequest::ListServices(String::new()),
                    Question::Symbol(name) => MessageRequest::FileContainingSymbol(name),
                    Question::File(name) => MessageRequest::FileByFilename(name),
                }),
            }
        }

        fn $told(answer: $version::server_reflection_response::MessageResponse) -> Answer {
            use $version::server_reflection_response::MessageResponse;
            match answer {
                MessageResponse::ListServicesResponse(list) => Answer::Services(
                    list.service
                        .into_iter()
                        .map(|service| service.name)
                        .collect(),
                ),
                MessageResponse::FileDescriptorResponse(files) => {
                    Answer::Files(files.file_descriptor_proto)
                }
                MessageResponse::ErrorResponse(error) => Answer::Nothing(error.error_message),
                MessageResponse::AllExtensionNumbersResponse(_) => silence(),
            }
        }
    };
}

version!(v1, of_v1, told_v1);
version!(v1alpha, of_v1alpha, told_v1alpha);
