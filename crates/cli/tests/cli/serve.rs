//! A service, and all that is done with it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::program::{Service, feed, finish, program, serve, wait};

pub(crate) const ORDERS: &str = "https://orders.internal:8443";

/// A service with a resource, a client with a secret, and one that introspects.
pub(crate) fn prepared() -> Service {
    let service = Service::start();
    let issuer = service.url.clone();
    for line in [
        format!("resource add {ORDERS} --scope orders.read --scope orders.write --lifetime 2m"),
        format!(
            "client add checkout --allow {ORDERS}=orders.read,orders.write --secret-file checkout.secret"
        ),
        format!(
            "client add orders --serves {ORDERS} --allow {issuer}=introspect --secret-file orders.secret"
        ),
    ] {
        let ran = service.run(&line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
    }
    service
}

fn mode(service: &Service, name: &str) -> u32 {
    let about = fs::metadata(service.file(name)).unwrap();
    about.permissions().mode() & 0o777
}

#[test]
fn it_says_where_it_is_and_what_to_do_next() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, facts) = serve(folder.path(), &[]);
    for (name, path) in [
        ("data_directory", "data"),
        ("key_file", "kek"),
        ("admin_socket", "admin.sock"),
    ] {
        let path = folder.path().join(path);
        assert_eq!(facts[name], path.to_str().unwrap(), "{name}");
        assert!(path.exists(), "{name}");
    }
    assert!(
        facts["grpc"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:")
    );
    assert_eq!(facts["grpc"], facts["issuer"]);
    assert_eq!(facts["http"], facts["grpc"], "one port for both");
    assert_eq!(facts["login"], Value::Null, "nobody logs in here");
    child.kill().unwrap();
    wait(&mut child);
}

/// Starts one that speaks to people, and returns what it says once it serves.
fn greeting(folder: &Path) -> (Child, String) {
    let mut child = program()
        .args(
            "serve --listen 127.0.0.1:0 --data data --key-file kek --socket admin.sock".split(' '),
        )
        .arg("--with-login")
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    for line in said.lines().map_while(Result::ok) {
        text.push_str(&format!("{line}\n"));
        if line.contains("Ctrl-C") {
            return (child, text);
        }
    }
    panic!("it did not start: {:?}: {text}", wait(&mut child));
}

#[test]
fn with_a_login_it_says_where_people_log_in_and_how_the_first_account_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, said) = greeting(folder.path());
    let line = |begin: &str| said.lines().find_map(|line| line.strip_prefix(begin));
    let issuer = line("issuer").expect(&said).trim();
    let login = line("login").expect(&said).trim();
    assert_eq!(login, format!("{issuer}/login"));
    let page = crate::login::get(login, "");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("type=\"password\""), "{page}");

    // As it is printed.
    let add = line("  countersign account add").expect(&said);
    let added = feed(
        program()
            .args(["account", "add"])
            .args(add.split_whitespace())
            .args(["--password-file", "-"])
            .current_dir(folder.path()),
        "a long enough password",
    );
    assert_eq!(added.code, 0, "{added:?}");
    child.kill().unwrap();
    wait(&mut child);

    let (mut child, said) = greeting(folder.path());
    assert!(said.contains("\nlogin "), "{said}");
    assert!(!said.contains("account add"), "there is one: {said}");
    child.kill().unwrap();
    wait(&mut child);
}

#[test]
fn a_token_is_issued_introspected_and_revoked() {
    let service = prepared();
    let issued = service
        .run("token issue --json --client-id checkout --client-secret-file checkout.secret --scope orders.read")
        .json();
    assert_eq!(issued["token_type"], "DPoP");
    assert_eq!(issued["scopes"], serde_json::json!(["orders.read"]));
    assert_eq!(issued["expires_in"], "120s");
    assert_eq!(issued["refresh_token"], "");
    let token = issued["access_token"].as_str().unwrap();
    assert_eq!(token.split('.').count(), 3);

    let introspect = |token: &str| -> Value {
        feed(
            service
                .command()
                .args("token introspect --json --client-id orders --client-secret-file orders.secret --token -".split(' ')),
            token,
        )
        .json()
    };
    let known = introspect(token);
    assert_eq!(known["active"], true);
    assert_eq!(known["client_id"], "checkout");
    assert_eq!(known["aud"], serde_json::json!([ORDERS]));
    assert!(known["cnf"]["jkt"].as_str().unwrap().len() == 43);

    let revoke = "token revoke --json --client-id checkout --client-secret-file checkout.secret --token - --yes";
    let revoked = feed(service.command().args(revoke.split(' ')), token);
    assert_eq!(revoked.json(), serde_json::json!({}));
    assert_eq!(introspect(token)["active"], false);
}

#[test]
fn an_operator_revokes_what_a_client_has() {
    let service = prepared();
    let issue = "token issue --client-id checkout --client-secret-file checkout.secret \
                 --access-token-file token";
    assert_eq!(service.run(issue).code, 0);
    let worth = || {
        let introspect = "token introspect --json --client-id orders \
                          --client-secret-file orders.secret --token-file token";
        service.run(introspect).json()["active"].clone()
    };
    assert_eq!(worth(), true);
    let told = service.run("token revoke-all --client another --yes");
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(worth(), true);
    let told = service.run("token revoke-all --client checkout --yes");
    assert!(
        told.out.starts_with("revoked: what was issued until 2"),
        "{told:?}"
    );
    assert_eq!(worth(), false);
    let listed = service.run("audit list --event TOKENS_REVOKED --object client:checkout");
    assert!(listed.out.contains("TOKENS_REVOKED"), "{listed:?}");

    for (target, says) in [
        ("--jkt nonsense", "jkt: must be a thumbprint"),
        ("--token-id nonsense", "token_id: must be the jti"),
        ("--family AAAAAAAAAAAAAAAAAAAAAA", "not registered"),
    ] {
        let refused = service.run(&format!("token revoke-all {target} --yes"));
        assert_ne!(refused.code, 0, "{target}");
        assert!(refused.err.contains(says), "{target}: {}", refused.err);
    }
    assert_eq!(service.run("token revoke-all --yes").code, 2);
    assert_eq!(
        service
            .run("token revoke-all --client a --subject b --yes")
            .code,
        2
    );
}

#[test]
fn a_resource_can_have_references_and_jwts_again() {
    let service = prepared();
    let format = |line: &str| service.run(line).json()["access_token_format"].clone();
    let show = format!("resource show {ORDERS} --json");
    assert_eq!(format(&show), "ACCESS_TOKEN_FORMAT_JWT");
    let update = format!("resource update {ORDERS} --json --token-format reference");
    assert_eq!(format(&update), "ACCESS_TOKEN_FORMAT_REFERENCE");
    let listed = service.run("resource list");
    assert!(listed.out.contains("references"), "{listed:?}");
    // What was not named stays.
    let shown = service.run(&show).json();
    assert_eq!(shown["access_token_lifetime"], "120s");
    assert_eq!(
        shown["scopes"],
        serde_json::json!(["orders.read", "orders.write"])
    );

    let secret = "--client-id checkout --client-secret-file checkout.secret";
    let issue = format!("token issue --json {secret}");
    let issued = service.run(&issue).json();
    let token = issued["access_token"].as_str().unwrap();
    assert!(token.starts_with("csa_"));
    let introspect =
        "token introspect --json --client-id orders --client-secret-file orders.secret --token -";
    let told = || feed(service.command().args(introspect.split(' ')), token).json();
    assert_eq!(told()["client_id"], "checkout");
    let revoke = format!("token revoke --json {secret} --token - --yes");
    let revoked = feed(service.command().args(revoke.split(' ')), token);
    assert_eq!(revoked.code, 0, "{revoked:?}");
    assert_eq!(told()["active"], false);

    let update = format!("resource update {ORDERS} --json --token-format jwt --name Orders");
    assert_eq!(format(&update), "ACCESS_TOKEN_FORMAT_JWT");
    let issued = service.run(&issue).json();
    assert!(issued["access_token"].as_str().unwrap().starts_with("eyJ"));
    let nothing = service.run(&format!("resource update {ORDERS}"));
    assert_eq!(nothing.code, 2, "{nothing:?}");
    let added = "resource add https://new.example --json --scope a --token-format reference";
    assert_eq!(format(added), "ACCESS_TOKEN_FORMAT_REFERENCE");
    let own = service.run(&format!(
        "resource update {} --token-format reference",
        service.url
    ));
    assert!(own.err.contains("access_token_format"), "{own:?}");
}

#[test]
fn scopes_have_words_as_long_as_it_is_said() {
    let service = prepared();
    let words = |line: &[&str]| {
        let mut command = service.command();
        let ran = finish(command.args(line).arg("--json"));
        assert_eq!(ran.code, 0, "{line:?}: {ran:?}");
        ran.json()["scope_descriptions"].clone()
    };
    let told = |scope: &str, words: &str| serde_json::json!({"scope": scope, "description": words});
    let add = [
        "resource",
        "add",
        "https://new.example",
        "--scope=a,b",
        "--describe=a=See all (a = 1)",
    ];
    let see = told("a", "See all (a = 1)");
    assert_eq!(words(&add), serde_json::json!([see]));
    let shown = service.run("resource show https://new.example").out;
    assert!(shown.contains("a: See all (a = 1)"), "{shown}");
    let update = ["resource", "update", "https://new.example"];
    let with = |last: &'static str| words(&[update.as_slice(), &[last]].concat());
    assert_eq!(with("--name=New"), serde_json::json!([see]), "kept");
    assert_eq!(
        with("--describe=b=Change"),
        serde_json::json!([told("b", "Change")])
    );
    assert_eq!(with("--no-descriptions"), serde_json::json!([]));
    let wrong = service.run("resource update https://new.example --describe c=Leave");
    assert!(
        wrong.err.contains("must be a scope of the resource"),
        "{wrong:?}"
    );
    let wrong = service.run("resource update https://new.example --describe a");
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[test]
fn a_client_changes_in_what_is_named_and_stays_in_the_rest() {
    let service = prepared();
    let add = "client add bank --json --only-pushed --secret-file bank.secret --name Bank \
               --redirect-uri https://bank.example/back";
    let added = service
        .run(&format!("{add} --allow {ORDERS}=orders.read"))
        .json();
    let required = "require_pushed_authorization_requests";
    assert_eq!(added["client"][required], true);
    let shown = service.run("client show bank").out;
    assert!(shown.contains("only pushed"), "{shown}");

    let update = |what: &str| service.run(&format!("client update bank --json {what}"));
    let changed = update("--only-pushed no").json();
    assert_eq!(changed[required], false);
    assert_eq!(changed["display_name"], "Bank");
    assert_eq!(changed["redirect_uris"][0], "https://bank.example/back");
    assert_eq!(changed["permissions"], added["client"]["permissions"]);
    let other = "https://bank.example/other";
    let changed = update(&format!(
        "--only-pushed yes --name Till --redirect-uri {other} --allow {ORDERS}=orders.write"
    ));
    let changed = changed.json();
    assert_eq!(changed[required], true);
    assert_eq!(changed["display_name"], "Till");
    assert_eq!(changed["redirect_uris"], serde_json::json!([other]));
    let scopes = &changed["permissions"][0]["scopes"];
    assert_eq!(*scopes, serde_json::json!(["orders.write"]));
    assert_eq!(
        service.run("client show bank --json").json()[required],
        true
    );

    assert_eq!(update("").code, 2, "nothing to change");
    assert_eq!(update("--only-pushed perhaps").code, 2);
    let nobody = service.run("client update nobody --only-pushed yes");
    assert!(nobody.err.contains("client nobody"), "{nobody:?}");
}

#[test]
fn tokens_can_go_to_files_instead_of_the_terminal() {
    let service = prepared();
    let ran = service.run(
        "token issue --client-id checkout --client-secret-file checkout.secret --access-token-file token",
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.out.contains("eyJ"), "{ran:?}");
    assert_eq!(mode(&service, "token"), 0o600);
    let ran = service.run(
        "token introspect --client-id orders --client-secret-file orders.secret --token-file token",
    );
    assert!(ran.out.contains("checkout"), "{ran:?}");
}

#[test]
fn a_client_can_sign_instead_of_having_a_secret() {
    let service = prepared();
    let made = service.run("key generate signer.pem");
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(mode(&service, "signer.pem"), 0o600);
    fs::write(service.file("signer.jwks"), &made.out).unwrap();
    let added = service
        .run(&format!(
            "client add signer --json --jwks signer.jwks --allow {ORDERS}=orders.read"
        ))
        .json();
    assert_eq!(
        added["client"]["authentication_method"],
        "AUTHENTICATION_METHOD_PRIVATE_KEY_JWT"
    );
    assert_eq!(added["client_secret"], "");
    for _ in 0..2 {
        let issued = service.run("token issue --json --client-id signer --client-key signer.pem");
        assert_eq!(issued.json()["scopes"], serde_json::json!(["orders.read"]));
    }
    // Another key than the registered one.
    assert_eq!(
        service
            .run("key generate other.pem --algorithm ed25519")
            .code,
        0
    );
    let refused = service.run("token issue --client-id signer --client-key other.pem");
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.err.contains("REASON_CLIENT_AUTHENTICATION_FAILED"));
}

#[test]
fn a_secret_is_shown_once_and_can_be_replaced() {
    let service = prepared();
    let added = service
        .run(&format!(
            "client add web --json --allow {ORDERS}=orders.read"
        ))
        .json();
    let secret = added["client_secret"].as_str().unwrap();
    assert!(secret.len() >= 43, "256 bits");
    let shown = service.run("client show web --json");
    assert!(!shown.out.contains(secret));

    let issue = |secret: &str| {
        finish(
            service
                .command()
                .args(["token", "issue", "--client-id", "web"])
                .env("COUNTERSIGN_CLIENT_SECRET", secret),
        )
    };
    assert_eq!(issue(secret).code, 0);
    let rotated = service.run("client rotate-secret web --yes --json").json();
    assert_eq!(issue(secret).code, 6);
    assert_eq!(issue(rotated["client_secret"].as_str().unwrap()).code, 0);

    let told = service.run("client rotate-secret web --yes");
    assert!(told.out.contains("shown now and never again"), "{told:?}");
}

#[test]
fn clients_and_resources_are_listed_shown_and_removed() {
    let service = prepared();
    let clients = service.run("client list --json").json();
    let names: Vec<_> = clients["clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|client| client["client_id"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["checkout", "orders"]);
    let table = service.run("client list").out;
    assert!(table.contains("checkout") && table.contains("orders.read orders.write"));

    let resources = service.run("resource list --json").json();
    assert!(
        resources["resources"].as_array().unwrap().iter().any(
            |resource| resource["uri"] == ORDERS && resource["access_token_lifetime"] == "120s"
        )
    );
    assert!(service.run("resource list").out.contains(ORDERS));
    assert!(
        service
            .run(&format!("resource show {ORDERS}"))
            .out
            .contains("2m")
    );

    assert_eq!(service.run("client remove checkout --yes").code, 0);
    assert_eq!(service.run("client show checkout").code, 7);
    let refused =
        service.run("token issue --client-id checkout --client-secret-file checkout.secret");
    assert_eq!(refused.code, 6, "{refused:?}");
}

#[test]
fn the_keys_are_listed() {
    let service = Service::start();
    let keys = service.run("key list --json").json();
    assert_eq!(keys["issuer"], service.url);
    assert_eq!(keys["keys"][0]["alg"], "ES256");
    let kid = keys["keys"][0]["kid"].as_str().unwrap();
    assert!(service.run("key list").out.contains(kid));
}

#[test]
fn a_proof_is_one_line_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("new/key.pem");
    let prove = |more: &[&str]| {
        finish(
            program()
                .args(["proof", "--url", "https://o.internal/a.B/C", "--key"])
                .arg(&key)
                .args(more),
        )
    };
    let first = prove(&[]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.err.starts_with("note: made a new key"), "{first:?}");
    let about = fs::metadata(&key).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o600);

    let second = prove(&["--nonce", "n", "--token", "t", "--method", "GET"]);
    assert_eq!(second.err, "", "the key is there now");
    assert_eq!(second.out.lines().count(), 1);
    let segments: Vec<_> = second.out.trim().split('.').collect();
    assert_eq!(segments.len(), 3);
    let claims: Value = serde_json::from_slice(&decoded(segments[1])).unwrap();
    assert_eq!(claims["htu"], "https://o.internal/a.B/C");
    assert_eq!(claims["htm"], "GET");
    assert_eq!(claims["nonce"], "n");
    assert!(claims["ath"].is_string());
    assert_ne!(first.out, second.out);
}

#[test]
fn a_public_client_that_rotates_nothing_is_refused_with_a_reason() {
    let service = prepared();
    let added = service.run(&format!(
        "client add desk --auth none --redirect-uri http://127.0.0.1/back --allow {ORDERS}=orders.read"
    ));
    assert_eq!(added.code, 0, "{added:?}");
    assert!(
        added.out.contains("authorization_code, refresh_token"),
        "{added:?}"
    );
    let refused = service.run("token rotate --client-id desk --token csr_nonsense");
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.err.contains("REASON_GRANT_INVALID"), "{refused:?}");
    let refused = service.run("token issue --client-id desk --code csc_x --redirect-uri http://127.0.0.1/back --code-verifier aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert!(refused.err.contains("REASON_GRANT_INVALID"), "{refused:?}");
}

fn decoded(segment: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(segment)
        .unwrap()
}
