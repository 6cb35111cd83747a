use super::*;

fn told() -> Told {
    Told {
        at: UnixTime::from_secs(100),
        until: Some(UnixTime::from_secs(160)),
        event: "AUTHENTICATION_REFUSED".to_owned(),
        client: "checkout".to_owned(),
        actor: "uid:0".to_owned(),
        object: "https://orders.example.com".to_owned(),
        reason: "client_wrong_secret".to_owned(),
        outcome: Some(ToldOutcome::Refused),
        count: 7,
        scopes: Vec::new(),
        resources: Vec::new(),
        token_id: String::new(),
    }
}

#[test]
fn an_event_must_fit_all_that_is_said() {
    let text = str::to_owned;
    let at = |secs| Some(UnixTime::from_secs(secs));
    let none = Filter::default();
    for (what, filter, admitted) in [
        ("nothing is said", none.clone(), true),
        (
            "its event",
            Filter {
                events: vec![text("X"), text("AUTHENTICATION_REFUSED")],
                ..none.clone()
            },
            true,
        ),
        (
            "another event",
            Filter {
                events: vec![text("X")],
                ..none.clone()
            },
            false,
        ),
        (
            "its client",
            Filter {
                client: text("checkout"),
                ..none.clone()
            },
            true,
        ),
        (
            "another client",
            Filter {
                client: text("check"),
                ..none.clone()
            },
            false,
        ),
        (
            "its actor",
            Filter {
                actor: text("uid:0"),
                ..none.clone()
            },
            true,
        ),
        (
            "another actor",
            Filter {
                actor: text("uid:1"),
                ..none.clone()
            },
            false,
        ),
        (
            "its object",
            Filter {
                object: text("https://orders.example.com"),
                ..none.clone()
            },
            true,
        ),
        (
            "another object",
            Filter {
                object: text("https://orders"),
                ..none.clone()
            },
            false,
        ),
        (
            "its reason",
            Filter {
                reason: text("client_wrong_secret"),
                ..none.clone()
            },
            true,
        ),
        (
            "another reason",
            Filter {
                reason: text("client_unknown"),
                ..none.clone()
            },
            false,
        ),
        (
            "its outcome",
            Filter {
                outcome: Some(ToldOutcome::Refused),
                ..none.clone()
            },
            true,
        ),
        (
            "another outcome",
            Filter {
                outcome: Some(ToldOutcome::Done),
                ..none.clone()
            },
            false,
        ),
        (
            "since its first time",
            Filter {
                since: at(100),
                ..none.clone()
            },
            true,
        ),
        (
            "since its last time",
            Filter {
                since: at(160),
                ..none.clone()
            },
            true,
        ),
        (
            "since later",
            Filter {
                since: at(161),
                ..none.clone()
            },
            false,
        ),
        (
            "until its first time",
            Filter {
                until: at(100),
                ..none.clone()
            },
            false,
        ),
        (
            "until a moment later",
            Filter {
                until: at(101),
                ..none.clone()
            },
            true,
        ),
        (
            "all fits but the client",
            Filter {
                reason: text("client_wrong_secret"),
                client: text("other"),
                ..none
            },
            false,
        ),
    ] {
        assert_eq!(filter.admits(&told()), admitted, "{what}");
    }
}
