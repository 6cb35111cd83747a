//! A backup that is made under load, and what is dead after it was restored.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign::error::v1::Reason;
use countersign_client::{Secret, TokenError};
use countersign_testkit::service::{Service, Terms, countersign};
use countersign_testkit::work::in_a_runtime;
use countersign_testkit::{Desk, Problem};
use futures_util::future::try_join_all;
use serde_json::Value;

use crate::traffic::CONFIGURATION;
use crate::{counts, scale};

/// People who rotate while the backups are made.
const PEOPLE: usize = 8;

/// People whose first token is the newest in every backup. Half of them rotate after the last one.
const STILL: usize = 4;

/// The note by which the next start begins a new epoch.
const NOTE: &str = "set-back";

/// While people rotate, the store is copied; after it was restored, every refresh token from before
/// is dead, those that had been rotated after the backup and those that had not, while what was
/// registered is there and works. Without the note that a restoration leaves, those that were the
/// newest in the backup are accepted: nothing else refuses them.
pub(crate) fn an_older_refresh_token_does_not_come_back_with_a_backup() -> Result<(), String> {
    let terms = Terms {
        configuration: CONFIGURATION.to_owned(),
        ..Terms::default()
    };
    let mut service = Service::start(&terms)?;
    in_a_runtime(async {
        let desk = Desk::open(&service).await?;
        let mut held = Vec::new();
        for person in 0..PEOPLE {
            held.push(token(desk.sign_in(&format!("person-{person}")).await?)?);
        }
        let mut still = Vec::new();
        for person in 0..STILL {
            still.push(token(desk.sign_in(&format!("still-{person}")).await?)?);
        }
        let (backups, rotations) = under_load(&service, &desk, &mut held).await?;
        counts::add("backups under load", backups.len());
        counts::add("rotations while backups were made", rotations);
        let kept: Vec<Secret> = still.iter().flatten().cloned().collect();
        for tokens in still.iter_mut().take(STILL / 2) {
            let next = desk.desk.token_service().rotate(&tokens[0], &[], &[]).await;
            tokens.extend(token(next?)?);
        }

        for file in &backups {
            verify(file)?;
        }
        // The first and the last, or each.
        let ends = [0, backups.len() - 1];
        for (number, file) in backups.iter().enumerate() {
            if scale::of(1, 0) == 1 && !ends.contains(&number) {
                continue;
            }
            let about = |problem: Problem| format!("backup {number}: {problem}");
            restore(&mut service, &terms, file, Note::Left)?;
            // Those that were the newest first: an old one might have ended its family.
            for token in kept.iter().chain(still.iter().chain(&held).flatten()) {
                is_refused(&desk, token).await.map_err(about)?;
            }
            let anew = token(desk.sign_in("somebody").await?)?;
            desk.desk.token_service().rotate(&anew[0], &[], &[]).await?;

            restore(&mut service, &terms, file, Note::Removed)?;
            for token in &kept {
                let accepted = desk.desk.token_service().rotate(token, &[], &[]).await;
                accepted.map_err(|error| {
                    about(
                        format!("without the note, so refused for something else: {error}").into(),
                    )
                })?;
            }
            counts::add("backups restored", 1);
        }
        Ok(())
    })
}

/// Refused for what it is, and not for lack of an answer.
async fn is_refused(desk: &Desk, token: &Secret) -> Result<(), Problem> {
    match desk.desk.token_service().rotate(token, &[], &[]).await {
        Err(TokenError::Refused(refused, _)) if refused.reason == Reason::GrantInvalid => {
            counts::add("older refresh tokens refused after a restoration", 1);
            Ok(())
        }
        Err(error) => Err(format!("a refresh token from before it was answered: {error}").into()),
        Ok(_) => Err("a refresh token from before it was accepted".into()),
    }
}

/// Everybody rotates until the backups are made. Each keeps the tokens that it had.
async fn under_load(
    service: &Service,
    desk: &Desk,
    held: &mut [Vec<Secret>],
) -> Result<(Vec<String>, usize), Problem> {
    let made = AtomicBool::new(false);
    let rotate = |tokens: &mut Vec<Secret>| {
        let tokens_service = desk.desk.token_service();
        let first = tokens.last().cloned();
        let made = &made;
        async move {
            let mut newest = first.ok_or("no refresh token")?;
            let mut rotated = Vec::new();
            // One more after the last backup, so that its store knows an older one as the newest.
            loop {
                let last = made.load(Ordering::SeqCst);
                let next = tokens_service.rotate(&newest, &[], &[]).await?;
                newest = next.refresh_token.ok_or("no refresh token")?;
                rotated.push(newest.clone());
                if last {
                    return Ok::<_, Problem>(rotated);
                }
            }
        }
    };
    let rotating = try_join_all(held.iter_mut().map(rotate));
    let backing_up = async {
        let mut files = Vec::new();
        for number in 0..scale::of(3, 30) {
            let file = service.folder().join(format!("{number}.backup"));
            let file = file.display().to_string();
            let socket = service.folder().join("admin.sock").display().to_string();
            let named = file.clone();
            let command =
                move || countersign(&["store", "backup", &named, "--socket", &socket, "--json"]);
            tokio::task::spawn_blocking(command).await??;
            files.push(file);
        }
        made.store(true, Ordering::SeqCst);
        Ok::<_, Problem>(files)
    };
    let (rotated, files) = tokio::try_join!(rotating, backing_up)?;
    let count = rotated.iter().map(Vec::len).sum();
    for (held, more) in held.iter_mut().zip(rotated) {
        held.extend(more);
    }
    Ok((files, count))
}

fn token(issued: countersign_client::Issued) -> Result<Vec<Secret>, Problem> {
    Ok(vec![issued.refresh_token.ok_or("no refresh token")?])
}

fn verify(file: &str) -> Result<(), Problem> {
    let said = countersign(&["store", "verify", file, "--json"])?;
    let said: Value = serde_json::from_str(&said)?;
    match said["sound"].as_bool() {
        Some(true) => Ok(()),
        _ => Err(format!("{file}: {said}").into()),
    }
}

/// What becomes of the note that a restoration leaves for the next start.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Note {
    Left,
    Removed,
}

/// As an operator would: stop, move away, restore, start.
fn restore(service: &mut Service, terms: &Terms, file: &str, note: Note) -> Result<(), Problem> {
    service.kill()?;
    let data = service.folder().join("data");
    let before = service.folder().join("data.before");
    if before.exists() {
        fs::remove_dir_all(&before)?;
    }
    fs::rename(&data, before)?;
    let named = data.display().to_string();
    countersign(&["store", "restore", file, "--data", &named, "--yes"])?;
    if note == Note::Removed {
        fs::remove_file(data.join(NOTE))?;
    }
    service.restart(terms)?;
    Ok(())
}
