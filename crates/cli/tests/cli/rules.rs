//! Rules, listed and checked: from descriptor sets, and by asking real servers.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::program::{Ran, Service, run};

const ORDERS: &str = "/countersign.example.v1.OrderService";

/// A server that offers reflection, v1 or v1alpha.
struct Reflecting {
    url: String,
    _runtime: Runtime,
}

#[derive(Copy, Clone)]
enum Version {
    V1,
    V1Alpha,
    None,
}

impl Reflecting {
    fn start(version: Version) -> Self {
        let runtime = Runtime::new().unwrap();
        let url = runtime.block_on(async {
            let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
            let incoming = TcpIncoming::bind(loopback).unwrap();
            let url = format!("http://{}", incoming.local_addr().unwrap());
            let said = || {
                tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(countersign::FILE_DESCRIPTOR_SET)
                    .with_service_name("countersign.example.v1.OrderService")
            };
            let server = Server::builder();
            let server = match version {
                Version::V1 => { server }.add_service(said().build_v1().unwrap()),
                Version::V1Alpha => { server }.add_service(said().build_v1alpha().unwrap()),
                // Answers that it has no method.
                Version::None => { server }.add_routes(tonic::service::Routes::default()),
            };
            tokio::spawn(server.serve_with_incoming(incoming));
            url
        });
        Self {
            url,
            _runtime: runtime,
        }
    }
}

/// A folder with our descriptor set.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("ours.binpb", countersign::FILE_DESCRIPTOR_SET);
        folder
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// `line` is split at spaces; `@NAME` is a file here.
    fn run(&self, line: &str) -> Ran {
        let words = line
            .split_whitespace()
            .map(|word| match word.strip_prefix('@') {
                Some(name) => self.path().join(name).display().to_string(),
                None => word.to_owned(),
            });
        run(words)
    }
}

/// The entry of a method.
fn method<'a>(listed: &'a Value, path: &str) -> &'a Value {
    let methods = listed["methods"].as_array().unwrap();
    let found = methods.iter().find(|method| method["method"] == path);
    found.unwrap_or_else(|| panic!("{path}: {listed}"))
}

fn orders_are_listed(listed: &Value) {
    let holders = |scopes: &[&str]| {
        json!({
            "scopes": scopes, "any_scopes": [], "acr_values": [], "max_age": null,
            "resource": null, "who": "holders",
        })
    };
    for (name, expected) in [
        ("CreateOrder", holders(&["orders.write"])),
        ("ExchangeOrders", holders(&["orders.read", "orders.write"])),
        ("Ping", json!({ "who": "everybody" })),
        ("PurgeOrders", json!({ "who": "nobody" })),
    ] {
        let path = format!("{ORDERS}/{name}");
        let mut expected = expected;
        expected["method"] = path.as_str().into();
        assert_eq!(method(listed, &path), &expected);
    }
}

#[test]
fn a_descriptor_set_is_listed() {
    let folder = Folder::new();
    orders_are_listed(
        &folder
            .run("rules list --descriptors @ours.binpb --json")
            .json(),
    );
    let table = folder.run("rules list --descriptors @ours.binpb");
    assert_eq!(table.code, 0, "{table:?}");
    let line = |name: &str| {
        let path = format!("{ORDERS}/{name} ");
        let found = table.out.lines().find(|line| line.contains(&path));
        found
            .unwrap_or_else(|| panic!("{name}: {table:?}"))
            .to_owned()
    };
    assert!(line("ExchangeOrders").contains("orders.read and orders.write"));
    assert!(line("Ping").contains("everybody"));
    assert!(line("PurgeOrders").contains("nobody: no rule"));
}

#[test]
fn a_server_is_listed_by_reflection() {
    for version in [Version::V1, Version::V1Alpha] {
        let server = Reflecting::start(version);
        let ran = run(["rules", "list", "--json", "--reflect", &server.url]);
        orders_are_listed(&ran.json());
    }
    // The token service itself offers both.
    let service = Service::start();
    let ran = run(["rules", "list", "--json", "--reflect", &service.url]);
    let introspect = method(
        &ran.json(),
        "/countersign.introspection.v1.IntrospectionService/IntrospectToken",
    )
    .clone();
    assert_eq!(introspect["scopes"], json!(["introspect"]));
}

#[test]
fn a_server_that_cannot_be_asked_is_told_apart() {
    let silent = Reflecting::start(Version::None);
    let ran = run(["rules", "list", "--reflect", &silent.url]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.err.contains("offers no reflection"), "{ran:?}");
    assert!(ran.err.contains("--descriptors"), "{ran:?}");
    let ran = run(["rules", "list", "--reflect", "http://127.0.0.1:1"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    let ran = run(["rules", "list", "--reflect", "http://orders.internal:1"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.err
            .contains("--reflect http://orders.internal:1: is not encrypted"),
        "{ran:?}"
    );
    assert_eq!(run(["rules", "list"]).code, 2);
}

#[test]
fn a_rule_file_is_listed_in_the_same_words() {
    let folder = Folder::new();
    folder.write(
        "rules.toml",
        format!(
            "[\"{ORDERS}/PurgeOrders\"]\nscopes = [\"orders.write\"]\n\
             any_scopes = [\"admin\", \"root\"]\nacr_values = [\"hwk\"]\nmax_age = \"300s\"\n\
             [\"countersign.example.v1.OrderService\"]\nresource = \"urn:orders\"\n"
        ),
    );
    let line = "rules list --descriptors @ours.binpb --rules @rules.toml";
    let listed = folder.run(&format!("{line} --json")).json();
    assert_eq!(
        method(&listed, &format!("{ORDERS}/PurgeOrders")),
        &json!({
            "method": format!("{ORDERS}/PurgeOrders"), "who": "holders",
            "scopes": ["orders.write"], "any_scopes": ["admin", "root"], "acr_values": ["hwk"],
            "max_age": "300s", "resource": "urn:orders",
        })
    );
    let created = method(&listed, &format!("{ORDERS}/CreateOrder"));
    assert_eq!(created["resource"], "urn:orders");
    let table = folder.run(line).out;
    for word in ["admin or root", "acr hwk", "within 5m", "urn:orders"] {
        assert!(table.contains(word), "{word}: {table}");
    }

    folder.write("wrong.toml", "\n[\"/a.B/C\"]\nscopes = [\"x\"]");
    let ran = folder.run("rules list --descriptors @ours.binpb --rules @wrong.toml");
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.err
            .contains("wrong.toml, line 2: /a.B/C: no descriptor set has it"),
        "{ran:?}"
    );
    assert!(
        ran.out.contains("CreateOrder"),
        "the rest is listed: {ran:?}"
    );
    for (arguments, says) in [
        ("--rules @absent.toml", "absent.toml"),
        (
            "--descriptors @wrong.toml",
            "the descriptor set cannot be read",
        ),
        (
            "--descriptors @absent.binpb",
            "absent.binpb: cannot be read",
        ),
        ("--rules @rules.toml --exempt a/b", "cannot exempt"),
    ] {
        let ran = folder.run(&format!("rules list {arguments}"));
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains(says), "{ran:?}");
    }
}

/// HTTP routes stand behind methods, in the same words, and need no descriptor set.
#[test]
fn http_routes_are_listed_and_checked_as_methods_are() {
    let folder = Folder::new();
    folder.write(
        "rules.toml",
        "[\"GET /orders/{id}\"]\nscopes = [\"orders.read\"]\nmax_age = \"300s\"\n\
         [\"DELETE /orders/{id}\"]\nscopes = [\"orders.admin\"]\n\
         [\"GET /health\"]\npublic = true\n",
    );
    let listed = folder.run("rules list --rules @rules.toml --json").json();
    assert_eq!(
        method(&listed, "GET /orders/{id}"),
        &json!({
            "method": "GET /orders/{id}", "who": "holders", "scopes": ["orders.read"],
            "any_scopes": [], "acr_values": [], "max_age": "300s", "resource": null,
        })
    );
    assert_eq!(method(&listed, "GET /health")["who"], "everybody");
    let checked = "rules check --json --rules @rules.toml --resource https://o.test=orders.read";
    let ran = folder.run(checked);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(
        problems(&ran),
        [("unknown_scope".to_owned(), "DELETE /orders/{id}".to_owned())]
    );

    folder.write(
        "wrong.toml",
        "[\"GET /a/{id}\"]\npublic = true\n[\"POST /a/{name}\"]\npublic = true\n\
         [\"GET /:id\"]\npublic = true\n",
    );
    let ran = folder.run("rules check --json --rules @wrong.toml");
    let wrong = |path: &str| ("wrong_rule".to_owned(), path.to_owned());
    assert_eq!(problems(&ran), [wrong("POST /a/{name}"), wrong("GET /:id")]);
    for line in ["wrong.toml, line 3", "wrong.toml, line 5"] {
        assert!(ran.out.contains(line), "{ran:?}");
    }
}

/// The problems that a check finds: kind and method.
fn problems(ran: &Ran) -> Vec<(String, String)> {
    let value: Value = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let problems = value["problems"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of_orders = problems.iter().filter(|problem| {
        !problem["method"]
            .as_str()
            .unwrap()
            .starts_with("/countersign.")
            || problem["method"].as_str().unwrap().starts_with(ORDERS)
    });
    of_orders
        .map(|problem| (text(&problem["kind"]), text(&problem["method"])))
        .collect()
}

#[test]
fn a_method_without_a_rule_fails_the_check() {
    let folder = Folder::new();
    let server = Reflecting::start(Version::V1);
    let by_reflection = format!(
        "--reflect {} --exempt grpc.reflection.v1.ServerReflection",
        server.url
    );
    let ran = folder.run(&format!("rules check --json {by_reflection}"));
    assert_eq!(ran.code, 1, "{ran:?}");
    let purge = format!("{ORDERS}/PurgeOrders");
    assert_eq!(problems(&ran), [("no_rule".to_owned(), purge.clone())]);
    assert!(ran.err.contains("1 problem with"), "{ran:?}");
    assert!(ran.err.contains("scopes are not compared"), "{ran:?}");

    let exempt = folder.run(&format!("rules check {by_reflection} --exempt {purge}"));
    assert_eq!(exempt.code, 0, "{exempt:?}");
    assert!(exempt.out.contains("each with a rule"), "{exempt:?}");
    folder.write(
        "rules.toml",
        format!("[\"{purge}\"]\nscopes = [\"orders.admin\"]"),
    );
    let ruled = folder.run(&format!("rules check {by_reflection} --rules @rules.toml"));
    assert_eq!(ruled.code, 0, "{ruled:?}");
}

#[test]
fn a_scope_that_no_resource_has_fails_the_check() {
    let folder = Folder::new();
    let rules = format!(
        "[\"{ORDERS}/PurgeOrders\"]\nscopes = [\"orders.admin\"]\nresource = \"urn:admin\""
    );
    folder.write("rules.toml", rules);
    let server = Reflecting::start(Version::V1);
    let check = |resources: &str| {
        folder.run(&format!(
            "rules check --json --reflect {} --exempt grpc.reflection.v1.ServerReflection \
             --rules @rules.toml {resources}",
            server.url
        ))
    };
    let purge = || format!("{ORDERS}/PurgeOrders");
    const ALL: &str = "--resource https://orders.test?a=b=orders.read,orders.write";
    let ran = check(&format!("{ALL} --resource urn:admin=orders.admin"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.is_empty(), "{ran:?}");

    // Another resource's scope of that name is none of this one's.
    let ran = check(&format!("{ALL},orders.admin --resource urn:admin=x"));
    assert_eq!(problems(&ran), [("unknown_scope".to_owned(), purge())]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let ran = check(ALL);
    assert_eq!(problems(&ran), [("unknown_resource".to_owned(), purge())]);
    let ran = check("--resource urn:o=orders.write --resource urn:admin=orders.admin");
    let kinds: Vec<_> = problems(&ran)
        .into_iter()
        .map(|(_, method)| method)
        .collect();
    let reads =
        ["ExchangeOrders", "GetOrder", "WatchOrders"].map(|name| format!("{ORDERS}/{name}"));
    assert_eq!(kinds, reads);
    for wrong in ["--resource urn:o", "--resource =x", "--resource urn:o="] {
        assert_eq!(check(wrong).code, 2, "{wrong}");
    }
}

#[test]
fn a_rule_that_cannot_be_kept_fails_the_check() {
    let folder = Folder::new();
    let text = format!(
        "[\"{ORDERS}/PurgeOrders\"]\npublic = true\nscopes = [\"x\"]\n[\"/a.B/C\"]\npublic = true"
    );
    folder.write("rules.toml", text);
    let ran = folder.run("rules check --json --descriptors @ours.binpb --rules @rules.toml");
    assert_eq!(ran.code, 1, "{ran:?}");
    let wrong = |path: &str| ("wrong_rule".to_owned(), path.to_owned());
    // Told once: a method with a wrong rule is not one without.
    assert_eq!(
        problems(&ran),
        [wrong(&format!("{ORDERS}/PurgeOrders")), wrong("/a.B/C")]
    );
    assert!(ran.out.contains("rules.toml, line 1"), "{ran:?}");
    folder.write("empty.toml", "");
    let ran = folder.run("rules check --rules @empty.toml");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("no methods to check"), "{ran:?}");
}

/// What is registered, asked over the admin socket, and from a file that was
/// written before.
#[test]
fn registered_resources_are_compared() {
    let folder = Folder::new();
    let service = Service::start();
    let add = service.run("resource add https://orders.test --scope orders.read");
    assert_eq!(add.code, 0, "{add:?}");
    let server = Reflecting::start(Version::V1);
    let common = format!(
        "rules check --json --reflect {} --exempt grpc.reflection.v1.ServerReflection \
         --exempt {ORDERS}/PurgeOrders",
        server.url
    );
    let over_socket = || service.run(&format!("{common} --registered"));
    let ran = over_socket();
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        problems(&ran)
            .iter()
            .all(|(kind, _)| kind == "unknown_scope")
    );
    assert_eq!(problems(&ran).len(), 3, "write, import, exchange: {ran:?}");

    let add = service.run("resource add https://more.test --scope orders.write");
    assert_eq!(add.code, 0, "{add:?}");
    assert_eq!(over_socket().code, 0);

    folder.write("resources.json", service.run("resource list --json").out);
    drop(service);
    let from_file = folder.run(&format!("{common} --resources @resources.json"));
    assert_eq!(from_file.code, 0, "{from_file:?}");
    let absent = folder.path().join("absent.sock");
    let gone = folder.run(&format!(
        "{common} --registered --socket {}",
        absent.display()
    ));
    assert_eq!(gone.code, 5, "{gone:?}");
    folder.write("wrong.json", "{\"resources\": [{\"uri\": 1}]}");
    let wrong = folder.run(&format!("{common} --resources @wrong.json"));
    assert_eq!(wrong.code, 3, "{wrong:?}");
    assert!(wrong.err.contains("resource list --json"), "{wrong:?}");
}
