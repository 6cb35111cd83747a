//! `store` and `server`: the keys of records, as page tokens and backups carry them.

use countersign_jose::base64url;
use countersign_server::fuzz;
use countersign_store::Key;

pub fn check(input: &[u8]) {
    if let Ok(key) = Key::from_bytes(input) {
        assert_eq!(key.as_bytes(), input);
        assert_eq!(Key::new(key.parts()), key);
        assert!(!key.to_string().contains(char::is_control));
        assert!(key.starts_with(&key) && key.starts_with(&Key::new::<&[u8]>([])));
    }
    let parts: Vec<&[u8]> = input.split(|byte| *byte == b'|').collect();
    let key = Key::new(&parts);
    assert_eq!(key.parts(), parts);
    assert_eq!(
        Key::from_bytes(key.as_bytes()).is_ok(),
        key.as_bytes().len() <= Key::BYTES_MAX
    );
    page(&key, input);
}

/// A page token leads to a key below the list's own, or nowhere.
fn page(key: &Key, input: &[u8]) {
    let prefix = Key::of("client");
    let token = base64url::encode(prefix.clone().and("x").as_bytes());
    assert!(fuzz::page_token(&token, &prefix).is_some());
    let given = base64url::encode(key.as_bytes());
    let texts = [std::str::from_utf8(input).unwrap_or_default(), &given];
    for text in texts {
        if let Some(after) = fuzz::page_token(text, &prefix) {
            assert!(after.starts_with(&prefix));
            assert_eq!(base64url::encode(after.as_bytes()), text);
        }
    }
}
