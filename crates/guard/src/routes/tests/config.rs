//! Rules from files, and books of rules.

use super::*;

#[test]
fn a_rule_file_adds_to_the_descriptors() {
    let mut routes = ours();
    routes
        .configure(
            "rules.toml",
            r#"
                # What the proto leaves open.
                ["/countersign.example.v1.OrderService/PurgeOrders"]
                any_scopes = ["orders.admin", "admin"]

                ["countersign.example.v1.OrderService"]
                resource = "urn:example:orders"
            "#,
        )
        .unwrap();
    let purge = needs(&routes, PURGE);
    assert_eq!(
        Vec::from_iter(purge.any_scopes()),
        ["orders.admin", "admin"]
    );
    assert!(!purge.streaming, "the descriptors say so");
    assert_eq!(purge.resource(), Some("urn:example:orders"));
    // Also for the methods whose rules stand in the proto.
    assert_eq!(
        needs(&routes, CREATE).resource(),
        Some("urn:example:orders")
    );
}

/// Nobody says which methods stream, so all of them end with their token.
#[test]
fn a_rule_file_stands_alone() {
    let mut routes = Routes::default();
    let text = "[\"/a.B/C\"]\nscopes = [\"x\"]\n[\"/a.B/D\"]\npublic = true";
    routes.configure("r", text).unwrap();
    assert_eq!(routes.find("/a.B/C"), Some(&guarded(&["x"], true)));
    assert_eq!(routes.find("/a.B/D"), Some(&Route::Public));
    assert_eq!(routes.find("/a.B/E"), None);
}

const PURGE: &str = "/countersign.example.v1.OrderService/PurgeOrders";
const SERVICE: &str = "countersign.example.v1.OrderService";

/// The error of this text on top of our descriptors, which stands at `line`.
fn refused(text: &str, line: usize, says: &[&str]) {
    let error = ours().configure("rules.toml", text).unwrap_err();
    let error = error.to_string();
    let place = format!("rules.toml, line {line}: ");
    assert!(error.starts_with(&place), "{text}: {error}");
    for word in says {
        assert!(error.contains(word), "{text}: {error}");
    }
}

#[test]
fn a_wrong_rule_is_refused_with_line_and_method() {
    let rows: &[(&str, &str)] = &[
        (
            r#"scope = ["a"]"#,
            "unknown key `scope`; a method has scopes",
        ),
        (r#"scopes = "a""#, "`scopes` must be a list of strings"),
        (r#"scopes = []"#, "`scopes` must be a list"),
        (r#"scopes = [1]"#, "`scopes` must be a list"),
        (r#"any_scopes = [["a"]]"#, "`any_scopes` must be"),
        (r#"acr_values = "mfa""#, "`acr_values` must be"),
        (r#"scopes = ["a b"]"#, "\"a b\" is not a scope"),
        (r#"public = "yes""#, "`public` must be true or false"),
        (r#"public = false"#, "names no scope"),
        ("public = true\nscopes = [\"a\"]", "public and says scopes"),
        (
            "max_age = 300",
            "`max_age` must be whole seconds as a string",
        ),
        (r#"max_age = "5m""#, "`max_age` must be"),
        (r#"max_age = "s""#, "`max_age` must be"),
        (r#"max_age = "-1s""#, "`max_age` must be"),
        (r#"max_age = "+1s""#, "`max_age` must be"),
        (r#"max_age = "99999999999999999999s""#, "`max_age` must be"),
        ("scopes = [\"a\"]\nmax_age = \"0s\"", "at least one"),
        ("scopes = [\"a\"]\nacr_values = [\"a b\"]", "is not an acr"),
        (r#"resource = """#, "`resource` must be a URI"),
        (
            "scopes = [\"a\"]\nresource = \"here\"",
            "\"here\" is not a resource",
        ),
    ];
    for (rule, says) in rows {
        let text = format!("\n# a comment\n[\"{PURGE}\"]\n{rule}\n");
        refused(&text, 3, &[PURGE, says]);
    }
    refused(
        "\n[\"/a.B/C\"]\nscopes = [\"a\"]",
        2,
        &["/a.B/C", "no descriptor set has it"],
    );
    let create = format!("# 1\n\n\n[\"{CREATE}\"]\nscopes = [\"orders.write\"]");
    refused(&create, 4, &[CREATE, "has a rule already"]);
}

#[test]
fn a_wrong_service_or_name_is_refused_with_its_line() {
    refused(
        "[\"a.B\"]\nresource = \"urn:x\"",
        1,
        &["a.B", "no descriptor set has it"],
    );
    // The beginning of its name is not its name.
    refused(
        "[\"countersign.example.v1.Order\"]\nresource = \"urn:x\"",
        1,
        &["no descriptor set has it"],
    );
    refused("scopes = [\"a\"]", 1, &["\"scopes\" is not a rule's name"]);
    for name in [
        "/a.B",
        "a.B/C",
        "/a.B/C/D",
        "",
        "/",
        "//C",
        "/a..B/C",
        "a-b",
        "/a.B/C%44",
    ] {
        let text = format!("[\"{name}\"]\nscopes = [\"a\"]");
        refused(&text, 1, &["is not a rule's name"]);
    }
    refused(
        &format!("[\"{SERVICE}\"]\nscopes = [\"a\"]"),
        1,
        &["unknown key `scopes`", "a service has resource"],
    );
    refused(&format!("[\"{SERVICE}\"]"), 1, &["`resource` must be"]);
}

/// The parser's word, with the line that says it again.
#[test]
fn what_stands_twice_in_a_file_is_refused() {
    let rule = format!("[\"{PURGE}\"]\nscopes = [\"a\"]\n");
    refused(
        &format!("\n{rule}{rule}"),
        4,
        &["not TOML", "duplicate key", PURGE],
    );
    refused(
        &format!("{rule}scopes = [\"b\"]"),
        3,
        &["duplicate key", PURGE],
    );
    refused("[\"/a.B/C\"\nscopes = 1", 1, &["not TOML", "/a.B/C"]);
}

/// Somebody may name the wrong file.
#[test]
fn nothing_of_a_file_that_is_no_rule_file_is_repeated() {
    const SECRET: &str = "css_0123456789";
    for text in [
        SECRET.to_owned(),
        format!("secret = {SECRET}"),
        format!("[\"{SECRET} x\"\n"),
        format!("secret = \"{SECRET}\""),
        format!("\"\"\"{SECRET}"),
        format!("{{\"secret\": \"{SECRET}\"}}"),
    ] {
        let error = Routes::default().configure("f", &text).unwrap_err();
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
}

#[test]
fn two_rule_files_may_not_name_the_same() {
    let mut routes = ours();
    let method = format!("[\"{PURGE}\"]\nscopes = [\"a\"]\n");
    let service = format!("[\"{SERVICE}\"]\nresource = \"urn:x\"\n");
    routes
        .configure("one", &format!("{method}{service}"))
        .unwrap();
    for (text, name) in [(&method, PURGE), (&service, SERVICE)] {
        let again = routes.configure("two", text).unwrap_err().to_string();
        assert!(
            again.starts_with(&format!("two, line 1: {name}: it has a rule already")),
            "{again}"
        );
    }
}

#[test]
fn a_rule_file_of_more_than_a_mebibyte_is_not_read() {
    let text = "#".repeat(1024 * 1024 + 1);
    let error = Routes::default().configure("big", &text).unwrap_err();
    assert!(error.to_string().contains("larger than 1 MiB"), "{error}");
}

#[test]
fn a_book_tells_everything_that_is_wrong() {
    let mut book = RuleBook::default();
    book.add_descriptors(countersign::FILE_DESCRIPTOR_SET)
        .unwrap();
    book.add_descriptors(&set_with(&rule(&[], false), &[POLICY]))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.toml");
    let text = "[\"/x.Y/Z\"]\npublic = true\n[\"/t.S/Go\"]\npublic = 1";
    std::fs::write(&file, text).unwrap();
    book.add_file(&file).unwrap();
    let wrong: Vec<_> = book
        .wrong()
        .iter()
        .map(|wrong| wrong.path.as_str())
        .collect();
    assert_eq!(wrong, [GO, "/x.Y/Z", GO]);

    let who = |book: &RuleBook, path: &str| {
        let methods = book.methods();
        let found = methods.iter().find(|method| method.path == path);
        format!("{:?}", found.map(|found| found.who))
    };
    let ping = format!("/{SERVICE}/Ping");
    assert_eq!(who(&book, GO), "Some(Nobody)");
    assert_eq!(who(&book, &ping), "Some(Everybody)");
    assert!(who(&book, CREATE).contains("orders.write"));
    book.exempt("t.S").unwrap();
    assert_eq!(who(&book, GO), "Some(Exempt)");
    assert!(book.add_file(&folder.path().join("absent")).is_err());
}

/// What a request finds: the rule's name.
fn finds<'a>(routes: &'a Routes, method: &str, path: &str) -> Option<&'a str> {
    routes.find_http(method, path).map(|(name, _)| name)
}

#[test]
fn http_routes_stand_beside_methods() {
    let mut routes = ours();
    let text = r#"
        ["GET /orders/{id}"]
        scopes = ["orders.read"]
        max_age = "300s"

        ["HEAD /orders/{id}"]
        public = true

        ["PUT /orders/{id}"]
        scopes = ["orders.write"]
        resource = "urn:example:orders"

        ["GET /orders/{id}/"]
        public = true

        ["GET /files/{*path}"]
        public = true

        ["GET /files/private/{name}"]
        scopes = ["files.read"]
    "#;
    routes.configure("rules.toml", text).unwrap();
    let rows = [
        ("GET", "/orders/7", Some("GET /orders/{id}")),
        ("HEAD", "/orders/7", Some("HEAD /orders/{id}")),
        ("PUT", "/orders/7", Some("PUT /orders/{id}")),
        ("POST", "/orders/7", None),
        ("GET", "/orders/7/", Some("GET /orders/{id}/")),
        ("HEAD", "/orders/7/", Some("GET /orders/{id}/")),
        ("GET", "/orders/7/items", None),
        ("GET", "/orders", None),
        ("GET", "/files/a/b/c", Some("GET /files/{*path}")),
        ("GET", "/files/private/a", Some("GET /files/private/{name}")),
        ("POST", "/files/private/a", None),
        ("GET", "", None),
        ("GET", "*", None),
        ("GET", "orders/7", None),
    ];
    for (method, path, name) in rows {
        assert_eq!(finds(&routes, method, path), name, "{method} {path}");
    }
    assert_eq!(
        routes.find("/orders/7"),
        None,
        "no gRPC method is opened by it"
    );

    routes.exempt("GET /orders/{id}").unwrap();
    let exempt = routes.find_http("GET", "/orders/7").unwrap().1;
    assert_eq!(*exempt, Route::Exempt);
    let until = UnixTime::from_secs(1);
    routes.accept_bearer("PUT /orders/{id}", until).unwrap();
    for name in [
        "GET /orders/{id}",
        "GET /nowhere",
        "PUT /orders/{order}",
        "PUT x",
    ] {
        let refused = routes.accept_bearer(name, until);
        assert_eq!(refused, Err(RulesError::Bearer(name.to_owned())));
    }
    let refused = routes.exempt("GET orders");
    assert_eq!(refused, Err(RulesError::Exempt("GET orders".to_owned())));
}

#[test]
fn a_wrong_http_route_is_refused_with_its_line() {
    let rows: &[(&str, &str)] = &[
        ("GET orders", "begins with a slash"),
        ("GET  /orders", "begins with a slash"),
        ("Get /orders", "in capitals"),
        (" /orders", "in capitals"),
        ("GET,POST /orders", "in capitals"),
        ("* /orders", "in capitals"),
        ("GET /orders/:id", "stands {name}"),
        ("GET /orders/*rest", "stands {name}"),
        ("GET /orders/{id}.json", "stands {name}"),
        ("GET /orders/{id", "stands {name}"),
        ("GET /orders/{}", "has a name"),
        ("GET /orders/{a-b}", "has a name"),
        ("GET /orders/{*}", "has a name"),
        ("GET /orders/{*rest}/items", "at the end alone"),
        ("GET /orders/{id}/{id}", "a name of its own"),
        ("GET //orders", "stands {name}"),
        ("GET /orders//items", "stands {name}"),
        ("GET /orders/..", "stands {name}"),
        ("GET /./orders", "stands {name}"),
        ("GET /orders?all", "stands {name}"),
        ("GET /orders#all", "stands {name}"),
        ("GET /caf%C3%A9", "stands {name}"),
        ("GET /café", "stands {name}"),
        ("GET /users/@me", "stands {name}"),
        ("GET /orders extra", "stands {name}"),
    ];
    for (name, says) in rows {
        let text = format!("\n\n[\"{name}\"]\nscopes = [\"a\"]");
        refused(&text, 3, &["is not an HTTP route", says]);
    }
    for (text, says) in [
        ("[\"GET /a\"]\nscope = [\"a\"]", "unknown key `scope`"),
        ("[\"GET /a\"]", "GET /a: the rule names no scope"),
        (
            "[\"GET /a\"]\npublic = true\nscopes = [\"a\"]",
            "GET /a: the rule is public",
        ),
        ("\"GET /a\" = 1", "is not a rule's name"),
    ] {
        refused(text, 1, &[says]);
    }
}

#[test]
fn two_http_routes_that_one_path_could_mean_are_refused_with_the_second_ones_line() {
    let public = |name: &str| format!("[\"{name}\"]\npublic = true\n");
    for (first, second, with) in [
        ("GET /a/{id}", "GET /a/{other}", "/a/{id}"),
        ("GET /a/{id}", "POST /a/{other}", "/a/{id}"),
        ("GET /a/{*rest}", "GET /a/{*other}", "/a/{*rest}"),
    ] {
        let text = public(first) + &public(second);
        refused(&text, 3, &[second, "one path could mean it or", with]);
    }
    // In two files.
    let mut routes = ours();
    routes.configure("one.toml", &public("GET /a")).unwrap();
    let error = routes.configure("two.toml", &public("GET /a")).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("two.toml, line 1: GET /a: it has a rule already"),
        "{text}"
    );
    // The same place, by another method.
    routes.configure("three.toml", &public("POST /a")).unwrap();
}
