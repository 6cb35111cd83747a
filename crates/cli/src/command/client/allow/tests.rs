use super::Allow;

fn check(text: &str, expected: Option<(&str, &[&str])>) {
    let parsed = text.parse::<Allow>().ok();
    let expected = expected.map(|(resource, scopes)| Allow {
        resource: resource.to_owned(),
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
    });
    assert_eq!(parsed, expected, "{text:?}");
}

#[test]
fn a_resource_and_its_scopes() {
    check("https://o=a", Some(("https://o", &["a"])));
    check("https://o:1/p=a,b", Some(("https://o:1/p", &["a", "b"])));
    check(
        "https://o/a=b c,d e",
        Some(("https://o/a=b", &["c,d", "e"])),
    );
    check("https://o", None);
    check("https://o=", None);
    check("=a", None);
    check("https://o=a,,b", None);
    check("", None);
}
