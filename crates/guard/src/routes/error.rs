//! Why rules are wrong, with the method or the line, and what would be right.

/// Why a guard does not start with these rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Not a descriptor set, or one without what it imports.
    #[error(
        "the descriptor set cannot be read: {0}. Give an encoded FileDescriptorSet that includes imports, as protox's encode_file_descriptor_set writes it"
    )]
    Descriptors(String),
    /// A rule that lets everybody in and asks for something.
    #[error("{method}: the rule is public and says {also}; it must be one of the two")]
    PublicAnd {
        /// The method.
        method: String,
        /// The word of the rule.
        also: &'static str,
    },
    /// A rule that names no scope.
    #[error("{method}: the rule names no scope; name one, or write public: true")]
    Empty {
        /// The method.
        method: String,
    },
    /// A scope that no token can hold.
    #[error(
        "{method}: {scope:?} is not a scope; a scope is printable ASCII without spaces, quotes and backslashes (RFC 6749 §3.3)"
    )]
    Scope {
        /// The method.
        method: String,
        /// As written.
        scope: String,
    },
    /// A choice that every token has made already.
    #[error(
        "{method}: {scope:?} stands in scopes and in any_scopes, so that any_scopes asks for nothing; write it once"
    )]
    AnyAsksNothing {
        /// The method.
        method: String,
        /// The scope that stands in both.
        scope: String,
    },
    /// An authentication context class that no challenge can name.
    #[error(
        "{method}: {value:?} is not an acr; give printable ASCII without spaces, quotes and backslashes"
    )]
    Acr {
        /// The method.
        method: String,
        /// As written.
        value: String,
    },
    /// An age that nobody can have.
    #[error("{method}: max_age must be whole seconds, at least one")]
    MaxAge {
        /// The method.
        method: String,
    },
    /// A resource that cannot be registered.
    #[error(
        "{of}: {resource:?} is not a resource; give an absolute URI without fragment, such as https://orders.internal:8443 (RFC 8707 §2)"
    )]
    Resource {
        /// The method or service.
        of: String,
        /// As written.
        resource: String,
    },
    /// The option holds something that is not a rule, or more than is
    /// understood.
    #[error(
        "{method}: the option countersign.policy.v1.rule does not hold a rule: {cause}. Write it as in countersign/policy/v1/rule.proto of this version"
    )]
    NotARule {
        /// The method or service.
        method: String,
        /// What it holds.
        cause: String,
    },
    /// Two descriptor sets disagree.
    #[error(
        "{path}: two descriptor sets give it different rules; give descriptors() sets of the same version of its .proto"
    )]
    Conflict {
        /// `/package.Service/Method`, or `package.Service`.
        path: String,
    },
    /// A second rule from configuration.
    #[error("{path}: it has a rule already; a method has one, in its .proto or in one rule file")]
    SecondRule {
        /// `/package.Service/Method`, or `package.Service`.
        path: String,
    },
    /// No descriptor set has this method or service.
    #[error(
        "{path}: no descriptor set has it; check the spelling, or give descriptors() the set of its service too"
    )]
    Unknown {
        /// `/package.Service/Method`, or `package.Service`.
        path: String,
    },
    /// Neither a service nor a method.
    #[error(
        "{0:?} is not a rule's name: write a method as [\"/package.Service/Method\"], a service as [\"package.Service\"], an HTTP route as [\"GET /path/{{id}}\"]"
    )]
    NotAName(String),
    /// Not the name of an HTTP route.
    #[error("{route:?} is not an HTTP route such as [\"GET /orders/{{id}}\"]: {why}")]
    NotARoute {
        /// As written.
        route: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two templates of HTTP routes of which one path could mean either.
    #[error(
        "{route}: one path could mean it or {with}; write one template for both, with the same names in braces"
    )]
    RouteConflict {
        /// The route.
        route: String,
        /// The template that was there before.
        with: String,
    },
    /// A word that rules do not have.
    #[error("{path}: unknown key `{word}`; {known}")]
    UnknownKey {
        /// The method or service.
        path: String,
        /// As written.
        word: String,
        /// Those that there are.
        known: &'static str,
    },
    /// A value of the wrong kind.
    #[error("{path}: `{word}` must be {expected}")]
    Value {
        /// The method or service.
        path: String,
        /// The key.
        word: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// A rule file that cannot be read.
    #[error("{file}: {cause}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        cause: String,
    },
    /// Rules from configuration that are not TOML.
    #[error("{file}, line {line}: not TOML: {problem}")]
    Syntax {
        /// The file, or `rules`.
        file: String,
        /// From 1.
        line: usize,
        /// What the parser said, and of which method or service.
        problem: String,
    },
    /// A wrong rule from configuration.
    #[error("{file}, line {line}: {cause}")]
    InFile {
        /// The file, or `rules`.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        cause: Box<RulesError>,
    },
    /// Neither a service nor a method.
    #[error(
        "cannot exempt {0:?}: write a service as package.Service, a method as /package.Service/Method, an HTTP route as GET /path"
    )]
    Exempt(String),
    /// A Bearer grace for a method that asks for no token.
    #[error(
        "{0:?} cannot accept bearer tokens: name a method with a rule that asks for scopes, as /package.Service/Method, or an HTTP route as GET /path"
    )]
    Bearer(String),
}
