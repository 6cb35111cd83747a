//! `countersign rules`: who may call what at a guarded service.

mod check;
mod reflected;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_guard::{MethodRule, Needs, RuleBook, RulesError, Who};
use serde_json::{Value, json};

use super::connection::{CA_VARIABLE, certificates};
use crate::dial;
use crate::exit::Failure;
use crate::key_file;
use crate::output::{self, Output};

/// The largest descriptor set that is read: a hundred times that of a large
/// company's service with all its imports.
const DESCRIPTORS_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Rules of methods.
#[derive(Subcommand, Debug)]
pub(crate) enum RulesCommand {
    /// List the methods of a service, and who may call each
    #[command(after_help = "\
Examples:
  countersign rules list --descriptors orders.binpb
  countersign rules list --reflect https://orders.internal:8443
  countersign rules list --descriptors health.binpb --rules rules.toml --json")]
    List(Sources),
    /// Fail where a method has no rule, or a rule cannot be kept: for CI
    #[command(after_help = "\
Examples:
  countersign rules check --descriptors orders.binpb \\
    --resource https://orders.internal:8443=orders.read,orders.write
  countersign rules check --descriptors orders.binpb --registered
  countersign rules check --reflect http://127.0.0.1:8443 \\
    --exempt grpc.reflection.v1.ServerReflection")]
    Check(Box<check::Check>),
}

/// Where rules come from.
#[derive(Args, Debug)]
pub(crate) struct Sources {
    /// A file with an encoded FileDescriptorSet, imports included; say it again for each
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["reflect", "rules"]
    )]
    descriptors: Vec<PathBuf>,

    /// Ask the server at this URL by gRPC reflection
    #[arg(long, value_name = "URL")]
    reflect: Option<String>,

    /// Certificates to trust instead of the system's, PEM, when asking by reflection
    #[arg(long, value_name = "FILE", env = CA_VARIABLE)]
    ca: Option<PathBuf>,

    /// A rule file, as the guard is given; say it again for each
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,

    /// A service (package.Service), method (/package.Service/Method) or HTTP route (GET /path) that the guard leaves alone
    #[arg(long, value_name = "NAME")]
    exempt: Vec<String>,
}

impl RulesCommand {
    /// Does what it was told.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::List(sources) => list(&sources, output).await,
            Self::Check(check) => check.run(output).await,
        }
    }
}

async fn list(sources: &Sources, output: &Output) -> Result<(), Failure> {
    let book = sources.book().await?;
    let methods = book.methods();
    let listed: Vec<Value> = methods.iter().map(as_json).collect();
    output.value(&json!({ "methods": listed }), || {
        output::table(
            ["method", "who may call", "resource"],
            methods.iter().map(row),
            "no methods",
        )
    })?;
    for wrong in book.wrong() {
        output.note(&wrong.error.to_string());
    }
    match book.wrong() {
        [] => Ok(()),
        [one, ..] => Err(Failure::configuration(format!(
            "no guard starts with these rules: {}",
            one.error
        ))
        .next("correct what the notes above name")),
    }
}

impl Sources {
    /// Reads them all, as a guard would.
    async fn book(&self) -> Result<RuleBook, Failure> {
        let mut book = RuleBook::default();
        for path in &self.descriptors {
            let encoded = key_file::read_bounded(path, DESCRIPTORS_BYTES_MAX)?;
            book.add_descriptors(&encoded)
                .map_err(|error| wrong(&error).during(path.display()))?;
        }
        if let Some(url) = &self.reflect {
            let ca = self.ca.as_deref().map(certificates).transpose()?;
            let channel = dial::any_server("--reflect", url, ca.as_deref()).await?;
            let encoded = reflected::descriptors(channel)
                .await
                .map_err(|failure| failure.during(format!("reflection at {url}")))?;
            book.add_descriptors(&encoded)
                .map_err(|error| wrong(&error).during(format!("reflection at {url}")))?;
        }
        for path in &self.rules {
            book.add_file(path).map_err(|error| wrong(&error))?;
        }
        for name in &self.exempt {
            book.exempt(name).map_err(|error| wrong(&error))?;
        }
        Ok(book)
    }
}

fn wrong(error: &RulesError) -> Failure {
    Failure::configuration(error.to_string())
}

fn row(method: &MethodRule<'_>) -> [String; 3] {
    let resource = match method.who {
        Who::Holders(needs) => needs.resource().unwrap_or("of the origin"),
        Who::Nobody | Who::Exempt | Who::Everybody => "",
    };
    [
        method.path.to_owned(),
        who(&method.who),
        resource.to_owned(),
    ]
}

fn who(who: &Who<'_>) -> String {
    match who {
        Who::Nobody => "nobody: no rule".to_owned(),
        Who::Exempt => "everybody: not guarded".to_owned(),
        Who::Everybody => "everybody".to_owned(),
        Who::Holders(needs) => holders(needs),
    }
}

fn holders(needs: &Needs) -> String {
    let mut lines = Vec::new();
    let all: Vec<_> = needs.scopes().collect();
    if !all.is_empty() {
        lines.push(all.join(" and "));
    }
    let any: Vec<_> = needs.any_scopes().collect();
    if !any.is_empty() {
        lines.push(any.join(" or "));
    }
    let acr: Vec<_> = needs.acr_values().collect();
    if !acr.is_empty() {
        lines.push(format!("acr {}", acr.join(" or ")));
    }
    if let Some(age) = needs.max_age() {
        let age = humantime::format_duration(age);
        lines.push(format!("proved who they are within {age}"));
    }
    lines.join("\n")
}

fn as_json(method: &MethodRule<'_>) -> Value {
    let word = match method.who {
        Who::Nobody => "nobody",
        Who::Exempt => "exempt",
        Who::Everybody => "everybody",
        Who::Holders(_) => "holders",
    };
    let mut value = json!({ "method": method.path, "who": word });
    if let Who::Holders(needs) = method.who {
        value["scopes"] = needs.scopes().collect();
        value["any_scopes"] = needs.any_scopes().collect();
        value["acr_values"] = needs.acr_values().collect();
        let max_age = needs.max_age().map(|age| format!("{}s", age.as_secs()));
        value["max_age"] = max_age.into();
        value["resource"] = needs.resource().into();
    }
    value
}
