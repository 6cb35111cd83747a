//! `countersign rules check`: what a guard would refuse to start with, and what
//! nobody could ever call.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use countersign_guard::{Needs, RuleBook, Who};
use serde_json::{Value, json};

use super::super::connection::AdminArgs;
use super::super::resource;
use super::Sources;
use crate::exit::Failure;
use crate::key_file;
use crate::output::{self, Output};

/// Rules to check.
#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    sources: Sources,

    /// A resource and the scopes that it has; say it again for each
    #[arg(long = "resource", value_name = "URI=SCOPE,…", value_parser = declared)]
    resources: Vec<(String, Vec<String>)>,

    /// Resources as `countersign resource list --json` prints them
    #[arg(long = "resources", value_name = "FILE")]
    resources_file: Option<PathBuf>,

    /// The resources that are registered with the running token service
    #[arg(long)]
    registered: bool,

    #[command(flatten)]
    admin: AdminArgs,
}

/// Scopes by the resource that has them.
type Declared = BTreeMap<String, BTreeSet<String>>;

/// Something that is wrong with a method.
struct Problem {
    kind: &'static str,
    path: String,
    says: String,
}

impl Check {
    /// Does what it was told.
    pub(super) async fn run(self, output: &Output) -> Result<(), Failure> {
        let book = self.sources.book().await?;
        let declared = self.declared().await?;
        if declared.is_none() {
            output.note(
                "scopes are not compared with resources: name these with --resource, --resources \
                 or --registered",
            );
        }
        let problems = problems(&book, declared.as_ref());
        let methods = book.methods().len();
        let listed: Vec<Value> = problems.iter().map(Problem::as_json).collect();
        output.value(
            &json!({ "methods": methods, "scopes_compared": declared.is_some(), "problems": listed }),
            || {
                output::table(
                    ["method", "problem"],
                    problems.iter().map(|p| [p.path.clone(), p.says.clone()]),
                    &format!("{methods} methods, each with a rule that can be kept"),
                )
            },
        )?;
        match problems.len() {
            // A service that was not found is not one that is guarded.
            0 if methods == 0 => Err(Failure::surprise("there are no methods to check")),
            0 => Ok(()),
            1 => Err(Failure::surprise("1 problem with the rules")),
            n => Err(Failure::surprise(format!("{n} problems with the rules"))),
        }
    }

    /// `None`: no resource was named, so nothing can be compared.
    async fn declared(&self) -> Result<Option<Declared>, Failure> {
        let named = !self.resources.is_empty() || self.resources_file.is_some() || self.registered;
        let mut declared = Declared::new();
        let mut add = |uri: String, scopes: Vec<String>| {
            declared.entry(uri).or_default().extend(scopes);
        };
        for (uri, scopes) in &self.resources {
            add(uri.clone(), scopes.clone());
        }
        if let Some(path) = &self.resources_file {
            for (uri, scopes) in from_file(path)? {
                add(uri, scopes);
            }
        }
        if self.registered {
            for resource in resource::all(&self.admin).await?.resources {
                add(resource.uri, resource.scopes);
            }
        }
        Ok(named.then_some(declared))
    }
}

fn problems(book: &RuleBook, declared: Option<&Declared>) -> Vec<Problem> {
    let wrong: Vec<Problem> = book
        .wrong()
        .iter()
        .map(|wrong| Problem {
            kind: "wrong_rule",
            path: wrong.path.clone(),
            says: wrong.error.to_string(),
        })
        .collect();
    let mut problems = Vec::new();
    for method in book.methods() {
        let problem = |kind, says| Problem {
            kind,
            path: method.path.to_owned(),
            says,
        };
        match method.who {
            // Told already, and better.
            Who::Nobody if wrong.iter().any(|wrong| wrong.path == method.path) => {}
            Who::Nobody => problems.push(problem(
                "no_rule",
                "no rule, so nobody may call it".to_owned(),
            )),
            Who::Exempt | Who::Everybody => {}
            Who::Holders(needs) => {
                let unmet = declared.into_iter().flat_map(|d| undeclared(needs, d));
                problems.extend(unmet.map(|(kind, says)| problem(kind, says)));
            }
        }
    }
    wrong.into_iter().chain(problems).collect()
}

/// What the rule asks for and no resource has.
fn undeclared(needs: &Needs, declared: &Declared) -> Vec<(&'static str, String)> {
    let of: Vec<&BTreeSet<String>> = match needs.resource() {
        None => declared.values().collect(),
        Some(uri) => match declared.get(uri) {
            Some(scopes) => vec![scopes],
            None => {
                return vec![("unknown_resource", format!("there is no resource {uri}"))];
            }
        },
    };
    let whose = needs
        .resource()
        .map_or("no resource has".to_owned(), |uri| format!("{uri} lacks"));
    needs
        .scopes()
        .chain(needs.any_scopes())
        .filter(|scope| !of.iter().any(|scopes| scopes.contains(*scope)))
        .map(|scope| ("unknown_scope", format!("{whose} the scope {scope}")))
        .collect()
}

impl Problem {
    fn as_json(&self) -> Value {
        json!({ "kind": self.kind, "method": self.path, "says": self.says })
    }
}

/// A URI may hold `=`; a list of scopes without commas in them is after the last.
fn declared(text: &str) -> Result<(String, Vec<String>), String> {
    let (uri, scopes) = text
        .rsplit_once('=')
        .filter(|(uri, scopes)| !uri.is_empty() && !scopes.is_empty())
        .ok_or("write it as URI=SCOPE,SCOPE")?;
    let scopes = scopes.split(',').map(str::to_owned).collect();
    Ok((uri.to_owned(), scopes))
}

/// What `resource list --json` prints.
fn from_file(path: &Path) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let wrong = || {
        Failure::configuration(format!("{}: holds no list of resources", path.display()))
            .next("write it with `countersign resource list --json`")
    };
    let value: Value =
        serde_json::from_slice(&key_file::read_public(path)?).map_err(|_| wrong())?;
    let resource = |value: &Value| {
        let uri = value["uri"].as_str()?.to_owned();
        let scopes = value["scopes"].as_array()?.iter();
        let scopes: Option<_> = scopes.map(|s| s.as_str().map(str::to_owned)).collect();
        Some((uri, scopes?))
    };
    value["resources"]
        .as_array()
        .and_then(|resources| resources.iter().map(resource).collect())
        .ok_or_else(wrong)
}
