//! Reading rules from encoded descriptor sets.

use std::collections::HashSet;

use countersign::policy::v1::{Rule, ServiceRule};
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorSet;
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor, ReflectMessage as _,
    ServiceDescriptor,
};

use super::error::RulesError;

/// A service of a set, and what its options say.
pub(super) struct Service {
    /// `package.Service`.
    pub(super) name: String,
    /// Empty where it names none.
    pub(super) resource: Result<String, RulesError>,
    pub(super) methods: Vec<Method>,
}

/// A method of a set, and what its option says.
pub(super) struct Method {
    /// `/package.Service/Method`.
    pub(super) path: String,
    /// `package.Service.Method`.
    pub(super) name: String,
    pub(super) streaming: bool,
    pub(super) rule: Result<Option<Rule>, RulesError>,
}

/// All services in an encoded `FileDescriptorSet`.
///
/// # Errors
/// It is none. What is wrong with one rule stands in its place.
pub(super) fn services(descriptors: &[u8]) -> Result<Vec<Service>, RulesError> {
    let pool = pool(descriptors)?;
    let files = files(descriptors)?;
    // By their full names: another extension may bear the same number.
    let on_methods = pool.get_extension_by_name(countersign::RULE_OPTION);
    let on_services = pool.get_extension_by_name(countersign::SERVICE_OPTION);
    let ours = DescriptorPool::decode(countersign::FILE_DESCRIPTOR_SET)
        .map_err(|error| RulesError::Descriptors(error.to_string()))?;
    Ok(pool
        .services()
        .filter(|service| files.contains(service.parent_file().name()))
        .map(|service| Service {
            name: service.full_name().to_owned(),
            resource: resource(&service, on_services.as_ref(), &ours),
            methods: service
                .methods()
                .map(|method| Method {
                    path: format!("/{}/{}", service.full_name(), method.name()),
                    name: method.full_name().to_owned(),
                    streaming: method.is_client_streaming() || method.is_server_streaming(),
                    rule: rule(&method, on_methods.as_ref(), &ours),
                })
                .collect(),
        })
        .collect())
}

/// A set that lacks the policy's own file is completed with it.
fn pool(descriptors: &[u8]) -> Result<DescriptorPool, RulesError> {
    of_known_syntax(descriptors)?;
    let alone = match DescriptorPool::decode(descriptors) {
        Ok(pool) => return Ok(pool),
        Err(error) => error,
    };
    let mut pool = DescriptorPool::decode(countersign::FILE_DESCRIPTOR_SET)
        .map_err(|error| RulesError::Descriptors(error.to_string()))?;
    pool.decode_file_descriptor_set(descriptors)
        .map_err(|_| RulesError::Descriptors(alone.to_string()))?;
    Ok(pool)
}

/// prost-reflect knows no editions, and panics where it should say so.
fn of_known_syntax(descriptors: &[u8]) -> Result<(), RulesError> {
    let set = FileDescriptorSet::decode(descriptors)
        .map_err(|error| RulesError::Descriptors(error.to_string()))?;
    match set
        .file
        .iter()
        .find(|file| !matches!(file.syntax(), "" | "proto2" | "proto3"))
    {
        None => Ok(()),
        Some(file) => Err(RulesError::Descriptors(format!(
            "{} is of the syntax {:?}, and only proto2 and proto3 are understood",
            file.name(),
            file.syntax()
        ))),
    }
}

/// The files of the set itself: completing it must not add rules for services
/// that it does not have.
fn files(descriptors: &[u8]) -> Result<HashSet<String>, RulesError> {
    let set = FileDescriptorSet::decode(descriptors)
        .map_err(|error| RulesError::Descriptors(error.to_string()))?;
    Ok(set.file.into_iter().filter_map(|file| file.name).collect())
}

fn rule(
    method: &MethodDescriptor,
    option: Option<&ExtensionDescriptor>,
    ours: &DescriptorPool,
) -> Result<Option<Rule>, RulesError> {
    let name = method.full_name();
    match held(name, &method.options(), option, ours)? {
        Some(held) => held
            .transcode_to()
            .map(Some)
            .map_err(|error| not_a_rule(name, error.to_string())),
        None => Ok(None),
    }
}

fn resource(
    service: &ServiceDescriptor,
    option: Option<&ExtensionDescriptor>,
    ours: &DescriptorPool,
) -> Result<String, RulesError> {
    let name = service.full_name();
    match held(name, &service.options(), option, ours)? {
        Some(held) => held
            .transcode_to()
            .map(|said: ServiceRule| said.resource)
            .map_err(|error| not_a_rule(name, error.to_string())),
        None => Ok(String::new()),
    }
}

/// The message that an option holds.
///
/// What is not understood must not be passed over: a rule that says more than
/// this guard knows would let more through than its author allowed.
fn held(
    name: &str,
    options: &DynamicMessage,
    option: Option<&ExtensionDescriptor>,
    ours: &DescriptorPool,
) -> Result<Option<DynamicMessage>, RulesError> {
    let Some(option) = option.filter(|option| options.has_extension(option)) else {
        return Ok(None);
    };
    let value = options.get_extension(option);
    let held = value
        .as_message()
        .ok_or_else(|| not_a_rule(name, "not a message".to_owned()))?;
    let known = ours.get_message_by_name(held.descriptor().full_name());
    let is_known = |number: u32| {
        known
            .as_ref()
            .is_some_and(|known| known.get_field(number).is_some())
    };
    let foreign = held
        .fields()
        .map(|(field, _)| field.number())
        .chain(held.unknown_fields().map(|field| field.number()))
        .find(|number| !is_known(*number));
    match foreign {
        None => Ok(Some(held.clone())),
        Some(number) => Err(not_a_rule(
            name,
            format!("field {number} is not known to this release, and may ask for more"),
        )),
    }
}

fn not_a_rule(name: &str, cause: String) -> RulesError {
    RulesError::NotARule {
        method: name.to_owned(),
        cause,
    }
}
