//! `guard`: rules, as a descriptor set has them, and what is exempt from them.

use countersign_guard::fuzz::Rules;

/// Between a descriptor set and names to exempt.
pub const EXEMPT: &[u8] = b"\n--exempt\n";

pub fn check(input: &[u8]) {
    let ends = input
        .windows(EXEMPT.len())
        .position(|window| window == EXEMPT);
    let (descriptors, names) = match ends {
        Some(at) => (&input[..at], &input[at + EXEMPT.len()..]),
        None => (input, &[][..]),
    };
    let mut rules = Rules::new();
    if rules.add(descriptors).is_err() {
        return;
    }
    let before: Vec<_> = told(&rules);
    for (path, scopes) in &before {
        let scopes = scopes.as_ref().expect("it has a rule");
        assert!(
            scopes.iter().all(|scope| scope.bytes().all(is_nqchar)),
            "{path}"
        );
        assert!(scopes.iter().all(|scope| !scope.is_empty()), "{path}");
        assert!(
            path.starts_with('/') && path.matches('/').count() == 2,
            "{path}"
        );
    }
    rules
        .add(descriptors)
        .expect("the same again contradicts nothing");
    assert_eq!(told(&rules), before);

    let names = String::from_utf8_lossy(names);
    for name in names.lines() {
        if rules.exempt(name).is_ok() {
            assert!(!name.is_empty());
            // Nobody else's method was opened.
            for (path, scopes) in &before {
                let own = path == name
                    || path.strip_prefix('/').is_some_and(|rest| {
                        rest.strip_prefix(name)
                            .is_some_and(|rest| rest.starts_with('/'))
                    });
                if !own && !names.lines().any(|other| opens(other, path)) {
                    assert_eq!(&rules.scopes(path), scopes, "{path} by {name}");
                }
            }
        }
    }
}

fn opens(name: &str, path: &str) -> bool {
    path == name
        || path
            .strip_prefix('/')
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('/'))
}

fn told(rules: &Rules) -> Vec<(String, Option<Vec<String>>)> {
    let mut paths = rules.paths();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let scopes = rules.scopes(&path);
            (path, scopes)
        })
        .collect()
}

fn is_nqchar(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}
