use super::{Allow, permissions};

fn check(text: &str, expected: Option<(&str, &[&str])>) {
    let parsed = text.parse::<Allow>().ok();
    let expected = expected.map(|(resource, scopes)| Allow {
        resource: resource.to_owned(),
        names: scopes.iter().map(|&scope| scope.to_owned()).collect(),
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

#[test]
fn types_of_details_stand_with_the_scopes_of_their_resource() {
    let read = |text: &str| text.parse::<Allow>().expect(text);
    let permissions = permissions(
        &[read("https://o=a,b"), read("https://p=c")],
        &[
            read("https://o=account"),
            read("https://q=bill"),
            read("https://o=card"),
        ],
    );
    let found: Vec<_> = permissions
        .iter()
        .map(|at| {
            (
                at.resource.as_str(),
                at.scopes.join(" "),
                at.details_types.join(" "),
            )
        })
        .collect();
    let row = |resource, scopes: &str, types: &str| (resource, scopes.to_owned(), types.to_owned());
    assert_eq!(
        found,
        [
            row("https://o", "a b", "account card"),
            row("https://p", "c", ""),
            row("https://q", "", "bill"),
        ]
    );
}
