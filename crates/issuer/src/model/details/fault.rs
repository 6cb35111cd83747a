//! What is wrong with authorization details, and where. Never what they hold.

use std::fmt;

use countersign_jose::json::JsonError;

/// The longest pointer that is told; a longer one is cut at a `/`.
const POINTER_BYTES_MAX: usize = 256;

/// The longest name of a member that is told.
const NAME_BYTES_MAX: usize = 64;

/// What is wrong, in which object and where in it. Displays without the field's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DetailsFault {
    /// The field, with the number of the object: `authorization_details[1]`.
    pub field: String,
    /// The place in the object, as a JSON pointer (RFC 6901); empty for all of it. Of names that
    /// are not plain only `*` is told.
    pub pointer: String,
    /// What is wrong.
    pub cause: DetailsCause,
}

/// What is wrong with authorization details.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DetailsCause {
    /// Not JSON, or JSON that readers take differently.
    Json(JsonError),
    /// More bytes than a request may have.
    TooLong,
    /// More objects than a request may have.
    TooMany,
    /// One of them is no object.
    NotAnObject,
    /// An object is nested too deeply.
    TooDeep,
    /// `type` is missing or no name.
    Type,
    /// `locations` is not an array of resources that the token is for.
    Location,
    /// The same object stands there twice.
    Twice,
    /// No type of a resource that the token is for, or not the client's there.
    NotPermitted,
    /// A member that the type's schema does not name.
    UnknownMember,
    /// It breaks this keyword of the type's schema.
    Schema(Box<str>),
    /// The type's schema is from another release, and cannot be used.
    SchemaUnusable,
    /// It is none of those that were granted.
    Wider,
    /// It would count at a resource of the token where it was not granted.
    Spills,
    /// With all else that the token says it does not fit one.
    TokenTooLong,
}

impl DetailsFault {
    /// About the field as a whole.
    pub(crate) fn all(cause: DetailsCause) -> Self {
        Self {
            field: "authorization_details".to_owned(),
            pointer: String::new(),
            cause,
        }
    }

    /// About the object of that number.
    pub(crate) fn of(index: usize, cause: DetailsCause) -> Self {
        Self {
            field: format!("authorization_details[{index}]"),
            pointer: String::new(),
            cause,
        }
    }

    /// The same, about a place in it.
    pub(crate) fn at(self, pointer: &str) -> Self {
        Self {
            pointer: tellable(pointer),
            ..self
        }
    }
}

/// A pointer without anything that only its sender knows the meaning of: names are told where they
/// look like names.
pub(super) fn tellable(pointer: &str) -> String {
    let mut told = String::new();
    for name in pointer.split('/').skip(1) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.$".contains(&byte);
        let is_plain = name.len() <= NAME_BYTES_MAX && name.bytes().all(plain);
        let name = if is_plain { name } else { "*" };
        if told.len() + name.len() >= POINTER_BYTES_MAX {
            break;
        }
        told.push('/');
        told.push_str(name);
    }
    told
}

impl DetailsCause {
    /// The stable name, for spans and logs.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Json(_) => "details_json",
            Self::TooLong => "details_too_long",
            Self::TooMany => "details_too_many",
            Self::NotAnObject => "details_not_an_object",
            Self::TooDeep => "details_too_deep",
            Self::Type => "details_type",
            Self::Location => "details_location",
            Self::Twice => "details_twice",
            Self::NotPermitted => "details_not_permitted",
            Self::UnknownMember => "details_unknown_member",
            Self::Schema(_) => "details_schema",
            Self::SchemaUnusable => "details_schema_unusable",
            Self::Wider => "details_wider",
            Self::Spills => "details_spill",
            Self::TokenTooLong => "details_token_too_long",
        }
    }
}

impl fmt::Display for DetailsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            self.cause.fmt(f)
        } else {
            write!(f, "{} {}", self.pointer, self.cause)
        }
    }
}

impl fmt::Display for DetailsCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json(rule) => return write!(f, "must be a JSON array of objects: {rule}"),
            Self::Schema(keyword) => {
                return write!(f, "must be as '{keyword}' in the schema of its type says");
            }
            Self::TooLong => "must be at most 4096 bytes of JSON",
            Self::TooMany => "must be at most 16 objects",
            Self::NotAnObject => "must be a JSON object",
            Self::TooDeep => "must be nested at most 8 deep",
            Self::Type => {
                "must be 1 to 128 printable ASCII characters other than space, quotation mark and backslash"
            }
            Self::Location => "must be an array of resources that the token is for",
            Self::Twice => "must not be listed twice",
            Self::NotPermitted => {
                "must be of a type that the client is registered for at the resources"
            }
            Self::UnknownMember => "must not be there: the schema of its type does not name it",
            Self::SchemaUnusable => "must be of a type whose schema can be used: register it again",
            Self::Wider => "must be one of the objects that were granted, member for member",
            Self::Spills => {
                "would count at a resource of the token where it is not granted: ask for one \
                 resource at a time, or name its locations"
            }
            Self::TokenTooLong => {
                "must fit a token with all else that it says: ask for fewer at a time"
            }
        })
    }
}

impl From<JsonError> for DetailsCause {
    fn from(rule: JsonError) -> Self {
        Self::Json(rule)
    }
}
