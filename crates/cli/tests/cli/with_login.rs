//! The commands of a login against the real thing: `serve --with-login`, an account made by command,
//! and a person who reads the pages, fills in their forms, and is led back to the program.

use std::fs;

use serde_json::Value;

use crate::login::{RENEW, begin, get, is_alive};
use crate::person::{Page, Person};
use crate::program::{Service, feed};

const FILMS: &str = "https://films.example";
const PASSWORD: &str = "correct horse battery";
const LOGIN: &str = "--client-id films-cli --login-file login.json";

/// A service with its own login application, an account, and a client for this program.
fn prepared() -> Service {
    let service = Service::with(|folder| {
        let file = folder.join("c.toml");
        fs::write(&file, "[device]\ninterval_secs = 1\n").unwrap();
        let file = file.display().to_string();
        vec!["--with-login".to_owned(), "--config".to_owned(), file]
    });
    let issuer = service.url.clone();
    for line in [
        format!("resource add {FILMS} --scope films.watch,films.rate"),
        format!(
            "client add films-cli --auth none --redirect-uri http://127.0.0.1/back \
             --grant authorization-code,device-code,refresh-token \
             --allow {FILMS}=films.watch,films.rate"
        ),
        format!(
            "client add films --serves {FILMS} --allow {issuer}=introspect --secret-file films.secret"
        ),
    ] {
        let ran = service.run(&line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
    }
    let mut add = service.command();
    add.args(["account", "add", "ann", "--subject", "employee-4711"]);
    let ran = feed(add.args(["--password-file", "-"]), PASSWORD);
    assert_eq!(ran.code, 0, "{ran:?}");
    service
}

/// Types name and password into the page.
fn log_in(person: &mut Person, page: &Page, password: &str) -> Page {
    page.says(200, "<h1>Log in</h1>");
    let form = page.form("password");
    let form = form.with("name", "ann").with("password", password);
    person.send(page, &form, "")
}

fn decide(person: &mut Person, page: &Page, button: &str) -> Page {
    page.says(200, "<h1>Allow access?</h1>");
    page.says(200, "films-cli");
    person.send(page, &page.form("scope"), button)
}

/// What the resource's server is told of the token in this file.
fn introspected(service: &Service, file: &str) -> Value {
    let line = format!(
        "token introspect --json --client-id films --client-secret-file films.secret --token-file {file}"
    );
    service.run(&line).json()
}

/// What the audit log has of this event.
fn told(service: &Service, event: &str) -> Vec<Value> {
    let ran = service.run(&format!("audit list --json --event {event}"));
    ran.json()["events"].as_array().unwrap().clone()
}

#[test]
fn a_person_logs_in_at_the_built_in_application_and_out() {
    let service = prepared();
    let waiting = begin(&service, &format!("{LOGIN} --no-browser"));
    let mut ann = Person::new();
    let page = ann.open(&waiting.text("open"));
    assert!(page.at.path().starts_with("/login"), "{page:?}");
    // Fingers slip; nothing is lost by it.
    let form = page.form("password").with("name", "ann");
    let wrong = ann.send(&page, &form.with("password", "wrong horse battery"), "");
    wrong.says(422, "not right");
    let form = wrong.form("password").with("password", PASSWORD);
    let page = ann.send(&wrong, &form, "");
    let back = decide(&mut ann, &page, "allow");
    // Another server: the program itself.
    assert_ne!(back.at.port(), page.at.port());
    back.says(200, "Go back to the program");

    let ran = waiting.ends();
    let about = ran.json();
    assert_eq!(about["client_id"], "films-cli");
    assert_eq!(
        about["scopes"],
        serde_json::json!(["films.rate", "films.watch"])
    );
    assert_eq!(service.run(RENEW).code, 0);
    let token = introspected(&service, "token");
    assert_eq!(token["active"], true, "{token}");
    assert_eq!(token["sub"], "employee-4711", "{token}");
    assert_eq!(service.run(RENEW).code, 0, "the next refresh token is good");

    let out = service.run("logout --login-file login.json");
    assert_eq!(out.code, 0, "{out:?}");
    assert!(!is_alive(&service, "token"));
    assert!(!service.file("login.json").exists());

    // She is still logged in at the application: the next login is one button.
    let waiting = begin(&service, &format!("{LOGIN} --no-browser"));
    let page = ann.open(&waiting.text("open"));
    let back = decide(&mut ann, &page, "deny");
    back.says(200, "Nothing was approved");
    let denied = waiting.ends();
    assert_eq!(denied.code, 6, "{denied:?}");
    assert!(denied.err.contains("access_denied"), "{denied:?}");

    let [account] = &told(&service, "ACCOUNT_CREATED")[..] else {
        panic!("one account");
    };
    assert_eq!(account["object"], "employee-4711");
    assert!(account["actor"].as_str().unwrap().starts_with("uid:"));
    let logins = told(&service, "LOGGED_IN");
    assert_eq!(logins.len(), 1, "{logins:?}");
    assert_eq!(logins[0]["actor"], "employee-4711");
    assert_eq!(told(&service, "AUTHORIZATION_APPROVED").len(), 1);
    assert_eq!(told(&service, "AUTHORIZATION_DENIED").len(), 1);
    for secret in [PASSWORD, "wrong horse battery"] {
        assert!(!service.log().contains(secret));
    }
}

/// Somebody sends ann the address of a login that they began, or takes hers: the code is made in the
/// browser alone that the program's address was opened in.
#[test]
fn a_login_ends_in_the_browser_that_it_began_in() {
    let mut service = prepared();
    let waiting = begin(&service, &format!("{LOGIN} --no-browser"));
    let mut ann = Person::new();
    let page = ann.open(&waiting.text("open"));
    // The page of the application, in another browser: she can log in, and goes no further.
    let mut other = Person::new();
    let there = other.open(page.at.as_str());
    let asked = log_in(&mut other, &there, PASSWORD);
    let lost = decide(&mut other, &asked, "allow");
    lost.says(400, "browser");
    assert_eq!(lost.at.path(), "/authorize");

    // The first browser takes it, and the program with it.
    let back = ann.open(lost.at.as_str());
    back.says(200, "Go back to the program");
    assert_eq!(waiting.ends().code, 0);
    service.signal("TERM");
    assert!(service.ended().success());
}

#[test]
fn a_person_connects_a_device_at_the_built_in_application() {
    let service = prepared();
    let waiting = begin(&service, &format!("{LOGIN} --device"));
    let mut ann = Person::new();
    let page = ann.open(&waiting.text("verification_uri"));
    assert_eq!(page.at.path(), "/login/device");
    let form = page.form("user_code");
    let wrong = ann.send(&page, &form.with("user_code", "BCDF-GHJK"), "");
    wrong.says(422, "code");
    // As people type it.
    let typed = waiting.text("user_code").to_lowercase().replace('-', " ");
    let form = wrong.form("user_code").with("user_code", &typed);
    let page = ann.send(&wrong, &form, "");
    let page = log_in(&mut ann, &page, PASSWORD);
    page.says(200, &waiting.text("user_code"));
    let done = decide(&mut ann, &page, "allow");
    assert_eq!(done.status, 200, "{done:?}");
    let ran = waiting.ends();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(service.run(RENEW).code, 0);
    assert_eq!(introspected(&service, "token")["sub"], "employee-4711");
    let [approved] = &told(&service, "AUTHORIZATION_APPROVED")[..] else {
        panic!("one approval");
    };
    assert_eq!(approved["reason"], "device_code");

    // The other one is nobody's of hers.
    let waiting = begin(&service, &format!("{LOGIN} --device"));
    let page = ann.open(&waiting.text("verification_uri"));
    let form = page
        .form("user_code")
        .with("user_code", &waiting.text("user_code"));
    let page = ann.send(&page, &form, "");
    decide(&mut ann, &page, "deny").says(200, "");
    assert_eq!(waiting.ends().code, 6);
    assert!(is_alive(&service, "token"), "the login before is as it was");
    // Nothing here answers what it does not serve.
    assert!(get(&format!("{}/login/none", service.url), "").contains("404"));
}
