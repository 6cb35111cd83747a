//! The service's own keys.

use countersign::admin::v1 as message;
use countersign_issuer::keys::{Schedules, ready_at, removed_at, retires_at};
use countersign_issuer::model::{KeyPurpose, KeyState, ServiceKey};

use crate::wire::timestamp;

/// The field `purpose` of a request.
pub(crate) fn key_purpose(purpose: message::SigningKeyPurpose) -> KeyPurpose {
    match purpose {
        message::SigningKeyPurpose::Unspecified | message::SigningKeyPurpose::AccessTokens => {
            KeyPurpose::Signing
        }
        message::SigningKeyPurpose::Handles => KeyPurpose::HandleMac,
    }
}

/// All keys as they are shown: by purpose, then state, then age.
pub(crate) fn keys(listed: &[ServiceKey], schedules: &Schedules) -> Vec<message::SigningKey> {
    let mut sorted: Vec<_> = listed.iter().collect();
    sorted.sort_by_key(|key| (key.purpose, key.state, key.created_at, &key.id));
    sorted
        .iter()
        .map(|shown| key(shown, &sorted, schedules))
        .collect()
}

/// A key as it is shown. When it can be used depends on what is `among` the others.
pub(crate) fn key(
    key: &ServiceKey,
    among: &[&ServiceKey],
    schedules: &Schedules,
) -> message::SigningKey {
    let schedule = schedules.of(key.purpose);
    let alike: Vec<_> = among
        .iter()
        .copied()
        .filter(|other| other.purpose == key.purpose)
        .collect();
    let (activates, retires) = match key.state {
        KeyState::Next => (ready_at(&alike, schedule), None),
        KeyState::Active => (key.activated_at, retires_at(key, schedule)),
        KeyState::Retiring => (key.activated_at, key.retired_at),
    };
    message::SigningKey {
        kid: key.id.as_str().to_owned(),
        purpose: match key.purpose {
            KeyPurpose::Signing => message::SigningKeyPurpose::AccessTokens,
            KeyPurpose::HandleMac => message::SigningKeyPurpose::Handles,
        }
        .into(),
        state: match key.state {
            KeyState::Next => message::SigningKeyState::Next,
            KeyState::Active => message::SigningKeyState::Active,
            KeyState::Retiring => message::SigningKeyState::Retiring,
        }
        .into(),
        create_time: Some(timestamp(key.created_at)),
        publish_time: key.published_at.map(timestamp),
        activate_time: activates.map(timestamp),
        retire_time: retires.map(timestamp),
        remove_time: removed_at(key).map(timestamp),
        rotation_asked: key.rotation_asked_at.is_some(),
    }
}
